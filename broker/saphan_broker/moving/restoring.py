"""A backup put back, on either engine; whether it may run is for the signer's last-head files.

Order: attachments, then the store, which has its name, or its end of a copy, only when it is whole.
What a crash means: no broker runs on what is there, and the same command given again goes on.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from saphan_broker import private_files
from saphan_broker.export_file import file_error, put_file
from saphan_broker.moved_marker import mark_moved
from saphan_broker.moving.attachments import Brought, copy_attachments
from saphan_broker.moving.comparing import copy_compared
from saphan_broker.moving.copying import Progress, check_target
from saphan_broker.moving.house import House
from saphan_broker.moving.kept import BESIDE, Kept, check_bytes, read_manifest
from saphan_broker.moving.signed import missing_leaves
from saphan_broker.seeds import DayKeys
from saphan_broker.store.base import Log
from saphan_broker.store.sqlite import SqliteStore
from saphan_broker.store.sqlite_file import STORE_NAME, check_vacant, lock, sync_path

UNPACKED: Final = "restore.unfinished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was put back, and by log how many signed leaves it lacks: {} when it may run."""

    kept: Kept
    brought: Brought
    lacking: dict[Log, int]


async def restore(folder: Path, house: House, keys: Path, progress: Progress) -> Restored:
    """Put the backup in `folder` into `house`, whose store must not exist yet.

    Args:
        keys: the broker's keys directory; it is only read.

    Raises:
        OperatorError: `backup_unfinished`, `backup_malformed`, `store_exists`, `store_remains`,
            `store_locked`, `store_differs`, `target_not_empty`, `copy_differs`, `disk_full`, ...
    """
    kept = await asyncio.to_thread(read_manifest, folder)
    await asyncio.to_thread(check_bytes, folder, kept)
    day_keys = await asyncio.to_thread(DayKeys.open, keys)
    await asyncio.to_thread(_make_place, house.data)
    async with _unpacked(folder, house) as (place, store):
        lacking = await missing_leaves(store, keys)
        # A store that is behind is for reading: what runs stays what ran.
        leave = None if lacking else partial(mark_moved, house.data, house.choice)
        if house.on_server:
            async with house.alone(create=True) as target:
                await check_target(store, target)  # before hours of attachments
                brought = await copy_attachments(store, House(folder), house, progress)
                await copy_compared(store, target, day_keys, progress, leave)
        else:
            brought = await copy_attachments(store, House(folder), house, progress)
            if leave is not None:
                await asyncio.to_thread(leave)
        await store.close()
        await asyncio.to_thread(_put_beside, folder, place, house)
    return Restored(kept=kept, brought=brought, lacking=lacking)


def _make_place(data: Path) -> None:
    try:
        private_files.make_directory(data)
    except OSError as error:
        raise file_error(data, error) from None


@asynccontextmanager
async def _unpacked(folder: Path, house: House) -> AsyncIterator[tuple[Path, SqliteStore]]:
    """A copy of the backup's store, opened: a backup itself is never opened to be written."""
    place = house.data / UNPACKED
    held = await asyncio.to_thread(lock, house.data)  # nobody else unpacks here
    try:
        if not house.on_server:
            await asyncio.to_thread(check_vacant, house.data)
        await asyncio.to_thread(_unpack, folder, place)
        store = await SqliteStore.open(place)
        try:
            yield place, store
        finally:
            await store.close()
    finally:
        await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
        os.close(held)


def _unpack(folder: Path, place: Path) -> None:
    try:
        shutil.rmtree(place, ignore_errors=True)  # what a crash left
        place.mkdir(mode=0o700)
        shutil.copyfile(folder / STORE_NAME, place / STORE_NAME)
        (place / STORE_NAME).chmod(0o600)
    except OSError as error:
        raise file_error(place / STORE_NAME, error) from None


def _put_beside(folder: Path, place: Path, house: House) -> None:
    """Pins and invitation, where there are none; then the SQLite store gets its name."""
    try:
        for name in BESIDE:
            if (folder / name).is_file() and not (house.data / name).exists():
                put_file(house.data / name, (folder / name).read_bytes())
        if not house.on_server:
            sync_path(place / STORE_NAME)
            # A crash before this line leaves the unpacked folder and no store.
            (place / STORE_NAME).rename(house.data / STORE_NAME)
            sync_path(house.data)
    except OSError as error:
        raise file_error(house.data, error) from None
