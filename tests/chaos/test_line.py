"""The proxy does to bytes what a schedule says; else a green round would say nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from chaos.line import DOWN, UP, Line, Weather


class Answering:
    """A server that keeps what it hears and says it back."""

    def __init__(self) -> None:
        self.heard = b""
        self.ended = self.open = 0
        self.callers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while data := await reader.read(65_536):
                self.heard += data
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            self.ended += 1
            self.open -= 1
            writer.close()


@asynccontextmanager
async def lined() -> AsyncIterator[tuple[Line, Answering]]:
    answering = Answering()
    server = await asyncio.start_server(answering.serve, "127.0.0.1", 0)
    line = Line("a>b", server.sockets[0].getsockname()[:2])
    await line.start()
    try:
        yield line, answering
    finally:
        for writer in answering.callers:
            writer.close()
        await line.stop()
        server.close()
        await until(lambda: answering.open == 0)
        await turn()


async def turn() -> None:
    """Let the event loop close what was closed: it does so in its next turns."""
    for _ in range(3):
        await asyncio.sleep(0)


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def call(line: Line, answering: Answering) -> Ends:
    reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
    answering.callers.append(writer)
    return reader, writer


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - nobody tells a test
            await asyncio.sleep(0.005)


async def test_a_perfect_line_carries_both_ways() -> None:
    async with lined() as (line, answering):
        reader, writer = await call(line, answering)
        writer.write(b"x" * 100_000)
        assert await reader.readexactly(100_000) == b"x" * 100_000
        assert answering.heard == b"x" * 100_000
        assert line.weather.struck == 0


async def test_a_cut_lets_half_a_message_through_and_ends_the_connection() -> None:
    async with lined() as (line, answering):
        line.be(Weather(cut_after=10))
        reader, writer = await call(line, answering)
        writer.write(bytes(range(100)))
        assert await reader.read() == b""
        await until(lambda: answering.ended == 1)
        assert answering.heard == bytes(range(50))
        assert line.weather.struck == 1
        again, writer = await call(line, answering)  # one cut, one connection
        writer.write(b"y" * 100)
        assert await again.readexactly(100) == b"y" * 100


async def test_what_is_repeated_arrives_twice() -> None:
    async with lined() as (line, answering):
        line.be(Weather(repeat_after=5))
        reader, writer = await call(line, answering)
        writer.write(b"0123456789")
        assert await reader.readexactly(20) == b"0123456789" * 2
        assert answering.heard == b"0123456789" * 2
        assert line.weather.struck == 1


@pytest.mark.parametrize("held", [frozenset({UP}), frozenset({DOWN}), frozenset({UP, DOWN})])
async def test_a_held_line_carries_nothing_that_way_and_everything_later(
    held: frozenset[str],
) -> None:
    async with lined() as (line, answering):
        weather = Weather(held=held)
        line.be(weather)
        reader, writer = await call(line, answering)
        writer.write(b"hello")
        if UP in held:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(until(lambda: answering.heard != b""), 0.2)
        else:
            await until(lambda: answering.heard == b"hello")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.2)
            reader, writer = await call(
                line, answering
            )  # a read that was given up is not asked again
            writer.write(b"hello")
        line.be(Weather())
        assert await reader.readexactly(5) == b"hello"
        assert weather.struck > 0


async def test_a_line_that_refuses_ends_what_is_open_and_opens_nothing() -> None:
    async with lined() as (line, answering):
        reader, writer = await call(line, answering)
        writer.write(b"a")
        await reader.readexactly(1)
        line.be(Weather(refuses=True))
        await line.reset()
        for each, _ in ((reader, writer), await call(line, answering)):
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await each.readexactly(1)
        assert answering.heard == b"a"
        assert line.weather.struck == 2  # the one that was open, and the one that was not opened


async def test_a_slow_line_takes_its_time() -> None:
    """The lower bound is what the line owes; no upper one is asked for."""
    async with lined() as (line, answering):
        for weather in (Weather(delay_s=0.1), Weather(bytes_per_s=10_000)):
            line.be(weather)
            reader, writer = await call(line, answering)
            begun = asyncio.get_running_loop().time()
            writer.write(b"z" * 1_000)
            await reader.readexactly(1_000)
            assert weather.struck > 0
            assert asyncio.get_running_loop().time() - begun >= 0.19
