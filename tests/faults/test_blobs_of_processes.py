"""Several real processes on one place of attachments: at once, killed, stopped, and bounded."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from saphan_broker.blobs import store as blob_store
from saphan_broker.blobs.staging import FILE_BYTES
from saphan_broker.blobs.store import BlobStore
from saphan_schemas.errors import Unavailable
from saphan_schemas.limits import KIB, LIMITS
from support.attaching_child import TEXTS, clock, letters, open_attachments, open_objects
from support.s3_server import BUCKET, S3Server

TESTS = Path(__file__).resolve().parents[1]
AGENCY = "la.ospp"


@asynccontextmanager
async def child(
    what: str, where: str, count: int = 1, part: int = 16 * KIB
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "support.attaching_child", what, where, AGENCY),
        *(str(count), str(part)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def lines(process: asyncio.subprocess.Process) -> AsyncIterator[list[str]]:
    assert process.stdout is not None
    async for line in process.stdout:
        yield line.decode().split()


async def finished(process: asyncio.subprocess.Process) -> None:
    said = [words async for words in lines(process)]
    assert said[-1] == ["done"]


async def killed_after(process: asyncio.subprocess.Process, word: str, times: int) -> None:
    left = times
    async for words in lines(process):
        left -= words[0] == word
        if not left:
            break
    process.kill()
    await process.wait()


async def check(where: str, count: int) -> None:
    """Everything is there, in right bytes, and nothing is left over."""
    store = open_attachments(where)
    for bulletin, data, blob in letters(count):
        found = b""
        while piece := await store.read(bulletin, 0, len(found), 64 * KIB):
            found += piece
        assert found == data
        assert await store.held(AGENCY, (blob,)) == (0,)
    store.close()


def where(request: pytest.FixtureRequest, kind: str, folder: Path) -> str:
    if kind != "s3":
        return f"objects:{folder}" if kind == "objects" else str(folder)
    server: S3Server = request.getfixturevalue("s3")
    return f"s3:s3://{BUCKET}/{folder.parent.name} {server.endpoint} {server.credentials}"


@pytest.mark.parametrize("kind", ["files", "s3"])
async def test_three_processes_take_the_same_bulletins_and_one_is_killed(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    """Each attachment comes through all three; one ends in the middle of one, at any point."""
    place, count = where(request, kind, tmp_path / "shared"), 3
    async with (
        child("work", place, count, 16 * KIB) as one,
        child("work", place, count, 23_000) as two,
        child("work", place, count, 9_000) as three,
    ):
        await asyncio.gather(finished(one), finished(two), killed_after(three, "held", 8))
    async with child("work", place, count) as again:
        await finished(again)
    await check(place, count)


@pytest.mark.parametrize(("kind", "word"), [("files", "settled"), ("objects", "held")])
async def test_after_a_kill_another_process_goes_on(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, word: str
) -> None:
    place = where(request, kind, tmp_path / "shared")
    for times in (1, 3):
        async with child("work", place, 4) as process:
            await killed_after(process, word, times)
    async with child("work", place, 4) as process:
        await finished(process)
    await check(place, 4)


async def test_objects_put_and_deleted_by_three_processes_are_whole(tmp_path: Path) -> None:
    """A folder that one finds empty and removes is the one that another puts into."""
    place = f"objects:{tmp_path / 'shared'}"
    async with (
        child("puts", place, 60) as one,
        child("puts", place, 60) as two,
        child("puts", place, 60) as three,
    ):
        await asyncio.gather(finished(one), finished(two), killed_after(three, "put", 25))
    objects = open_objects(place)
    for found in [one async for one in objects.list("")]:
        assert await objects.get(found.name) in TEXTS
    await objects.close()


async def test_a_stopped_process_holds_up_one_agency_and_only_for_so_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _bulletin, data, blob = next(letters(1))
    store = BlobStore(tmp_path, clock, shared=True)
    assert await store.append(AGENCY, blob, 0, data[:100]) == 100
    async with child("lock", str(tmp_path)) as stopped:
        async for words in lines(stopped):
            assert words == ["locked"]
            break
        stopped.send_signal(signal.SIGSTOP)
        short = dataclasses.replace(LIMITS, blob_lock_ms=50)
        with monkeypatch.context() as patch:
            patch.setattr(blob_store, "LIMITS", short)
            with pytest.raises(Unavailable) as error:
                await store.append(AGENCY, blob, 100, data[100:])
            assert error.value.code == "attachments_wait"
            assert await store.append("kh.gpo", blob, 0, data) == blob.length
        waiting = asyncio.create_task(store.append(AGENCY, blob, 100, data[100:]))
        stopped.kill()
        await stopped.wait()
        assert await waiting == blob.length
    store.close()


async def test_all_processes_count_together(tmp_path: Path) -> None:
    """An agency that comes through three processes may stage as much as through one."""
    stores = [BlobStore(tmp_path, clock, staged_bytes=4 * FILE_BYTES, shared=True) for _ in "abc"]
    blobs = [blob for _, _, blob in letters(9)]
    for at, blob in enumerate(blobs):
        assert await stores[at % 3].append(AGENCY, blob, 0, b"x") == 1
    assert len(list((tmp_path / "staging" / AGENCY).iterdir())) == 4
    for store in stores:
        store.close()


@pytest.mark.parametrize("kind", ["files", "s3"])
async def test_the_largest_attachments_are_never_whole_in_memory(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    async with child("large", where(request, kind, tmp_path / "shared")) as process:
        said = [words async for words in lines(process)]
    assert said[-1] == ["done"]
    (took,) = [int(words[1]) for words in said if words[0] == "took"]
    limit = 8 if kind == "files" else 15  # MiB: in S3 two parts of 5 MiB; one has 16
    assert took < limit * KIB, took
