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

from benchmarks.carried import frames
from support.rooms import ROOT


class WeakLine:
    """A running relay; `url` is the broker's address for whoever goes through it."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, record: Path) -> None:
        self._process = process
        self.record = record
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
        return frames(self.record, way)


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
