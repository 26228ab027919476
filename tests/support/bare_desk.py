"""A desk without a node, and a node's listener that says to a desk whatever a test wants."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import WSMsgType, web
from saphan.desk.desk import Desk
from saphan.desk.folder import DeskId
from saphan.desk.line import DeskLine, connected
from saphan.desk.store import DeskStore, store_key
from saphan.desk.uptime import Uptime, system_uptime
from saphan.keys.keyfiles import SecretKey, new_key
from saphan.node.binding import bind
from saphan.node.desks.login import challenge
from saphan.node.desks.session import decode_desk_frame
from saphan.node.desks.tls import desk_tls
from saphan_schemas.codec import encode
from saphan_schemas.desk_frames import DeskAnswer, DeskLogin, DeskWelcome
from saphan_schemas.records import Role

from support.bridge import KH
from support.brokers import Clock

Says = Callable[[Any], object]
"""What the node answers to a question: a frame, a JSON value, or None for the end of the line."""


@contextmanager
def bare_desk(
    folder: Path, key: SecretKey | None = None, uptime: Uptime = system_uptime
) -> Iterator[Desk]:
    """A desk of kh.gpo's dao; its node is nowhere. Blocking."""
    key = key or new_key(Role.OFFICER, "dao")
    store = DeskStore(folder / "desk.db", store_key(key.seed, key.key_id))
    try:
        yield Desk(DeskId(agency=KH, handle="dao", address="127.0.0.1:1", tls=bytes(32)),
                   key.signing(), store, Clock(), None, uptime)  # fmt: skip
    finally:
        store.close()


@asynccontextmanager
async def told_by(desk: Desk, folder: Path, says: Says) -> AsyncIterator[DeskLine]:
    """The desk on the line of a node with the right key, which answers as `says` says."""
    async with node_that(desk, folder, says) as me, connected(me, desk.key, desk.clock) as line:
        yield line


@asynccontextmanager
async def node_that(desk: Desk, folder: Path, says: Says) -> AsyncIterator[DeskId]:
    """Such a node; gives what the desk has to know of it."""
    clock = desk.clock
    tls = await asyncio.to_thread(desk_tls, folder, "127.0.0.1", clock())

    async def serve(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.send_bytes(encode(challenge(KH, clock)))
        async for message in ws:
            assert message.type is WSMsgType.BINARY
            asked = decode_desk_frame(message.data)
            if isinstance(asked, DeskLogin):
                await ws.send_bytes(encode(DeskWelcome("dao", clock())))
                continue
            answer = says(asked)
            if answer is None:
                break
            if isinstance(answer, dict | list | str | int):
                answer = DeskAnswer(asked.request, msgspec.json.encode(answer))
            await ws.send_bytes(encode(answer))
        await ws.close()
        return ws

    app = web.Application()
    app.router.add_get("/v1/desk", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    try:
        host, port = await bind(runner, "127.0.0.1", 0, tls.context)
        yield replace(desk.me, address=f"{host}:{port}", tls=tls.facts.pin)
    finally:
        await runner.cleanup()


def row(seq: int, **fields: object) -> dict[str, Any]:
    """A row of the inbox, as a node lists it."""
    return {
        "seq": seq,
        "id": os.urandom(32).hex(),
        "author": "bounmy",
        "received": 1_790_000_000_000,
        "read": False,
        "sender": "la.ospp",
        "recipients": [KH],
        "schema": "saphan/case_statistics/1",
        "marking": {"tlp": "amber", "codes": []},
        "urgency": "routine",
        "exercise": True,
        "created": 1_790_000_000_000,
        "expires": 1_790_100_000_000,
        "answer_by": None,
        "retain_until": 21_000,
        **fields,
    }
