"""What officers sign, as their programs do it, and what somebody signs in their place."""

from __future__ import annotations

import asyncio
import base64
import os
from typing import Any

from saphan.compose import INNER_TYPE, Wish, compose
from saphan.corridors import Allowed
from saphan.node.service import NodeService
from saphan_protocol.batch import sign_one
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import encode
from saphan_schemas.records import PAE_TYPES, OfficerRead

from support.bridge import OFFICERS, Bridge, wish

READ_TYPE = PAE_TYPES[OfficerRead]


def letter(
    bridge: Bridge,
    agency: str,
    to: str,
    *,
    key: SigningKey | None = None,
    handle: str | None = None,
    written: Wish | None = None,
) -> dict[str, str]:
    """An officer's signed bulletin as it is handed to the node's API; blocking.

    Args:
        key, handle: of the agency's first officer, unless told.
    """
    signer = bridge.officer(agency) if key is None else key
    named = OFFICERS[agency] if handle is None else handle
    draft = compose(
        wish(to) if written is None else written,
        sender=agency,
        now=bridge.node_clock(),
        nonce=os.urandom(16),
        allowed=Allowed(30),
    )
    inner = draft.inner(named, signer.key_id)
    parts = {
        "header": draft.header_bytes,
        "inner": inner,
        "signature": encode(sign_one(signer, INNER_TYPE, inner, os.urandom(32))),
        "content": draft.content,
    }
    return {name: base64.b64encode(part).decode() for name, part in parts.items()}


def reading(
    bridge: Bridge, agency: str, bulletin: bytes, *, key: SigningKey | None = None, **fields: Any
) -> tuple[bytes, bytes]:
    """(record, signature) of an officer who reads; `fields` replace what the record says."""
    signer = bridge.officer(agency) if key is None else key
    given: dict[str, Any] = {
        "bulletin": bulletin,
        "agency": agency,
        "handle": OFFICERS[agency],
        "key": signer.key_id,
        "time": bridge.node_clock(),
    }
    record = encode(OfficerRead(**(given | fields)))
    return record, encode(sign_one(signer, READ_TYPE, record, os.urandom(32)))


async def read(node: NodeService, bridge: Bridge, agency: str, bulletin: bytes) -> dict[str, Any]:
    """The content, for the agency's first officer."""
    return await node.read(bulletin, *await asyncio.to_thread(reading, bridge, agency, bulletin))
