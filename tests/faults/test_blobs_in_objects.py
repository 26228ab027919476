"""Attachments in objects when a process ends, or is stopped for hours, between any two requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from hashlib import sha256
from typing import TypeVar

import pytest
from obstore.store import MemoryStore
from saphan_broker.blobs import object_staging
from saphan_broker.blobs.base import ORPHAN_MS
from saphan_broker.blobs.in_objects import ObjectAttachments
from saphan_broker.objects.base import Found, Objects
from saphan_broker.objects.remote import RemoteObjects
from saphan_schemas.errors import Unavailable
from saphan_schemas.limits import KIB
from saphan_schemas.records import Blob

T = TypeVar("T")

AGENCY, ID = "la.ospp", b"\xab" * 32
DATA = tuple(bytes([at]) * (10 * KIB + at) for at in range(2))
BLOBS = tuple(Blob(len(data), sha256(data).digest()) for data in DATA)
PART = 4 * KIB


class Crash(BaseException):
    """The process ends here."""


class Steps:
    """Objects whose every request can be a last one, or one before a long pause.

    Args:
        at: number of the request, from 1, after which `then` happens; before the next one.
    """

    def __init__(self, objects: Objects, at: int, then: Callable[[], Awaitable[None]]) -> None:
        self._objects = objects
        self._at = at
        self._then = then
        self.count = 0

    async def _step(self, call: Callable[[], Awaitable[T]]) -> T:
        self.count += 1
        at = self.count
        found = await call()
        if at == self._at:
            await self._then()
        return found

    async def put(self, name: str, data: bytes) -> None:
        await self._step(lambda: self._objects.put(name, data))

    async def put_parts(self, name: str, parts: AsyncIterator[bytes]) -> None:
        await self._step(lambda: self._objects.put_parts(name, parts))

    async def copy(self, source: str, target: str) -> bool:
        return await self._step(lambda: self._objects.copy(source, target))

    async def get(self, name: str) -> bytes | None:
        return await self._step(lambda: self._objects.get(name))

    async def get_range(self, name: str, offset: int, length: int) -> bytes | None:
        return await self._step(lambda: self._objects.get_range(name, offset, length))

    async def size(self, name: str) -> int | None:
        return await self._step(lambda: self._objects.size(name))

    async def exists(self, name: str) -> bool:
        return await self._step(lambda: self._objects.exists(name))

    async def delete(self, name: str) -> None:
        await self._step(lambda: self._objects.delete(name))

    async def list(self, prefix: str) -> AsyncIterator[Found]:
        for found in await self._step(lambda: self._listed(prefix)):
            yield found

    async def _listed(self, prefix: str) -> Sequence[Found]:
        return [found async for found in self._objects.list(prefix)]

    async def close(self) -> None:
        await self._objects.close()


class Story:
    """One bulletin and its attachments, over restarts and through several processes."""

    def __init__(self) -> None:
        self.objects = RemoteObjects(MemoryStore(), "the memory")
        self.ahead = 0
        self.logged = False

    def clock(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead

    def process(self, objects: Objects | None = None) -> ObjectAttachments:
        return ObjectAttachments(objects or self.objects, self.clock)

    async def carry(self, store: ObjectAttachments) -> None:
        """What a node brings about, until the bulletin is logged and forgotten."""
        for _ in range(4):
            for blob, data in zip(BLOBS, DATA, strict=True):
                (held,) = await store.held(AGENCY, (blob,))
                while held < blob.length:
                    held = await store.append(AGENCY, blob, held, data[held : held + PART])
            try:
                await store.settle(AGENCY, ID, BLOBS)
                break
            except Unavailable as error:
                if error.code != "attachment_missing":
                    raise
        else:
            raise AssertionError("it never settles")
        self.logged = True
        await store.forget(AGENCY, ID, BLOBS)

    async def sweep(self, store: ObjectAttachments) -> None:
        async def known(bulletins: list[bytes]) -> Collection[bytes]:
            return bulletins if self.logged else ()

        await store.sweep(known)

    async def check(self) -> None:
        store = self.process()
        for at, data in enumerate(DATA):
            assert await store.read(ID, at, 0, 10**6) == data


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_staging, "CHUNK_BYTES", PART)


async def crash() -> None:
    raise Crash


async def test_a_crash_after_any_request_loses_nothing() -> None:
    at, count = 0, 0
    while count >= at:
        at += 1
        story = Story()
        steps = Steps(story.objects, at, crash)
        try:
            await story.carry(story.process(steps))
        except Crash:
            if story.logged:
                await story.check()
        count = steps.count
        await story.carry(story.process())
        await story.check()
        # What a process left behind that ended after the commit goes with the next look.
        story.ahead = 2 * ORPHAN_MS
        await story.sweep(story.process())
        await story.check()
        names = [found.name async for found in story.objects.list("")]
        assert not [name for name in names if name.startswith("unlogged")]
    assert at > 30


@pytest.mark.parametrize("pause", [0, 3 * ORPHAN_MS], ids=["none", "hours"])
async def test_a_process_that_stops_after_any_request_takes_nothing_from_another(
    pause: int,
) -> None:
    """Meanwhile the node goes to another process, and the one that sequences sweeps."""
    at, count = 0, 0
    while count >= at:
        at += 1
        story = Story()

        async def others(story: Story = story) -> None:
            story.ahead += pause
            await story.sweep(story.process())
            await story.carry(story.process())
            await story.sweep(story.process())

        steps = Steps(story.objects, at, others)
        await story.carry(story.process(steps))
        count = steps.count
        await story.check()
        story.ahead += 2 * ORPHAN_MS
        await story.sweep(story.process())
        await story.check()
    assert at > 30


@pytest.mark.parametrize("hours", [0, 5])
async def test_a_sweep_that_stops_after_any_request_takes_nothing_that_was_logged_meanwhile(
    hours: int,
) -> None:
    """An orphan of yesterday comes again while a sweep is stopped; then the sweep goes on."""
    at, count = 0, 0
    while count >= at:
        at += 1
        story = Story()
        first = story.process()
        for blob, data in zip(BLOBS, DATA, strict=True):
            await first.append(AGENCY, blob, 0, data)
        await first.settle(AGENCY, ID, BLOBS)  # and refused
        story.ahead = 24 * ORPHAN_MS

        async def others(story: Story = story) -> None:
            story.ahead += hours * ORPHAN_MS
            await story.carry(story.process())

        steps = Steps(story.objects, at, others)
        await story.sweep(story.process(steps))
        count = steps.count
        if story.logged:
            await story.check()
            await story.sweep(story.process())
            await story.check()
    assert at > 4


async def test_both_at_once_at_every_pace() -> None:
    """Two processes whose requests take turns in many ways."""
    for seed in range(20):
        story = Story()

        def paced(factor: int, seed: int = seed, story: Story = story) -> Objects:
            return _Paced(story.objects, seed * factor)

        await asyncio.gather(
            story.carry(story.process(paced(7))), story.carry(story.process(paced(13)))
        )
        await story.check()


class _Paced(Steps):
    """Gives way to the other process now and then."""

    def __init__(self, objects: Objects, seed: int) -> None:
        super().__init__(objects, 0, crash)
        self._seed = seed

    async def _step(self, call: Callable[[], Awaitable[T]]) -> T:
        self._seed = (self._seed * 1_103_515_245 + 12_345) % 2**31
        for _ in range(self._seed >> 28):
            await asyncio.sleep(0)
        return await super()._step(call)
