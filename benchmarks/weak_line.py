"""A weak line as a process of its own: `python -m benchmarks.weak_line HOST:PORT --rate 64000 ...`.

A TCP relay on a port of its own that passes segments on as such a line would. All connections
share the rate of each direction. A segment arrives after its own time on the line and the delay; a
lost one is sent again after a round trip and 200 ms, takes its room on the line again, and what
follows it on its connection waits for it, as TCP makes it wait. A connection begins with the round
trip of its handshake. A cut resets every connection and loses what is on its way; for a while
nobody gets through.

The first line of the output is {"url": ...}. Commands on standard input, one JSON object a line,
one answer each: {"do": "count"}, {"do": "cut"}, {"do": "quality", "rate": ..., ...}.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

SEGMENT: Final = 1_400
RETRANSMIT_S: Final = 0.2
"""Least patience of a sender's TCP beyond the round trip."""
BUFFER: Final = 32 * 1024
"""Bytes of one connection and direction that have left their sender and wait or are on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What a line is like.

    Attributes:
        rate: bits a second in each direction; 0: no bound.
        delay: seconds one way.
        loss: share of segments lost.
        cut: seconds between cuts; 0: none.
        cut_bytes: the line is cut whenever so many bytes more have arrived, both ways together;
            0: never. What a cut hits is then the same on every machine.
        down: seconds after a cut in which nobody gets through.
    """

    rate: float = 0.0
    delay: float = 0.0
    loss: float = 0.0
    cut: float = 0.0
    cut_bytes: int = 0
    down: float = 0.0


@dataclass(slots=True)
class Way:
    """One direction of the line; `free_at` is of the loop's clock."""

    entered: int = 0
    arrived: int = 0
    free_at: float = 0.0

    def arrival(self, size: int, quality: Quality, now: float, lose: Callable[[], float]) -> float:
        """When a segment that enters now is there."""
        took = size * 8 / quality.rate if quality.rate else 0.0
        self.free_at = max(self.free_at, now) + took
        at = self.free_at + quality.delay
        while lose() < quality.loss:
            # The other segments use the line until the sender has noticed.
            self.free_at += took
            at += 2 * quality.delay + RETRANSMIT_S + took
        return at


