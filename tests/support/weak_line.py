"""A weak line in a test: `benchmarks.weak_line` as a process, and what it has carried."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from saphan_schemas.frames import FromBroker, FromNode

from support.rooms import ROOT

_FROM = {
    "up": msgspec.msgpack.Decoder(FromNode),
    "down": msgspec.msgpack.Decoder(FromBroker),
}


class WeakLine:
    """A running relay; `url` is the broker's address for whoever goes through it."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, record: Path) -> None:
        self._process = process
        self._record = record
        self.url = url

    async def count(self) -> dict[str, int]:
        """Bytes that have arrived `up` and `down`, `cuts` and `connections` so far."""
        return await self._ask({"do": "count"})

    async def cut(self) -> None:
        """Reset every connection now."""
        await self._ask({"do": "cut"})

    async def quality(self, **changed: float) -> None:
        """Be different from now on (`benchmarks.weak_line.Quality`)."""
        await self._ask({"do": "quality", **changed})

    async def _ask(self, command: dict[str, Any]) -> dict[str, int]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        await self._process.stdin.drain()
        answer: dict[str, int] = json.loads(await self._process.stdout.readline())
        return answer

    def frames(self, way: str) -> Iterator[tuple[int, Any]]:
        """(connection, frame) of every message of sessions that arrived whole, in order."""
        for file in sorted(self._record.glob(f"*.{way}")):
            data = file.read_bytes()
            if b"\r\nSec-WebSocket-" not in data:
                continue
            for message in messages(data):
                yield int(file.stem), _FROM[way].decode(message)


def messages(data: bytes) -> Iterator[bytes]:
    """Binary WebSocket messages after the HTTP head; a cut one at the end is left out."""
    at = data.index(b"\r\n\r\n") + 4
    while at + 2 <= len(data):
        kind, length, masked = data[at] & 15, data[at + 1] & 127, data[at + 1] & 128
        at += 2
        if length >= 126:
            wide = 2 if length == 126 else 8
            length = int.from_bytes(data[at : at + wide])
            at += wide
        mask = data[at : at + 4] if masked else b""
        at += len(mask)
        body = data[at : at + length]
        at += length
        if len(body) < length:
            return
        if kind == 2:
            yield _unmasked(body, mask)


def _unmasked(body: bytes, mask: bytes) -> bytes:
    if not mask:
        return body
    long = mask * (len(body) // 4 + 1)
    whole = int.from_bytes(body) ^ int.from_bytes(long[: len(body)])
    return whole.to_bytes(len(body))


@asynccontextmanager
async def weak_line(url: str, record: Path, **quality: float) -> AsyncIterator[WeakLine]:
    """A line to the broker at `url`; what arrives through it is written below `record`.

    Args:
        quality: fields of `benchmarks.weak_line.Quality`; none: a perfect line.
    """
    await asyncio.to_thread(record.mkdir)
    address = urlsplit(url)
    words = [f"--{name.replace('_', '-')}={value}" for name, value in quality.items()]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.weak_line",
        f"{address.hostname}:{address.port}",
        *words,
        f"--record={record}",
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        ready = json.loads(await process.stdout.readline())
        yield WeakLine(process, ready["url"], record)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
