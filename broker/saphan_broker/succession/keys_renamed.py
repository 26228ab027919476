"""The same log keys under the next origin, and a last-head file that knows what it may sign.

    KEYS/<log>.<number>.head    the last-head file of a log that has ended

Order, for a log that gets a number: the ended log's last-head file is kept; the key file names the
next origin; the last-head file begins anew. A crash leaves files of two origins at most, which
nothing runs on, and the same call goes on. A last-head file of the new origin is never begun a
second time: it may have been signed under.
"""

from __future__ import annotations

from pathlib import Path

from saphan_schemas.errors import OperatorError
from saphan_schemas.records import HeadRef

from saphan_broker import private_files
from saphan_broker.keys import load_log_keys, rename_log_keys
from saphan_broker.logs.last_head import LastHead, LastHeadFile
from saphan_broker.logs.signer import Signer
from saphan_broker.store.base import Log


def rename_log(keys: Path, log: Log, before: str, origin: str) -> Signer:
    """The signer of the log with the new origin; idempotent.

    Raises:
        OperatorError: `key_file_*`.
    """
    path = keys / f"{log}.head"
    kept = keys / f"{log}.{before.rpartition('/')[2]}.head"
    if origin != before:
        if not kept.exists():
            private_files.replace(kept, private_files.read(path))
        if load_log_keys(keys, log).origin != origin:
            rename_log_keys(keys, log, origin)
        if not _is_of(path, origin):
            LastHeadFile(path, origin).begin()
    return Signer.open(keys, log, load_log_keys(keys, log))


def bring_forward(keys: Path, log: Log, head: HeadRef) -> None:
    """Let the signer's file of a log that goes on know a head that was signed: it may be an old
    copy, and must never sign another root of that size."""
    file = LastHeadFile(keys / f"{log}.head", head.origin)
    last = file.read()
    if head.size > last.size:
        with private_files.exclusive(keys / f"{log}.lock"):
            file.write(LastHead(head.size, head.root, last.time))


def _is_of(path: Path, origin: str) -> bool:
    try:
        LastHeadFile(path, origin).read()
    except OperatorError as error:
        if error.code != "key_file_malformed":
            raise
        return False
    return True
