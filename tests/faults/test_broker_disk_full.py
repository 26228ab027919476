"""The disk of a running broker is full, and later it is not: nothing half-kept, nothing twice."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from saphan_schemas import messages
from saphan_schemas.errors import Unavailable
from saphan_schemas.frames import Result, Submission
from saphan_schemas.records import BatchSignature
from support.broker_process import broker_process
from support.brokers import World
from support.session import Line

A, B = "la.ospp", "kh.gpo"


@contextmanager
def no_room(pid: int, data: Path) -> Iterator[None]:
    """No file of the process may grow beyond the store's longest one, while the block lasts."""
    longest = max(path.stat().st_size for path in data.iterdir())
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (longest, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


async def submit(
    world: World, line: Line, url: str, items: tuple[Submission, ...], batch: BatchSignature
) -> tuple[Line, tuple[Result, ...]]:
    """Send until there is an answer: a session whose store had to be opened again ends without."""
    while True:
        with suppress(asyncio.CancelledError, ConnectionError):
            return line, await line.submit(items, batch)
        await line.close()
        fresh = Line(world.agencies[A], world.pins, world.clock, True)
        fresh.heads, fresh.after, fresh.leaves = line.heads, line.after, line.leaves
        line = fresh
        await line.connect(url)


async def test_a_broker_without_room_says_so_and_goes_on_when_there_is_some(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
    sender, recipient = world.agencies[A], world.agencies[B]

    def made(count: int) -> tuple[tuple[Submission, ...], BatchSignature]:
        bulletins = [sender.bulletin([B], world.clock()) for _ in range(count)]
        return sender.submissions(bulletins, [recipient])

    async with broker_process(world.data, world.keys) as broker:
        line = Line(sender, world.pins, world.clock, True)
        await line.connect(broker.url)
        line, results = await submit(world, line, broker.url, *made(2))
        last = results[-1].indices[0]
        items, batch = made(200)
        with no_room(broker.process.pid, world.data):
            line, results = await submit(world, line, broker.url, items, batch)
            for result in results:
                assert result.code in {"not_committed", "broker_stopped", "disk_full"}, result
                assert result.retry_after_ms > 0
                assert messages.error_hint(Unavailable(result.code, "", hint=result.hint))
                assert result.indices == ()
        assert broker.process.returncode is None
        line, results = await submit(world, line, broker.url, items, batch)
        while any(result.code is not None for result in results):  # it opens its store again
            assert {result.code for result in results} <= {None, "not_committed", "broker_stopped"}
            await asyncio.sleep(max(result.retry_after_ms for result in results) / 1000)
            line, results = await submit(world, line, broker.url, items, batch)
        assert [result.indices for result in results] == [(last + 1 + i,) for i in range(200)]
        into = Line(recipient, world.pins, world.clock, True)
        await into.connect(broker.url)
        await into.entry(last + 200)
        assert sorted(index for index in into.entries if index > last) == [
            last + 1 + i for i in range(200)
        ]
        await into.close()
        await line.close()
