"""Objects as files of one directory, which several processes may share.

<place>/<name>          an object
<place>/.new/<random>   bytes that are not an object yet

What a crash means: a file in `.new` has no meaning and goes after an hour. A file has its name only
when its bytes are synced; the name and every folder above it are synced before `put` returns, also
when they stood there: another process may have made them and not synced them yet.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import stat
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from saphan_schemas.limits import HOUR_MS, LIMITS

from saphan_broker.objects.base import Found, check_name, too_large, unusable

T = TypeVar("T")
THREADS: Final = 2
PAGE: Final = 256
NEW: Final = ".new"
TRIES: Final = 8
"""Of a rename into a folder that a `delete` in another process has just removed as empty."""


class DirectoryObjects:
    """Implements `Objects` on a file system with POSIX renames; makes `place` when it is needed."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._threads = ThreadPoolExecutor(THREADS, "objects")
        self._tidied = False

    async def put(self, name: str, data: bytes) -> None:
        """See `Objects.put`."""
        if len(data) > LIMITS.object_bytes:
            raise ValueError(f"{len(data)} bytes are too many for one object")
        path = self._path(name)
        await self._run(lambda: self._put(path, data))

    async def put_parts(self, name: str, parts: AsyncIterator[bytes]) -> None:
        """See `Objects.put_parts`."""
        path = self._path(name)
        made: list[tuple[Path, int]] = []
        try:
            await self._run(lambda: made.append(self._fresh()))
            fresh, descriptor = made[0]
            async for part in parts:
                await self._run(lambda: _write(descriptor, part))  # noqa: B023 - awaited here
            await self._run(lambda: self._finish(descriptor, fresh, path))
        finally:
            for fresh, descriptor in made:
                await self._run(lambda: _drop(descriptor, fresh))  # noqa: B023 - awaited here

    async def copy(self, source: str, target: str) -> bool:
        """See `Objects.copy`: another name of the same file, which is never written again."""
        old, path = self._path(source), self._path(target)
        return await self._run(lambda: self._link(old, path))

    async def get(self, name: str) -> bytes | None:
        """See `Objects.get`."""
        path = self._path(name)
        return await self._run(lambda: _read(path, name), finish=False)

    async def get_range(self, name: str, offset: int, length: int) -> bytes | None:
        """See `Objects.get_range`."""
        path = self._path(name)
        return await self._run(lambda: _read_range(path, offset, length))

    async def size(self, name: str) -> int | None:
        """See `Objects.size`."""
        path = self._path(name)
        return await self._run(lambda: _size(path))

    async def exists(self, name: str) -> bool:
        """See `Objects.exists`."""
        return await self.size(name) is not None

    async def delete(self, name: str) -> None:
        """See `Objects.delete`."""
        path = self._path(name)
        await self._run(lambda: self._delete(path))

    async def list(self, prefix: str) -> AsyncIterator[Found]:
        """See `Objects.list`."""
        found = self._walk(self._path(prefix) if prefix else self._place)
        while page := await self._run(lambda: list(islice(found, PAGE))):
            for one in page:
                yield one

    async def close(self) -> None:
        """See `Objects.close`."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    # --- on threads -------------------------------------------------------------------------------

    def _path(self, name: str) -> Path:
        return self._place / check_name(name)

    def _put(self, path: Path, data: bytes) -> None:
        fresh, descriptor = self._fresh()
        try:
            _write(descriptor, data)
            self._finish(descriptor, fresh, path)
        finally:
            _drop(descriptor, fresh)

    def _link(self, old: Path, path: Path) -> bool:
        fresh = self._unused()
        try:
            os.link(old, fresh)
        except (FileNotFoundError, NotADirectoryError):
            return False
        try:
            self._name(fresh, path)
        finally:
            fresh.unlink(missing_ok=True)  # two names of one file: the rename did nothing
        return True

    def _unused(self) -> Path:
        folder = self._place / NEW
        self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        if not self._tidied:
            _tidy(folder)
            self._tidied = True
        return folder / secrets.token_hex(16)

    def _fresh(self) -> tuple[Path, int]:
        fresh = self._unused()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        return fresh, os.open(fresh, flags, 0o600)

    def _finish(self, descriptor: int, fresh: Path, path: Path) -> None:
        """Sync the bytes before they have their name."""
        os.fsync(descriptor)
        self._name(fresh, path)

    def _name(self, fresh: Path, path: Path) -> None:
        """Give a file its name, then sync every folder up to the place."""
        for left in reversed(range(TRIES)):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                fresh.rename(path)
                break
            except FileNotFoundError:  # a folder that was empty for a moment went
                if not left:
                    raise
        for folder in path.parents:
            with suppress(FileNotFoundError):  # deleted since then, with its folder
                _sync(folder)
            if folder == self._place.parent:
                return

    def _delete(self, path: Path) -> None:
        with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            path.unlink()
            _sync(path.parent)
        with suppress(OSError):  # a folder that is not empty stays
            for folder in path.parents:
                if folder == self._place:
                    return
                folder.rmdir()

    def _walk(self, folder: Path) -> Iterator[Found]:
        for base, folders, files in os.walk(folder, onerror=_unless_gone):
            folders[:] = sorted(one for one in folders if one != NEW)
            for file in files:
                path = Path(base, file)
                with suppress(FileNotFoundError):
                    state = path.stat()
                    name = path.relative_to(self._place).as_posix()
                    yield Found(name, state.st_size, state.st_mtime_ns // 1_000_000)

    async def _run(self, work: Callable[[], T], *, finish: bool = True) -> T:
        """On a thread.

        Args:
            finish: what has begun ends before a caller that is cancelled goes on; not for what
                changes nothing, and may hang on a server that is away.
        """
        job = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            if finish:
                await asyncio.wait([job])
            job.add_done_callback(lambda done: done.cancelled() or done.exception())
            raise
        except OSError as error:
            raise unusable(
                f"objects cannot be kept or read: {error.strerror or error}",
                "look at the disk of --blobs: is it full, is it readable?",
            ) from None


def _tidy(folder: Path) -> None:
    """Remove what crashes have left; what another process writes right now is younger."""
    before = time.time_ns() - HOUR_MS * 1_000_000
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            if path.stat().st_mtime_ns < before:
                path.unlink()


def _unless_gone(error: OSError) -> None:
    """A folder that cannot be listed is not an empty one."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _drop(descriptor: int, fresh: Path) -> None:
    os.close(descriptor)
    fresh.unlink(missing_ok=True)


def _size(path: Path) -> int | None:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _read(path: Path, name: str) -> bytes | None:
    size = _size(path)
    if size is not None and size > LIMITS.object_bytes:
        raise too_large(name, size)
    return _read_range(path, 0, LIMITS.object_bytes)


def _read_range(path: Path, offset: int, length: int) -> bytes | None:
    if _size(path) is None:
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:  # deleted meanwhile
        return None
    try:
        pieces = []
        while length > 0 and (piece := os.pread(descriptor, length, offset)):
            pieces.append(piece)
            offset, length = offset + len(piece), length - len(piece)
        return b"".join(pieces)
    finally:
        os.close(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
