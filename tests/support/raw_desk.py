"""A desk's line without a desk: whatever a test says goes over it."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from saphan_schemas.codec import decode, encode
from saphan_schemas.desk_frames import DeskChallenge, DeskClosing, DeskWelcome
from saphan_schemas.errors import Unavailable


@dataclass
class RawDesk:
    """An open WebSocket; `tls` is the SHA-256 of the certificate at the other end."""

    ws: aiohttp.ClientWebSocketResponse
    tls: bytes

    async def challenge(self) -> DeskChallenge:
        return decode(DeskChallenge, await self._take(), 4096, "challenge")

    async def welcome(self) -> DeskWelcome:
        return decode(DeskWelcome, await self._take(), 4096, "welcome")

    async def closing(self) -> DeskClosing:
        return decode(DeskClosing, await self._take(), 16_384, "closing")

    async def say(self, frame: object) -> None:
        await self.send(encode(frame))

    async def send(self, data: bytes) -> None:
        await self.ws.send_bytes(data)

    async def text(self, words: str) -> None:
        await self.ws.send_str(words)

    async def _take(self) -> bytes:
        message = await self.ws.receive(timeout=20)
        if message.type is not aiohttp.WSMsgType.BINARY:
            raise Unavailable("line_down", f"the line ended: {message.type.name}")
        data: bytes = message.data
        return data


@asynccontextmanager
async def raw_desk(address: str) -> AsyncIterator[RawDesk]:
    """A connection that trusts whoever answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"https://{address}/v1/desk", ssl=context) as ws,
    ):
        found = ws.get_extra_info("ssl_object")
        assert isinstance(found, ssl.SSLObject)
        der = found.getpeercert(binary_form=True)
        assert der is not None
        yield RawDesk(ws, hashlib.sha256(der).digest())
