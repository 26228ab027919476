"""A TCP proxy between two parties that does what networks do, and some of what they should not.

It drops, delays, slows down, holds back in one direction or both, ends a connection in the middle
of a message, and carries bytes a second time.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Final

CHUNK: Final = 4096
KEPT: Final = 65_536
"""Bytes of a direction that are remembered, to be carried again."""
UP: Final = "up"
"""From who calls to who is called; the other way is `DOWN`."""
DOWN: Final = "down"


@dataclass
class Weather:
    """How the line is now; the default is a perfect one.

    Attributes:
        refuses: whether connections are reset, and new ones too.
        held: directions in which nothing passes; what was sent waits, as in the kernel's buffers.
        delay_s: for every piece.
        bytes_per_s: 0: as fast as it goes.
        cut_after: bytes of either direction after which a connection ends, once; None: never.
        repeat_after: bytes of either direction after which what has passed is carried again, once.
        struck: how often it was felt: pieces, connections.
    """

    refuses: bool = False
    held: frozenset[str] = frozenset()
    delay_s: float = 0.0
    bytes_per_s: int = 0
    cut_after: int | None = None
    repeat_after: int | None = None
    struck: int = field(default=0, compare=False)

    @property
    def slow(self) -> bool:
        """Whether every piece waits."""
        return bool(self.delay_s or self.bytes_per_s)


@dataclass
class Line:
    """One line; `port` is where the caller calls, `target` (host, port) who answers."""

    name: str
    target: tuple[str, int] | None = None
    port: int = 0
    connections: int = 0
    carried: int = 0
    weather: Weather = field(default_factory=Weather)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _open: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on a free port of the loopback."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no longer, and end what is open."""
        if self._server is not None:
            self._server.close()
        await self.reset()

    def be(self, weather: Weather) -> None:
        """From now on."""
        self.weather = weather
        self._changed.set()
        self._changed = asyncio.Event()

    async def reset(self) -> None:
        """End every connection now."""
        tasks = list(self._open)
        self.weather.struck += len(tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, near: asyncio.StreamReader, to_near: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.connections += 1
        ends = [to_near]
        try:
            if self.weather.refuses or self.target is None:
                self.weather.struck += 1
                return
            far, to_far = await asyncio.open_connection(*self.target)
            ends.append(to_far)
            ways = [
                asyncio.create_task(self._carry(UP, near, to_far)),
                asyncio.create_task(self._carry(DOWN, far, to_near)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            return  # the other side is not there, or the line is reset: the connection is gone
        finally:
            self._open.discard(task)
            for end in ends:
                end.transport.abort()

    async def _carry(
        self, way: str, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        passed, kept = 0, b""
        with contextlib.suppress(OSError):
            while data := await source.read(CHUNK):
                while way in self.weather.held:
                    self.weather.struck += 1
                    await self._changed.wait()
                now = self.weather
                now.struck += now.slow
                await asyncio.sleep(
                    now.delay_s + (len(data) / now.bytes_per_s if now.bytes_per_s else 0)
                )
                passed += len(data)
                self.carried += len(data)
                kept = (kept + data)[-KEPT:]
                if now.cut_after is not None and passed > now.cut_after:
                    now.cut_after = None
                    now.struck += 1
                    half = data[: len(data) // 2]
                    sink.write(half)
                    await sink.drain()
                    return
                sink.write(data)
                if now.repeat_after is not None and passed > now.repeat_after:
                    now.repeat_after = None
                    now.struck += 1
                    sink.write(kept)
                await sink.drain()
