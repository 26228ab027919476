"""A backup of a broker's store, taken beside the running broker, from either engine.

Order: a file that says that the folder is of a backup, then the store, the attachments that its
bulletins name (they are durable before a commit names them, and stay), then the file that says that
the backup is whole. What a crash means: a folder without the last one is no backup, and the same
command given again goes on in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from saphan_protocol.checkpoint import parse_checkpoint
from saphan_protocol.notes import parse_note
from saphan_schemas.errors import OperatorError

from saphan_broker import private_files
from saphan_broker.clock import Clock
from saphan_broker.export_file import file_error, put_file
from saphan_broker.logs.log_export import head_missing
from saphan_broker.moving.attachments import Brought, copy_attachments
from saphan_broker.moving.copying import Progress, copy_store
from saphan_broker.moving.house import House
from saphan_broker.moving.kept import (
    BESIDE,
    FORMAT,
    MANIFEST,
    UNFINISHED,
    Kept,
    KeptHead,
    file_digest,
    write_manifest,
)
from saphan_broker.moving.snapshot import take_snapshot
from saphan_broker.seeds import DayKeys
from saphan_broker.store.base import LOGS, Log, Store
from saphan_broker.store.sqlite import SqliteStore
from saphan_broker.store.sqlite_file import LOCK_NAME, STORE_NAME
from saphan_broker.store.unfinished import check_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp:
    """What is in the folder now."""

    kept: Kept
    brought: Brought


async def back_up(
    house: House, keys: Callable[[], DayKeys], out: Path, clock: Clock, progress: Progress
) -> BackedUp:
    """Make a backup of `house` in `out`, a folder that is empty, not there, or half a backup.

    Args:
        keys: opens the day keys; asked for a store on a server only.

    Raises:
        OperatorError: `backup_exists`, `directory_not_empty`, `store_*`, `copy_unfinished`,
            `disk_full`, `file_unwritable`, `blobs_unusable`; Unavailable from the servers.
    """
    await asyncio.to_thread(_make_place, out)
    made = clock()
    if house.on_server:
        await _from_server(house, await asyncio.to_thread(keys), out, progress)
    else:
        await asyncio.to_thread(
            take_snapshot, house.data, out, lambda done, size: progress("pages", done, size)
        )
    store = await SqliteStore.open(out)
    try:
        await check_whole(store)
        heads = {log: await _head(store, log) for log in LOGS}
        brought = await copy_attachments(store, house, House(out), progress)
    finally:
        await store.close()
    kept = await asyncio.to_thread(_finish, house, out, heads, brought, made)
    return BackedUp(kept=kept, brought=brought)


def _make_place(out: Path) -> None:
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_place(out, {path.name for path in out.iterdir()})
        (out / UNFINISHED).touch(0o600)
    except OSError as error:
        raise file_error(out, error) from None


def _check_place(out: Path, found: set[str]) -> None:
    if MANIFEST in found:
        raise OperatorError(
            "backup_exists",
            f"{out} holds a finished backup, which is not written over",
            field="out",
            hint="name a folder that does not exist yet",
        )
    if found and UNFINISHED not in found:  # it may be a store that somebody works on
        raise OperatorError(
            "directory_not_empty",
            f"{out} holds {min(found)}, which no backup has made",
            field="out",
            hint="name a folder that does not exist yet",
        )
    private_files.check_private(out)


async def _from_server(house: House, keys: DayKeys, out: Path, progress: Progress) -> None:
    """Entry by entry, up to the heads of this moment; the broker goes on."""
    target = await _half_store(out)
    try:
        async with house.reading() as source:
            await copy_store(source, target, keys, progress)
    finally:
        await target.close()


async def _half_store(out: Path) -> SqliteStore:
    """An empty store, or what an earlier try has left; a whole one is of an earlier moment."""
    if not await asyncio.to_thread((out / STORE_NAME).exists):
        return await SqliteStore.create(out)
    store = await SqliteStore.open(out)
    if await store.note("directory") is None:
        return store
    await store.close()
    await asyncio.to_thread((out / STORE_NAME).unlink)
    return await SqliteStore.create(out)


async def _head(store: Store, log: Log) -> KeptHead:
    note = await store.note(log)
    if note is None:
        raise head_missing(log)
    head = (await store.state(log)).head
    origin = parse_checkpoint(parse_note(note.note).text).origin
    return KeptHead(origin=origin, size=head.size, root=head.root.hex())


def _finish(
    house: House, out: Path, heads: dict[Log, KeptHead], brought: Brought, made: int
) -> Kept:
    for name in BESIDE:
        if (house.data / name).is_file():
            put_file(out / name, (house.data / name).read_bytes())
    (out / LOCK_NAME).unlink(missing_ok=True)
    kept = Kept(
        saphan=FORMAT,
        made=made,
        heads=heads,
        store=file_digest(out / STORE_NAME),
        attachments=brought.there,
        lost=brought.lost,
    )
    # A crash before this line leaves no backup; after it, a whole one.
    write_manifest(out, kept)
    (out / UNFINISHED).unlink()
    return kept
