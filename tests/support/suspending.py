"""Orders on the one agreement of a bridge, given by la.ospp as its people do."""

from __future__ import annotations

import asyncio
import os

from saphan.agreements.orders import Action, make_order
from saphan.keys.keyfiles import read_key
from saphan.node.service import NodeService
from saphan_protocol.agreement_order import sign_order
from saphan_schemas.records import Role

from support.bridge import LA, SECRET, Bridge, eventually


def order(bridge: Bridge, agency: str, agreement: bytes, action: Action, number: int) -> bytes:
    """A SignedOrder by the agency's root."""
    said = make_order(agreement, agency, action, number, bridge.clock(), "an exercise")
    root = read_key(bridge.offices[agency].root_key, Role.ROOT, SECRET).signing()
    return sign_order(said, [root], [os.urandom(32)], os.urandom(32))


def only(node: NodeService) -> bytes:
    """The agreement of la.ospp, where there is one."""
    (found,) = node.logs.directory.agreements_of(LA)
    return found.name


async def ordered(bridge: Bridge, node: NodeService, action: Action, number: int = 1) -> None:
    """LA's order, given to its own node as the command does, until the log shows it."""
    package = await asyncio.to_thread(order, bridge, LA, only(node), action, number)
    await node.watching.import_bound("order", package)
    await eventually(lambda: node.watching.bound.listed()[-1]["logged"])
