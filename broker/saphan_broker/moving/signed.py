"""How a store compares with what was signed: a copy of an older one must not be mistaken for it.

The last-head files lie in the keys directory and are in no backup, so they tell (bytes.md, Signer).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from saphan_protocol.checkpoint import verify_head
from saphan_protocol.notes import parse_vkey
from saphan_schemas.directory_records import LogPin
from saphan_schemas.errors import InvalidInput, OperatorError

from saphan_broker.logs.log_export import head_missing
from saphan_broker.logs.signer import Signer
from saphan_broker.serving_keys import read_keys
from saphan_broker.store.base import LOGS, Log, Store


async def missing_leaves(store: Store, keys: Path) -> dict[Log, int]:
    """By log: how many leaves were signed that the store does not have; {} when it lacks none.

    Args:
        keys: the signer's directory.

    Raises:
        OperatorError: `store_differs`: the store is another broker's; `serves_only`: the keys
            directory has no last-head files; `head_missing`, `key_file_*`.
    """
    pins, log_keys = await asyncio.to_thread(read_keys, keys)
    if log_keys is None:
        raise OperatorError(
            "serves_only",
            f"{keys} does not know what was signed: it has no log keys",
            field="keys",
            hint="give this command on the signer's host, with its keys directory",
        )
    lacking: dict[Log, int] = {}
    for log in LOGS:
        pinned = pins.directory if log == "directory" else pins.evidence
        await _check_signature(store, log, pinned)
        signer = await asyncio.to_thread(Signer.open, keys, log, log_keys[log])
        last = await asyncio.to_thread(signer.last)
        size = (await store.state(log)).head.size
        if last.size > size:
            lacking[log] = last.size - size
    return lacking


async def check_not_behind(store: Store, keys: Path) -> None:
    """Refuse to move a store that lacks what was signed: it must never be signed again.

    Raises:
        OperatorError: `store_behind_signer`, and as `missing_leaves`.
    """
    lacking = await missing_leaves(store, keys)
    if lacking:
        raise behind(lacking)


def behind(lacking: Mapping[Log, int]) -> OperatorError:
    """The error for a store that lacks so many signed leaves."""
    what = " and ".join(f"{count} leaves of the {log} log" for log, count in lacking.items())
    return OperatorError(
        "store_behind_signer",
        f"the store lacks {what} that were signed",
        field="data",
        hint="the store is an old copy: do not run it; if no newer one is left: "
        "saphan-broker succeed",
    )


async def _check_signature(store: Store, log: Log, pinned: LogPin) -> None:
    note = await store.note(log)
    if note is None:
        if log == "evidence":
            return  # nothing was entered yet
        raise head_missing(log)
    first, second = (parse_vkey(vkey) for vkey in pinned.vkeys)
    try:
        verify_head(note.note, (first, second))
    except InvalidInput as error:
        raise OperatorError(
            "store_differs",
            f"the store's {log} log was not signed by the keys of {pinned.origin}: {error.message}",
            field="keys",
            hint="name the keys directory of the broker that the store is of",
        ) from None
