"""Kinds of bulletins that leave with two officers' signatures only."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Header, Tlp

from saphan.node.policy.rules import Agencies, Officers, Schemas, within


class Kind(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Bulletins that need a second officer; a member left out covers everything.

    Args:
        schemas: of these body types; tlp_from: marked at least so; to: to any of these agencies.
        by: handles of those who may sign second; None: everybody who is cleared for it.
    """

    schemas: Schemas | None = None
    tlp_from: Tlp = "clear"
    to: Agencies | None = None
    by: Officers | None = None

    def covers(self, header: Header) -> bool:
        """Whether such a bulletin needs a second officer."""
        return (
            (self.schemas is None or header.schema in self.schemas)
            and within(self.tlp_from, header.marking.tlp)
            and (self.to is None or not {*self.to}.isdisjoint(header.recipients))
        )


KindList = Annotated[tuple[Kind, ...], Meta(min_length=1, max_length=LIMITS.rules)]


class FourEyes:
    """The kinds of one node; None: none."""

    def __init__(self, kinds: tuple[Kind, ...] | None) -> None:
        self._kinds = kinds or ()

    def needed(self, header: Header) -> bool:
        """Whether a bulletin needs a second officer's signature."""
        return any(kind.covers(header) for kind in self._kinds)

    def may(self, handle: str, header: Header) -> bool:
        """Whether every kind that covers it lets this officer sign second."""
        return all(
            kind.by is None or handle in kind.by for kind in self._kinds if kind.covers(header)
        )
