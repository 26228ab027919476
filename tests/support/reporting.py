"""A node's part in a succession, played by a test: it logs in, reports what it holds, or lies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec
from saphan_broker.state import State
from saphan_protocol.batch import sign_one
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import encode
from saphan_schemas.frames import Challenge, Closing, FromBroker, Login, session_context
from saphan_schemas.succession_frames import AskReport, AskSuccession, Report, Succession

from support.agency import Agency, Bytes

_decoder = msgspec.msgpack.Decoder(FromBroker)
_random = Bytes("reporting")


@dataclass
class Copy:
    """What a node holds of both logs: notes and the directory's leaves."""

    directory: bytes = b""
    evidence: bytes = b""
    leaves: list[bytes] = field(default_factory=list)


async def copy_of(state: State) -> Copy:
    """All that a broker shows now, as a node with everything holds it."""
    registry, evidence = state.registry.published, state.evidence.published
    assert registry is not None
    leaves = await state.store.leaves("directory", 0, registry.size)
    return Copy(registry.note, b"" if evidence is None else evidence.note, leaves)


@dataclass
class Reporter:
    """One agency's node.

    Args:
        key: the node key that signs; None: the agency's own.
        part: directory leaves in one message.
    """

    agency: Agency
    copy: Copy
    clock: Callable[[], int]
    key: SigningKey | None = None
    part: int = 1_000
    change: dict[str, Any] = field(default_factory=dict)
    """Fields of its login that are said otherwise."""

    async def report(self, url: str, frames: Sequence[bytes] | None = None) -> Closing:
        """From the challenge to the broker's last word.

        Args:
            frames: sent in the place of an honest report.
        """
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(f"{url}/v1/session", compress=0, max_msg_size=0) as ws,
        ):
            asked = _decoder.decode(await ws.receive_bytes())
            assert isinstance(asked, Challenge), asked
            await ws.send_bytes(encode(self.login(asked)))
            answer = _decoder.decode(await ws.receive_bytes())
            if isinstance(answer, Closing):
                return answer
            assert isinstance(answer, AskReport), answer
            for frame in self.frames(answer.start) if frames is None else frames:
                await ws.send_bytes(frame)
            closing = _decoder.decode(await ws.receive_bytes())
            assert isinstance(closing, Closing), closing
            return closing

    @asynccontextmanager
    async def silent(self, url: str) -> AsyncIterator[None]:
        """Log in, hear what is asked, and say nothing more for as long as the block lasts."""
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(f"{url}/v1/session", compress=0, max_msg_size=0) as ws,
        ):
            asked = _decoder.decode(await ws.receive_bytes())
            await ws.send_bytes(encode(self.login(asked)))
            assert isinstance(_decoder.decode(await ws.receive_bytes()), AskReport)
            yield

    async def begin(self, url: str, first: bytes) -> Closing:
        """Say something else in the place of the login."""
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(f"{url}/v1/session", compress=0, max_msg_size=0) as ws,
        ):
            await ws.receive_bytes()
            await ws.send_bytes(first)
            closing = _decoder.decode(await ws.receive_bytes())
            assert isinstance(closing, Closing), closing
            return closing

    async def ask_succession(self, url: str) -> Succession:
        """Ask how the log came to its number, and leave."""
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(f"{url}/v1/session", compress=0, max_msg_size=0) as ws,
        ):
            await ws.receive_bytes()
            await ws.send_bytes(encode(AskSuccession()))
            found = _decoder.decode(await ws.receive_bytes())
            assert isinstance(found, Succession), found
            return found

    def frames(self, start: int) -> list[bytes]:
        """An honest report of what is asked for."""
        leaves = self.copy.leaves[start:]
        parts = [leaves[at : at + self.part] for at in range(0, len(leaves), self.part)] or [[]]
        found = []
        for place, part in enumerate(parts):
            notes = (self.copy.directory, self.copy.evidence) if place == 0 else (b"", b"")
            last = place == len(parts) - 1
            found.append(encode(Report(*notes, start + place * self.part, tuple(part), last)))
        return found

    def login(self, asked: Challenge) -> Login:
        """A signed login that names no heads: reports say them."""
        key = self.agency.node if self.key is None else self.key
        nonce = _random()
        context = session_context(asked.evidence, asked.nonce, nonce, None, None)
        made = Login(
            agency=self.agency.name,
            key=key.key_id,
            nonce=nonce,
            heads=(),
            after=None,
            clock=self.clock(),
            tls=None,
            signature=sign_one(key, "saphan/session/1", encode(context), _random()),
        )
        return msgspec.structs.replace(made, **self.change)
