"""More officers of an agency whose node runs, and what each of them signs."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
from dataclasses import dataclass
from typing import Any

from saphan.compose import INNER_TYPE, Attached, Wish, compose
from saphan.keyring import add_key, revoke_key
from saphan.keys.keyfiles import read_key
from saphan.node.api.requests import SignedBody, prepare_signed
from saphan.node.policy.settings import SETTINGS_NAME
from saphan.node.prepared import Prepared, Waiting
from saphan.node.service import NodeService
from saphan.second_signature import Exact, Signer, exact_of
from saphan_protocol.batch import sign_one
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import encode
from saphan_schemas.records import Blob, Role, Signature

from support.bridge import CHEAP, SECRET, Bridge, eventually

Json = dict[str, Any]


@dataclass
class Person:
    """An officer with their key, at their agency's node."""

    bridge: Bridge
    node: NodeService
    handle: str
    key: SigningKey

    @property
    def signer(self) -> Signer:
        return Signer(self.node.agency, self.handle, self.key, self.bridge.node_clock())

    def prepare(self, wish: Wish) -> Prepared:
        """The bulletin that they have written and signed, as the node takes it."""
        now = self.bridge.node_clock()
        allowed = self.node.outbox.allowed(wish.to, wish.schema, now)
        draft = compose(
            self.node.uploads.measured(wish), sender=self.node.agency, now=now,
            nonce=os.urandom(16), allowed=allowed,
        )  # fmt: skip
        inner = draft.inner(self.handle, self.key.key_id)
        signature = encode(sign_one(self.key, INNER_TYPE, inner, os.urandom(32)))
        body = SignedBody(
            *(text(one) for one in (draft.header_bytes, inner, signature, draft.content))
        )
        with self.node.logs.lock:
            return prepare_signed(
                body, self.node.agency, self.node.logs.directory, self.node.own.types
            )

    async def send(self, wish: Wish) -> bytes:
        """Send it; the bulletin's id."""
        outcome = await self.node.send_signed(self.prepare(wish))
        assert isinstance(outcome, bytes), outcome
        return outcome

    async def write(self, wish: Wish) -> bytes:
        """Send it; the id under which it waits for a second officer."""
        outcome = await self.node.send_signed(self.prepare(wish))
        assert isinstance(outcome, Waiting), outcome
        return outcome.draft

    async def read(self, bulletin: bytes) -> Json:
        record, signature = self.signer.reading(bulletin)
        return await self.node.read(bulletin, record, encode(signature))

    async def listed(self) -> list[Json]:
        """What waits, as far as it concerns them."""
        return await self.node.second.listed(self.handle)

    async def open(self, draft: bytes) -> Exact:
        record, signature = self.signer.reading(draft)
        answer = await self.node.second.read(draft, record, encode(signature))
        return exact_of(json.loads(json.dumps(answer)), draft)

    async def sign(self, draft: bytes, signature: Signature | None = None) -> bytes:
        """Open it and sign it second."""
        exact = await self.open(draft)
        signed = signature or self.signer.second(exact)
        return await self.node.second.sign(draft, encode(signed))

    async def refuse(self, draft: bytes, reason: str | None = None) -> str:
        record, signature = self.signer.refusal(draft, reason)
        return await self.node.second.refuse(draft, record, encode(signature))

    async def leave(self) -> None:
        """Their key is revoked, and their node knows."""
        await leaves(self.bridge, self.node, self.key.key_id)


async def leaves(bridge: Bridge, node: NodeService, key: bytes) -> None:
    """An officer's key is revoked, and their node knows."""
    office, now = bridge.offices[node.agency], bridge.clock()
    made = await asyncio.to_thread(lambda: revoke_key(office, key, SECRET, now=now))
    await submit(node, await asyncio.to_thread(made.operation.read_bytes))
    await eventually(lambda: _revoked(node, key))


async def first(bridge: Bridge, node: NodeService, handle: str) -> Person:
    """The officer who was enrolled with the agency."""
    key = await asyncio.to_thread(bridge.officer, node.agency)
    return Person(bridge, node, handle, key)


async def enrolled(bridge: Bridge, node: NodeService, handle: str) -> Person:
    """`saphan keys add officer` and `saphan keys submit`; of a known handle it is one more key."""
    office, now = bridge.offices[node.agency], bridge.clock()

    def make() -> tuple[bytes, SigningKey]:
        made = add_key(
            office, Role.OFFICER, SECRET, now=now, handle=handle, passphrase=SECRET, cost=CHEAP
        )
        assert made.key_file is not None
        return made.operation.read_bytes(), read_key(made.key_file, Role.OFFICER, SECRET).signing()

    operation, key = await asyncio.to_thread(make)
    await submit(node, operation)
    await eventually(lambda: node.logs.directory.find(key.key_id))
    return Person(bridge, node, handle, key)


async def settings(bridge: Bridge, node: NodeService, **found: Any) -> None:
    """The keeper writes node/settings.json and tells the node."""
    path = bridge.offices[node.agency].node / SETTINGS_NAME
    text = json.dumps({"saphan": "settings/1"} | found)

    def write() -> None:
        path.write_text(text)
        path.chmod(0o600)

    await asyncio.to_thread(write)
    await node.reread_settings()
    assert not [one for one in node.alarms.standing() if one.code.startswith("settings")]


async def submit(node: NodeService, operation: bytes) -> None:
    """Register an operation over the node's line."""
    result = await node.line.register(operation, None)
    assert result.code is None, result


def _revoked(node: NodeService, key: bytes) -> bool:
    info = node.logs.directory.find(key)
    return info is not None and info.revoked is not None


def file(name: str, data: bytes) -> Attached:
    """A PDF to attach."""
    blob = Blob(len(data), hashlib.sha256(data).digest())
    return Attached(name=name, media_type="application/pdf", role="other", blob=blob)


def text(data: bytes) -> str:
    """Base64, as the local API wants it."""
    return base64.b64encode(data).decode()
