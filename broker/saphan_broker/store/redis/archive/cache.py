"""Archived objects as a process reads them: the newest read stay in memory, up to a size."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from sys import getsizeof
from typing import Any, Final, TypeVar, cast

from msgspec import Struct
from saphan_schemas.errors import OperatorError, Unavailable
from saphan_schemas.limits import KIB, LIMITS

from saphan_broker.objects.base import Objects
from saphan_broker.store.redis.archive.envelope import missing, seal, unseal

T = TypeVar("T")

SIGN: Final = "archive"
"""An object that says: the archive of this store is here."""
AWAY_BYTES: Final = 256 * KIB
"""A longer object is checked and parsed on a thread: the event loop has others to serve."""
LOST_NAMES: Final = 1_000
"""Remembered, so that the alarm about them ends when they are back."""


class Cache:
    """Reads objects below `prefix`; owned by one event loop.

    An object never changes under its name (`formats`), so what is kept here is never stale.

    Args:
        max_bytes: of memory for what is kept; the one read last is kept whatever its size.
    """

    def __init__(
        self, objects: Objects, prefix: str, max_bytes: int = LIMITS.archive_cache_bytes
    ) -> None:
        self._objects = objects
        self._prefix = prefix
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, tuple[object, int]] = OrderedDict()
        self._bytes = 0
        self._loading: dict[str, asyncio.Task[object]] = {}
        self._lost: dict[str, None] = {}

    def __contains__(self, name: str) -> bool:
        """Whether it is in memory."""
        return name in self._kept

    def full_name(self, name: str) -> str:
        """The object's name in the store of objects."""
        return f"{self._prefix}/{name}"

    async def load(self, name: str, parse: Callable[[str, bytes], T]) -> T:
        """What `parse` makes of the object; it is always the same function for a name.

        Raises:
            OperatorError: `object_missing`, `object_damaged`, and those of `Objects`; Unavailable
                `blobs_unreachable`: also when it takes longer than a commit may wait; it is
                read to its end nevertheless, for whoever asks again.
        """
        kept = self._kept.get(name)
        if kept is not None:
            self._kept.move_to_end(name)
            return cast(T, kept[0])
        task = self._loading.get(name)
        if task is None:  # of those who ask at one time the first one reads
            task = asyncio.ensure_future(self._load(name, parse))
            self._loading[name] = task
            task.add_done_callback(lambda done: self._loaded(name, done))
        try:
            async with asyncio.timeout(LIMITS.object_commit_ms / 1000):
                return cast(T, await asyncio.shield(task))
        except TimeoutError:
            raise _slow(self.full_name(name)) from None

    async def section(self, name: str, offset: int, length: int) -> bytes:
        """Bytes of an object that is not kept here.

        Raises:
            OperatorError: `object_missing`, and those of `Objects`.
        """
        full = self.full_name(name)
        data = await self._objects.get_range(full, offset, length)
        if data is None:
            self.note_lost(name)
            raise missing(full)
        return data

    def note_lost(self, name: str) -> None:
        """An object is missing or damaged."""
        self._lost[name] = None
        if len(self._lost) > LOST_NAMES:
            del self._lost[next(iter(self._lost))]

    def take_lost(self) -> list[str]:
        """Objects that were found missing or damaged since this was asked."""
        names = list(self._lost)
        self._lost.clear()
        return names

    async def is_whole(self, name: str) -> bool:
        """Whether an object is there as it was put. Errors of `Objects`."""
        full = self.full_name(name)
        data = await self._objects.get(full)
        if data is None:
            return False
        try:
            await asyncio.to_thread(unseal, full, data)
        except OperatorError:
            return False
        return True

    async def put(self, name: str, data: bytes) -> None:
        """Keep an object; durable when it returns."""
        await self._objects.put(self.full_name(name), data)

    async def remove(self, name: str) -> None:
        """Remove an object that nothing leads to any more; idempotent."""
        await self._objects.delete(self.full_name(name))

    async def sign(self) -> None:
        """Say that the archive is here; before anything is moved into it."""
        await self.put(SIGN, seal(self.full_name(SIGN), b""))

    async def is_here(self) -> bool:
        """Whether the archive was ever begun in this store of objects."""
        return await self._objects.exists(self.full_name(SIGN))

    async def _load(self, name: str, parse: Callable[[str, bytes], Any]) -> object:
        full = self.full_name(name)
        data = await self._objects.get(full)
        try:
            if data is None:
                raise missing(full)
            if len(data) > AWAY_BYTES:
                value, size = await asyncio.to_thread(_weighed, parse, full, data)
            else:
                value, size = _weighed(parse, full, data)
        except OperatorError:
            self.note_lost(name)
            raise
        self._keep(name, value, size)
        return value

    def _keep(self, name: str, value: object, size: int) -> None:
        self._kept[name] = (value, size)
        self._bytes += size
        while self._bytes > self._max_bytes and len(self._kept) > 1:
            _name, (_value, gone) = self._kept.popitem(last=False)
            self._bytes -= gone

    def _loaded(self, name: str, task: asyncio.Task[object]) -> None:
        del self._loading[name]
        if not task.cancelled():
            task.exception()  # whoever asked may have been cancelled: then nobody looks at it


def _weighed(parse: Callable[[str, bytes], Any], name: str, data: bytes) -> tuple[object, int]:
    value = parse(name, data)
    return value, memory(value)


def memory(value: object) -> int:
    """Bytes of memory that it takes: many small rows take several times their bytes."""
    size = getsizeof(value)
    if isinstance(value, bytes):
        return size
    if isinstance(value, dict):
        return size + sum(map(memory, value)) + sum(map(memory, value.values()))
    if isinstance(value, tuple | list):
        return size + sum(map(memory, value))
    if isinstance(value, Struct):
        return size + sum(memory(getattr(value, name)) for name in value.__struct_fields__)
    return size


def _slow(name: str) -> Unavailable:
    return Unavailable(
        "blobs_unreachable",
        f"the archived object {name} has not come yet",
        hint="it is being read; ask again",
    )
