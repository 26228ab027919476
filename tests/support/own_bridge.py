"""An agency's own type on a whole bridge: who may send it, its registration, a bulletin in it."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from saphan.agreements.terms import RuleTerms
from saphan.compose import Wish
from saphan.node.api.schemas import register_schema
from saphan.node.service import NodeService
from saphan_protocol.registrations import sign_registration
from saphan_schemas.bodies import NAMES, digest_of
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import SchemaPackage, SchemaRegistration

from support.bridge import KH, LA, Bridge
from support.own_types import OWN, content
from support.roster import own_root


def rules() -> tuple[RuleTerms, ...]:
    """Everything both ways, the own type too."""
    return tuple(RuleTerms(sender, to, (*NAMES, OWN)) for sender, to in ((LA, KH), (KH, LA)))


def packaged(bridge: Bridge, data: bytes, name: str = OWN, whose: str = LA) -> bytes:
    """A SchemaPackage by the root of `whose`; blocking."""
    record = SchemaRegistration(name.split("/")[0], name, digest_of(data), bridge.clock())
    signed = sign_registration(record, [own_root(bridge, whose)], [os.urandom(32)])
    return encode(SchemaPackage(signed, data))


async def register(bridge: Bridge, node: NodeService, data: bytes) -> dict[str, Any]:
    """Register la.ospp's own type through its node."""
    package = await asyncio.to_thread(packaged, bridge, data)
    return await register_schema(node, package)


def report(to: str = KH, **body: Any) -> Wish:
    """A bulletin in the own type."""
    told = content(**body)
    return Wish(to=(to,), schema=OWN, about=told["about"], body=told["body"], exercise=True)


def has_it(node: NodeService) -> bool:
    """Whether the type can be used there."""
    return OWN in node.own.types
