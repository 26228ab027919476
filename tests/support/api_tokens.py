"""Callers of a node's local API: the keeper, systems and officers, each with their own token."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from saphan.compose import INNER_TYPE, Wish, compose
from saphan.corridors import Allowed
from saphan.keys.keyfiles import read_key
from saphan.node.service import NodeService
from saphan.node.token_kept import Wanted
from saphan_protocol.batch import sign_one
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import encode
from saphan_schemas.records import OfficerRead, Role

from support import officers
from support.bridge import SECRET, Bridge

Answer = tuple[int, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Asking:
    """Requests of one token at one node."""

    http: aiohttp.ClientSession
    token: str

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """Status and JSON of an answer; {} where there is none."""
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        async with self.http.request(method, path, headers=headers, **options) as answer:
            if answer.content_type != "application/json":
                return answer.status, {}
            return answer.status, await answer.json()

    async def code(self, method: str, path: str, **options: Any) -> object:
        """Code of the error that is answered, or the status of success."""
        status, value = await self.ask(method, path, **options)
        return value.get("code", status)


@asynccontextmanager
async def http_to(node: NodeService) -> AsyncIterator[aiohttp.ClientSession]:
    """The node's Unix socket."""
    connector = aiohttp.UnixConnector(str(node.config.socket))
    async with aiohttp.ClientSession("http://node", connector=connector) as http:
        yield http


async def keeper(http: aiohttp.ClientSession, node: NodeService) -> Asking:
    """Whoever holds node/api.token."""
    token = await asyncio.to_thread(node.config.token_file.read_text)
    return Asking(http, token.strip())


async def holder(http: aiohttp.ClientSession, node: NodeService, wanted: Wanted) -> Asking:
    """Whoever holds a new token."""
    token, _ = await asyncio.to_thread(node.tokens.add, wanted)
    return Asking(http, token)


@dataclass(frozen=True, slots=True)
class Pen:
    """An officer's key beside their token."""

    bridge: Bridge
    agency: str
    handle: str

    @property
    def key(self) -> SigningKey:
        """From its file; blocking."""
        path = self.bridge.offices[self.agency].key_file(Role.OFFICER, b"", self.handle)
        return read_key(path, Role.OFFICER, SECRET).signing()

    async def reading(self, bulletin: str) -> dict[str, str]:
        """The signed reading of a bulletin."""
        key = await asyncio.to_thread(lambda: self.key)
        now = self.bridge.node_clock()
        record = encode(
            OfficerRead(bytes.fromhex(bulletin), self.agency, self.handle, key.key_id, now)
        )
        signature = encode(sign_one(key, "saphan/officer_read/1", record, os.urandom(32)))
        return {"record": officers.text(record), "signature": officers.text(signature)}

    async def signed(self, wish: Wish, author: str | None = None) -> dict[str, str]:
        """A bulletin, signed; `author`: another handle that its inner names."""
        key = await asyncio.to_thread(lambda: self.key)
        now, within = self.bridge.node_clock(), Allowed(365)  # a year is agreed everywhere here
        draft = compose(wish, sender=self.agency, now=now, nonce=os.urandom(16), allowed=within)
        inner = draft.inner(author or self.handle, key.key_id)
        parts = {
            "header": draft.header_bytes,
            "inner": inner,
            "signature": encode(sign_one(key, INNER_TYPE, inner, os.urandom(32))),
            "content": draft.content,
        }
        return {name: officers.text(part) for name, part in parts.items()}


async def another_officer(bridge: Bridge, node: NodeService, handle: str) -> Pen:
    """One more officer of the node's agency, enrolled and known to it."""
    await officers.enrolled(bridge, node, handle)
    return Pen(bridge, node.agency, handle)


async def officer_leaves(pen: Pen, node: NodeService) -> None:
    """Their key is revoked, and the node has heard of it."""
    key = await asyncio.to_thread(lambda: pen.key)
    await officers.leaves(pen.bridge, node, key.key_id)
