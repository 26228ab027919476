"""Bulletins of one thread, sent as case systems send them."""

from __future__ import annotations

import json
from typing import Any

from saphan.compose import Wish, parse_wish
from saphan.node.service import NodeService
from saphan_schemas import samples

from support.bridge import Bridge, eventually, states

HOUR_MS = 60 * 60_000
Json = dict[str, Any]


def letter(name: str, to: tuple[str, ...], of: bytes | None = None, **changes: Any) -> Wish:
    """A sample to these agencies, about another bulletin; `changes` of its members by name:
    about_*, body_* inside these, others of the wish itself."""
    made = samples.wish(name) if of is None else samples.wish(name, of.hex())
    made.pop("attachments", None)
    for key, value in changes.items():
        part, _, member = key.partition("_")
        place = made[part] if part in ("about", "body") else made
        place[member if part in ("about", "body") else key] = value
    return parse_wish(json.dumps(made).encode(), to)


def related(kind: str, bulletin: bytes) -> Json:
    """One line of `about.relations`."""
    return {"kind": kind, "bulletin_id": bulletin.hex()}


async def accepted(node: NodeService, wish: Wish) -> bytes:
    """Its id, once every recipient's node has accepted it."""
    bulletin = await node.send(wish)
    done = ["accepted"] * len(wish.to)
    await eventually(lambda: states(node, bulletin) == done)
    return bulletin


async def known(node: NodeService, bulletin: bytes) -> None:
    """Wait until the log has told a node that it has accepted a bulletin."""
    await eventually(lambda: states(node, bulletin) == ["accepted"])


def owed(node: NodeService, request: bytes) -> list[tuple[str, str]]:
    """(who, how it stands) of a request."""
    found = node.bulletins.status(request)["owed"]
    return [(one["replier"], one["state"]) for one in found]


def after(bridge: Bridge, hours: float) -> None:
    """Some time later, for everybody."""
    bridge.clock.ahead += int(hours * HOUR_MS)
    bridge.node_clock.ahead += int(hours * HOUR_MS)
