"""What a backup folder holds, and its last file, which says that the backup is whole.

OUT/broker.db          the logs with everything that hangs on them, as SQLite's one file
OUT/blobs/...          attachments
OUT/pins.json, OUT/invitation.json      as they were in --data, if they were there
OUT/backup.json        written last: heads, digest of broker.db, how many attachments

No key is in it: neither log keys, nor last-head files, nor the day-key seed. The records, headers
and stanzas in it stay sealed under days whose keys are destroyed where the seed is.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import msgspec
from saphan_schemas.decoders import json_decoder
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import MIB

from saphan_broker.export_file import put_file
from saphan_broker.store.base import LOGS, Log
from saphan_broker.store.sqlite_file import STORE_NAME

FORMAT: Final = "broker-backup/1"
MANIFEST: Final = "backup.json"
UNFINISHED: Final = "backup.unfinished"
"""There from the beginning until the backup is whole."""
BESIDE: Final = ("pins.json", "invitation.json")
"""Public files of the data directory that go with the store."""
_MOST: Final = MIB


class KeptHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The committed head of one log in the backup."""

    origin: str
    size: int
    root: str


class Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a finished backup says of itself; it proves nothing against whoever can write there.

    Args:
        made: when its heads were read, ms.
        store: SHA-256 of broker.db, hexadecimal.
        lost: attachments that the source itself had lost.
    """

    saphan: str
    made: int
    heads: dict[Log, KeptHead]
    store: str
    attachments: int
    lost: int

    def sizes(self) -> dict[str, int]:
        """How many leaves each log has."""
        return {log: head.size for log, head in self.heads.items()}


def write_manifest(out: Path, kept: Kept) -> None:
    """After this the backup is whole.

    Raises:
        OperatorError: `disk_full`, `file_unwritable`.
    """
    put_file(out / MANIFEST, msgspec.json.format(msgspec.json.encode(kept)) + b"\n", 0o600)


def read_manifest(folder: Path) -> Kept:
    """What a backup says of itself.

    Raises:
        OperatorError: `backup_unfinished`, `backup_malformed`.
    """
    try:
        with (folder / MANIFEST).open("rb") as file:
            kept = json_decoder(Kept).decode(file.read(_MOST))
    except FileNotFoundError:
        raise OperatorError(
            "backup_unfinished",
            f"{folder} holds no finished backup of a broker",
            field="from",
            hint="name the folder that `saphan-broker backup --out` has made, or make one again",
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _malformed(folder, f"{MANIFEST} does not parse") from None
    if kept.saphan != FORMAT or set(kept.heads) != set(LOGS):
        raise _malformed(folder, f"it is not of format {FORMAT}")
    return kept


def check_bytes(folder: Path, kept: Kept) -> None:
    """Refuse a backup whose store is not the bytes that were written; reads all of them.

    Raises:
        OperatorError: `backup_malformed`.
    """
    path = folder / STORE_NAME
    if not path.is_file() or file_digest(path) != kept.store:
        raise _malformed(folder, f"{STORE_NAME} is not the file that was written")


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _malformed(folder: Path, why: str) -> OperatorError:
    return OperatorError(
        "backup_malformed",
        f"the backup in {folder} is damaged: {why}",
        field="from",
        hint="take another copy of it, or an earlier backup",
    )
