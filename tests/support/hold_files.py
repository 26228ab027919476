"""Signed hold orders of an agency of a `Bridge`, as its keeper brings them to the node."""

from __future__ import annotations

from typing import Any

from saphan.holds.hold_file import HoldFile, make_hold
from saphan.keys.keyfiles import read_key
from saphan_protocol.keys import SigningKey
from saphan_schemas.hold_records import HoldOrder, HoldScope, HoldTerms
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Role

from support.bridge import SECRET, Bridge
from support.holds import NOTHING


def root(bridge: Bridge, agency: str) -> SigningKey:
    """Who has no order key lets the roots sign."""
    return read_key(bridge.offices[agency].root_key, Role.ROOT, SECRET).signing()


def hold_file(
    bridge: Bridge,
    agency: str,
    *,
    number: int = 1,
    release: bytes | None = None,
    renew: bytes | None = None,
    told: bool = True,
    days: int = 90,
    **scope: Any,
) -> HoldFile:
    """A signed hold order of an agency; `scope` as in HoldScope."""
    values = {name: scope.get(name, getattr(NOTHING, name)) for name in HoldScope.__struct_fields__}
    terms = HoldTerms("court of appeal 12/2026", HoldScope(**values), told=told)
    now = bridge.clock()
    action: Any = "hold" if release is None else "release"
    named = release if release is not None else renew
    review = now // DAY_MS + days
    made = make_hold(HoldOrder(agency, number, action, named, bytes(32), review, now), terms)
    return made.sign(root(bridge, agency))