@dataclass(slots=True)
class Line:
    """The relay: its quality, both ways, and the connections that are open."""

    to: tuple[str, int]
    quality: Quality
    lose: Callable[[], float]
    record: Path | None = None
    up: Way = field(default_factory=Way)
    down: Way = field(default_factory=Way)
    cuts: int = 0
    connections: int = 0
    _open: set[_Connection] = field(default_factory=set)
    _up_at: float = 0.0
    _cut_at: int = 0

    def count(self) -> dict[str, int]:
        """Bytes that entered and that arrived in each direction, cuts and connections so far."""
        return {
            "up": self.up.arrived,
            "down": self.down.arrived,
            "up_entered": self.up.entered,
            "down_entered": self.down.entered,
            "cuts": self.cuts,
            "connections": self.connections,
        }

    def cut(self) -> None:
        """Reset every connection; what is on its way is lost."""
        now = asyncio.get_running_loop().time()
        self.cuts += 1
        self._up_at = now + self.quality.down
        self.up.free_at = self.down.free_at = 0.0
        self._cut_at = self.up.arrived + self.down.arrived + self.quality.cut_bytes
        for connection in list(self._open):
            connection.reset()

    def arrived(self) -> None:
        """Something has just arrived: cut if it is time by its count."""
        if self.quality.cut_bytes and self.up.arrived + self.down.arrived >= self._cut_at:
            self.cut()

    async def cut_by_time(self) -> None:
        """Cut again and again as the quality says."""
        while True:
            quality = self.quality
            await asyncio.sleep(quality.cut or 0.05)
            if quality.cut and quality is self.quality:
                self.cut()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection through the line, until either end closes it or a cut does."""
        if asyncio.get_running_loop().time() < self._up_at:
            writer.transport.abort()
            return
        self.connections += 1
        connection = _Connection(self, self.connections, reader, writer)
        self._open.add(connection)
        try:
            await connection.run()
        finally:
            self._open.discard(connection)

    def again(self, quality: Quality) -> None:
        """Be like that from now on; cuts by bytes are counted from here."""
        self.quality = quality
        self._cut_at = self.up.arrived + self.down.arrived + quality.cut_bytes


class _Connection:
    def __init__(
        self, line: Line, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._line = line
        self._number = number
        self._reader = reader
        self._writers = [writer]
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        line, quality = self._line, self._line.quality
        try:
            there, back = await asyncio.open_connection(*line.to)
        except OSError:
            self.reset()
            return
        self._writers.append(back)
        ready = asyncio.get_running_loop().time() + 2 * quality.delay
        self._tasks = [
            asyncio.create_task(self._way(self._reader, back, line.up, "up", ready)),
            asyncio.create_task(self._way(there, self._writers[0], line.down, "down", ready)),
        ]
        await asyncio.wait(self._tasks)
        for writer in self._writers:
            writer.close()

    def reset(self) -> None:
        """As if the cable were pulled: both ends hear of it at once, and nothing more arrives."""
        for task in self._tasks:
            task.cancel()
        for writer in self._writers:
            writer.transport.abort()

    async def _way(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        way: Way,
        name: str,
        ready: float,
    ) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(BUFFER // SEGMENT)
        arriving = asyncio.create_task(self._arrive(queue, writer, way, name))
        loop, line = asyncio.get_running_loop(), self._line
        last = ready
        try:
            while data := await reader.read(SEGMENT):
                way.entered += len(data)
                at = way.arrival(len(data), line.quality, max(loop.time(), ready), line.lose)
                last = max(last, at)
                await queue.put((last, data))
            await queue.put((last, b""))
            await arriving
        except ConnectionError:
            self.reset()
        finally:
            arriving.cancel()

    async def _arrive(
        self,
        queue: asyncio.Queue[tuple[float, bytes]],
        writer: asyncio.StreamWriter,
        way: Way,
        name: str,
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            at, data = await queue.get()
            if (wait := at - loop.time()) > 0:
                await asyncio.sleep(wait)
            try:
                if not data:
                    writer.write_eof()
                    return
                writer.write(data)
                self._note(name, data)
                way.arrived += len(data)
                self._line.arrived()
                await writer.drain()
            except (OSError, RuntimeError):
                self.reset()
                return

    def _note(self, name: str, data: bytes) -> None:
        if self._line.record is not None:
            with (self._line.record / f"{self._number:04d}.{name}").open("ab") as file:
                file.write(data)


async def serve(line: Line) -> None:
    """Relay until the commands end."""
    server = await asyncio.start_server(line.connected, sock=_listening())
    cutting = asyncio.create_task(line.cut_by_time())
    async with server:
        host, port = server.sockets[0].getsockname()[:2]
        print(json.dumps({"url": f"http://{host}:{port}"}), flush=True)
        loop = asyncio.get_running_loop()
        while words := await loop.run_in_executor(None, sys.stdin.readline):
            print(json.dumps(_obey(line, json.loads(words))), flush=True)
        cutting.cancel()
        line.cut()


def _listening() -> socket.socket:
    """Small buffers: what a sender's kernel has handed over here is on the line already."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024)
    sock.bind(("127.0.0.1", 0))
    return sock


def _obey(line: Line, command: dict[str, Any]) -> dict[str, int]:
    what = command.pop("do")
    if what == "cut":
        line.cut()
    elif what == "quality":
        line.again(replace(line.quality, **command))
    return line.count()


def words_of(quality: Quality) -> list[str]:
    """The options that make a line like this."""
    return [
        word
        for name, value in asdict(quality).items()
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]


def main() -> None:
    """Parse options and relay."""
    parser = argparse.ArgumentParser(prog="weak_line", description="a weak line to HOST:PORT")
    parser.add_argument("to", metavar="HOST:PORT")
    for name, value in asdict(Quality()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    parser.add_argument("--seed", type=int, default=1, help="of the losses")
    parser.add_argument("--record", type=Path, help="folder for what arrived, a file each way")
    args = parser.parse_args()
    host, _, port = args.to.rpartition(":")
    quality = Quality(**{name: getattr(args, name) for name in asdict(Quality())})
    lose = random.Random(args.seed).random
    line = Line((host, int(port)), quality, lose, args.record)
    line.again(quality)
    asyncio.run(serve(line))


if __name__ == "__main__":
    main()
