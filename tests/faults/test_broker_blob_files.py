"""Files of bulletins that a disk has cut short, and a sweep in the middle of a submission."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Collection
from hashlib import sha256
from pathlib import Path

import pytest
from saphan_broker.blobs.files import BlobFiles
from saphan_broker.blobs.store import BlobStore
from saphan_schemas.limits import DAY_MS, KIB
from saphan_schemas.records import Blob
from support.broker_attachments import PHOTO, A, B, attached_world, final, seal, submit
from support.brokers import World

ID = b"\xcd" * 32
DATA = b"x" * 10 * KIB
BLOB = Blob(len(DATA), sha256(DATA).digest())


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with attached_world(tmp_path) as made:
        yield made


async def test_a_file_that_was_cut_short_is_an_alarm_and_ends_no_session(world: World) -> None:
    """A part shorter than asked for would end the recipient's sessions, for ever."""
    out, into = await world.line(A), await world.line(B)
    made = seal(world, PHOTO)
    await out.bring(made.attachments)
    assert (await submit(world, out, made)).code is None
    name = made.bulletin_id.hex()
    os.truncate(world.data / "blobs" / name[:2] / name / "0", 10_000)
    assert (await into.fetch_part(made.bulletin_id, 1, 0, 8 * KIB)).data is not None
    assert (await into.fetch_part(made.bulletin_id, 1, 8 * KIB, 8 * KIB)).code == "part_missing"
    # What others bring is no sign that this one is back.
    await out.bring(seal(world, PHOTO).attachments)
    assert "attachment_gone" in {alarm.code for alarm in world.broker.state.alarms.active()}
    length = made.blobs[0].length
    assert (await into.fetch_part(made.bulletin_id, 1, length, 100)).data == b""


async def test_a_file_of_another_length_is_replaced_by_what_is_brought(world: World) -> None:
    """It was linked, its bulletin never logged, and the disk has lost its end meanwhile."""
    out = await world.line(A)
    made = seal(world, PHOTO)
    name = made.bulletin_id.hex()
    path = world.data / "blobs" / name[:2] / name / "0"
    path.parent.mkdir(parents=True)
    path.write_bytes(made.attachments[0][:-1])
    await out.bring(made.attachments)
    assert (await submit(world, out, made)).code is None
    assert final(world, made) == list(made.attachments)


async def test_a_sweep_takes_nothing_from_a_submission_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An orphan of yesterday is submitted again while the sweep is about to remove it."""
    now = [DAY_MS]
    store = BlobStore(tmp_path / "blobs", lambda: now[0])
    assert await store.append("la.ospp", BLOB, 0, DATA) == BLOB.length
    await store.settle("la.ospp", ID, (BLOB,))
    now[0] += DAY_MS
    looked, swept = threading.Event(), threading.Event()
    missing, remove = BlobFiles.missing, BlobFiles.remove

    def looks(self: BlobFiles, bulletin: bytes, blobs: tuple[Blob, ...]) -> list[int]:
        found = missing(self, bulletin, blobs)
        looked.set()
        swept.wait(0.5)  # long enough for a sweep that nothing holds up
        return found

    def removes(self: BlobFiles, bulletin: bytes, before: int) -> int:
        looked.wait()
        gone = remove(self, bulletin, before)
        swept.set()
        return gone

    monkeypatch.setattr(BlobFiles, "missing", looks)
    monkeypatch.setattr(BlobFiles, "remove", removes)

    async def none(_: list[bytes]) -> Collection[bytes]:
        return ()

    await asyncio.gather(store.settle("la.ospp", ID, (BLOB,)), store.sweep(none))
    assert await store.read(ID, 0, 0, BLOB.length) == DATA
    store.close()
