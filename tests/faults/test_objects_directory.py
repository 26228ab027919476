"""A directory of objects when the process ends between any two effects, and on failing disks."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from saphan_broker.objects import directory
from saphan_broker.objects.directory import NEW, DirectoryObjects
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import HOUR_MS

NAME = "packs/20780/3"
OLD, FRESH = b"old" * 1000, b"fresh" * 2000
EFFECTS = ("mkdir", "open", "write", "fsync", "rename", "link", "unlink", "rmdir")


class Crash(BaseException):
    """The process ends here."""


def failing(at: int, error: BaseException, done: bool) -> tuple[pytest.MonkeyPatch, list[str]]:
    """The `at`-th effect (from 1) on files raises; `done`: after it has happened."""
    patch, seen = pytest.MonkeyPatch(), list[str]()

    def wrap(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def effect(*args: Any, **kwargs: Any) -> Any:
            seen.append(name)
            if len(seen) != at:
                return real(*args, **kwargs)
            if name == "write" and not done:
                real(args[0], bytes(args[1])[:100])
            elif done:
                real(*args, **kwargs)
            raise error

        return effect

    for name in EFFECTS:
        patch.setattr(os, name, wrap(name))
    return patch, seen


async def put(objects: DirectoryObjects) -> None:
    await objects.put(NAME, FRESH)


async def put_parts(objects: DirectoryObjects) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for at in range(0, len(FRESH), 3_000):
            yield FRESH[at : at + 3_000]

    await objects.put_parts(NAME, parts())


async def one_part() -> AsyncIterator[bytes]:
    yield OLD


async def copy(objects: DirectoryObjects) -> None:
    assert await objects.copy("fresh", NAME)


@pytest.mark.parametrize(("done", "old"), [(False, None), (True, OLD)])
@pytest.mark.parametrize("work", [put, put_parts, copy])
async def test_a_crash_leaves_the_old_bytes_or_the_new_ones(
    tmp_path: Path, work: Callable[[DirectoryObjects], Any], done: bool, old: bytes | None
) -> None:
    at, seen, states = 0, ["again"], set()
    while len(seen) >= at:
        at += 1
        place = tmp_path / str(at)
        objects = DirectoryObjects(place)
        await objects.put("fresh", FRESH)
        if old:
            await objects.put(NAME, old)
        patch, seen = failing(at, Crash(), done)
        try:
            await work(objects)
        except Crash:
            pass
        finally:
            patch.undo()
        anew = DirectoryObjects(place)
        found = await anew.get(NAME)
        assert found in (FRESH, old)
        states.add(found)
        await work(anew)
        assert await anew.get(NAME) == FRESH
        for one in (objects, anew):
            await one.close()
    assert at > 8
    assert states == {FRESH, old}


@pytest.mark.parametrize("code", [errno.ENOSPC])
@pytest.mark.parametrize("work", [put, put_parts, copy])
async def test_a_failing_disk_is_said_and_keeps_what_was(
    tmp_path: Path, work: Callable[[DirectoryObjects], Any], code: int
) -> None:
    at, seen = 0, ["again"]
    while len(seen) >= at:
        at += 1
        objects = DirectoryObjects(tmp_path / str(at))
        await objects.put("fresh", FRESH)
        await objects.put(NAME, OLD)
        patch, seen = failing(at, OSError(code, os.strerror(code)), False)
        try:
            if len(seen) >= at:
                with pytest.raises(OperatorError, match=os.strerror(code)) as error:
                    await work(objects)
                assert error.value.code == "blobs_unusable"
            else:
                await _tolerates(work, objects)
        finally:
            patch.undo()
        assert await objects.get(NAME) in (OLD, FRESH)
        await work(objects)
        assert await objects.get(NAME) == FRESH
        await objects.close()


async def _tolerates(work: Callable[[DirectoryObjects], Any], objects: DirectoryObjects) -> None:
    try:
        await work(objects)
    except OperatorError as error:
        if error.code != "blobs_unusable":
            raise


async def test_bytes_are_durable_before_their_name_and_folders_before_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut keeps what was synced: the file before its name, then every folder up to it."""
    done: list[tuple[str, str]] = []
    real_sync, real_rename = os.fsync, os.rename

    def sync(descriptor: int) -> None:
        done.append(("sync", os.readlink(f"/proc/self/fd/{descriptor}")))
        real_sync(descriptor)

    def rename(source: Path, target: Path) -> None:
        done.append(("rename", str(target)))
        real_rename(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "rename", rename)
    place = tmp_path / "objects"
    objects = DirectoryObjects(place)
    for _ in range(2):  # the second time everything stands, but perhaps nobody has synced it
        done.clear()
        await objects.put(NAME, FRESH)
        assert done[0][1].startswith(f"{place}/{NEW}/")
        assert done[1:] == [
            ("rename", f"{place}/{NAME}"),
            ("sync", f"{place}/packs/20780"),
            ("sync", f"{place}/packs"),
            ("sync", str(place)),
            ("sync", str(tmp_path)),
        ]
    await objects.close()


async def test_what_crashes_have_left_goes_after_an_hour(tmp_path: Path) -> None:
    objects = DirectoryObjects(tmp_path)
    await objects.put(NAME, OLD)
    await objects.close()
    for name, age_ms in (("young", HOUR_MS // 2), ("old", 2 * HOUR_MS)):
        path = tmp_path / NEW / name
        path.write_bytes(b"half of someth")
        past = path.stat().st_mtime_ns - age_ms * 1_000_000
        os.utime(path, ns=(past, past))
    anew = DirectoryObjects(tmp_path)
    assert [found.name async for found in anew.list("")] == [NAME]
    await anew.put(NAME, FRESH)
    assert [path.name for path in (tmp_path / NEW).iterdir()] == ["young"]
    await anew.close()


async def test_others_may_not_look_into_it(tmp_path: Path) -> None:
    objects = DirectoryObjects(tmp_path / "objects")
    await objects.put(NAME, OLD)
    await objects.put_parts(f"{NAME}0", one_part())
    assert stat.S_IMODE((tmp_path / "objects").stat().st_mode) == 0o700
    files = [path for path in (tmp_path / "objects").rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    await objects.close()


async def test_a_call_that_is_given_up_ends_before_the_next_one(tmp_path: Path) -> None:
    objects = DirectoryObjects(tmp_path)
    for at in range(20):
        job = asyncio.create_task(objects.put(NAME, bytes([at]) * 100_000))
        await asyncio.sleep(0)
        job.cancel()
        await asyncio.wait([job])
        await objects.put(NAME, OLD)
        assert await objects.get(NAME) == OLD
    assert list((tmp_path / NEW).iterdir()) == []
    await objects.close()


async def test_a_folder_that_cannot_be_listed_is_not_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = DirectoryObjects(tmp_path)
    await objects.put("a/b", b"x")

    def failing(_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "scandir", failing)
    with pytest.raises(OperatorError) as error:
        await anext(aiter(objects.list("a")))
    assert error.value.code == "blobs_unusable"
    await objects.close()


async def test_nobody_is_held_up_by_a_get_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory of a server that is away: its threads cannot be interrupted."""
    objects = DirectoryObjects(tmp_path)
    await objects.put("a/b", b"x")
    goes_on = threading.Event()

    def hanging(*_: object) -> bytes:
        goes_on.wait()
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(directory, "_read", hanging)
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await objects.get("a/b")
    finally:
        goes_on.set()
    await objects.close()
