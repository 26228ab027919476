"""Hold orders as an agency's order key gives them, for tests of holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from saphan_protocol.directory import hold_leaf
from saphan_protocol.hold_order import HoldOrdered, parse_hold, sign_hold, terms_commitment
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import encode
from saphan_schemas.hold_records import HoldOrder, HoldScope, HoldTerms

from support.accords import Accord
from support.ceremony import NOW

REVIEW = 21_000
"""A day long after every test's."""
NOTHING = HoldScope((), (), None, None, (), ())


def terms(reference: str = "court of Vientiane 12/2026", **scope: Any) -> HoldTerms:
    """Terms that hold what `scope` names: one bulletin unless told."""
    named = scope or {"ids": (bytes(32),)}
    values = {name: named.get(name, getattr(NOTHING, name)) for name in NOTHING.__struct_fields__}
    return HoldTerms(reference, HoldScope(**values), told=True)


class Holding(Accord):
    """An accord whose agencies hold."""

    def hold(
        self,
        number: int = 1,
        by: str = "kh.gpo",
        keys: Sequence[SigningKey] | None = None,
        release: bytes | None = None,
        renew: bytes | None = None,
        review: int = REVIEW,
    ) -> bytes:
        """A SignedHoldOrder, by the agency's order key unless told.

        Args:
            release, renew: names of holds, by their leaf commitment.
        """
        signers = [self.orders[by]] if keys is None else list(keys)
        random = self.la.random
        committed = terms_commitment(random(32), encode(terms()))
        named = release if release is not None else renew
        action: Any = "hold" if release is None else "release"
        order = HoldOrder(by, number, action, named, committed, review, NOW)
        return sign_hold(order, signers, [random(32) for _ in signers], random(32))

    def log_hold(self, package: bytes) -> HoldOrdered:
        """Log a hold order and open it."""
        self.directory.check_hold_order(package)
        given = parse_hold(package)
        self.directory.apply(hold_leaf(given.package.salt, given.package.order))
        added = self.directory.add_package(package)
        assert isinstance(added, HoldOrdered)
        return added
