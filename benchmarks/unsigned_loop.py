"""Floor 3: an accept loop without signatures, `python -m benchmarks.unsigned_loop FOLDER`.

aiohttp WebSocket in, MessagePack, SHA-256 as the unique id, SQLite WAL with synchronous=FULL, one
commit for whatever has gathered, a 32-byte answer after the commit. The client's frames are built
beforehand and its answers only counted, so that nearly all of the time is the loop's own.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
from aiohttp import WSMsgType, web

from benchmarks import programs

BODY_BYTES: Final = 4096
CONNECTIONS: Final = 4
WINDOW: Final = 64
GROUP: Final = 256
ANSWER_BYTES: Final = 2 + 32
"""A WebSocket head and the id."""

Waiting = tuple[bytes, bytes, web.WebSocketResponse]


class Envelope(msgspec.Struct, array_like=True, frozen=True):
    """What arrives."""

    number: int
    body: bytes


class Loop:
    """Takes envelopes, commits what has gathered, answers."""

    def __init__(self, folder: Path) -> None:
        self._db = sqlite3.connect(
            folder / "loop.db", isolation_level=None, check_same_thread=False
        )
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(
            "CREATE TABLE kept (seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, body BLOB)"
        )
        self._waiting: asyncio.Queue[Waiting] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One connection."""
        ws = web.WebSocketResponse(compress=False, max_msg_size=1 << 20)
        await ws.prepare(request)
        decoder = msgspec.msgpack.Decoder(Envelope)
        async for message in ws:
            if message.type is WSMsgType.BINARY:
                envelope = decoder.decode(message.data)
                name = hashlib.sha256(message.data).digest()
                self._waiting.put_nowait((name, envelope.body, ws))
        return ws

    async def commit(self) -> None:
        """Commit groups and answer them, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            group = [await self._waiting.get()]
            while len(group) < GROUP and not self._waiting.empty():
                group.append(self._waiting.get_nowait())
            rows = [(name, body) for name, body, _ in group]
            await loop.run_in_executor(self._thread, self._write, rows)
            for name, _, ws in group:
                with contextlib.suppress(ConnectionError):  # the client has measured enough
                    await ws.send_bytes(name)

    def _write(self, rows: list[tuple[bytes, bytes]]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany("INSERT INTO kept (id, body) VALUES (?, ?)", rows)
        self._db.execute("COMMIT")


async def _serve(folder: Path) -> None:
    loop = Loop(folder)
    app = web.Application()
    app.router.add_get("/", loop.serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    print(json.dumps({"url": f"http://{host}:{port}"}), flush=True)
    await loop.commit()


# --- the client -----------------------------------------------------------------------------------


async def measure(folder: Path, seconds: float) -> float:
    """Envelopes accepted per second, over CONNECTIONS connections with WINDOW in flight each."""
    async with programs.started(
        "unsigned loop", folder / "loop.log", "benchmarks.unsigned_loop", folder
    ) as server:
        address = urlsplit((await server.hear())["url"])
        host, port = address.hostname or "", address.port or 0
        counts = await asyncio.gather(
            *(_connection(host, port, number, seconds) for number in range(CONNECTIONS))
        )
    for suffix in ("", "-wal", "-shm"):
        (folder / f"loop.db{suffix}").unlink(missing_ok=True)
    return sum(counts)


async def _connection(host: str, port: int, number: int, seconds: float) -> float:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        await _upgrade(reader, writer, host)
        prefix, body = number << 40, os.urandom(BODY_BYTES)
        sent, answered = 0, 0
        begin = time.perf_counter()
        while (now := time.perf_counter()) - begin < seconds:
            fresh = range(sent, answered + WINDOW)
            writer.write(b"".join(_frame(prefix + one, body) for one in fresh))
            sent = answered + WINDOW
            await reader.readexactly(ANSWER_BYTES)
            answered += 1
            while len(reader._buffer) >= ANSWER_BYTES:  # type: ignore[attr-defined]
                await reader.readexactly(ANSWER_BYTES)
                answered += 1
        return answered / (now - begin)
    finally:
        writer.close()


async def _upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
    key = base64.b64encode(os.urandom(16)).decode()
    lines = ("GET / HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade")
    last = (f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", "")
    writer.write("\r\n".join((*lines, *last)).encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    if not answer.startswith(b"HTTP/1.1 101"):
        raise RuntimeError(f"no WebSocket: {answer[:80]!r}")


def _frame(number: int, body: bytes) -> bytes:
    """A masked binary frame; the mask is zero, so that masking costs the client nothing."""
    payload = msgspec.msgpack.encode(Envelope(number, body))
    return b"\x82\xfe" + len(payload).to_bytes(2, "big") + bytes(4) + payload


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
