"""A logbook whose deliveries end: destroyed, erased, held, recalled."""

from __future__ import annotations

from typing import Any

from saphan_protocol.admission import due_day
from saphan_protocol.directory import hold_leaf
from saphan_protocol.hold_order import parse_hold, sign_hold
from saphan_schemas.hold_records import HoldOrder
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Event

from support.agency import Agency, Made
from support.audits import KH, LA, THERE
from support.ceremony import NOW
from support.logbook import Logbook

FOREVER = 40_000
"""A review day that no test comes to."""


def hold_by(agency: Agency, number: int = 1, release: bytes | None = None) -> bytes:
    """A SignedHoldOrder by the agency's root; `release`: the commitment of the one released."""
    action: Any = "hold" if release is None else "release"
    order = HoldOrder(agency.name, number, action, release, agency.random(32), FOREVER, agency.now)
    return sign_hold(order, [agency.root], [agency.random(32)], agency.random(32))


class Retained(Logbook):
    """Agencies' words about what is kept, and the broker's; all true unless a test changes them."""

    def ended(self, **header: Any) -> tuple[Made, int]:
        """A bulletin from one to the other that was handed over and accepted; its first leaf."""
        made = self.agencies[LA].bulletin([KH], self.time, **header)
        _, submitted = self.submit(LA, KH, made)
        for event in (Event.HANDOVER, Event.ACCEPTED):
            self.time += 1000
            self.state(event, made, THERE)
        return made, submitted

    def come(self, made: Made, later: int = 0) -> None:
        """The bulletin's due-day comes, and `later` ms pass."""
        self.time = due_day(made.header) * DAY_MS + later

    def destroy(self, made: Made, target: int, **changes: Any) -> int:
        """The broker's record that it has destroyed its copy."""
        return self.broker_states(Event.DESTROYED, made, THERE, "due", target=target, **changes)

    def hold_order(self, package: bytes) -> bytes:
        """Log a hold order, with the anchor that makes it count; gives its commitment."""
        given = parse_hold(package)
        self.orders.append(package)
        self.directory.kept.append(hold_leaf(given.package.salt, given.package.order))
        self.anchor()
        return given.commitment

    def says_held(
        self, made: Made, target: int, order: bytes, by: str = KH, event: Event = Event.HELD
    ) -> int:
        """An agency's `held` or `released` by an order of its own."""
        return self.state(event, made, (by, by), target=target, detail=order)

    def hold(self, made: Made, target: int, by: str = KH, number: int = 1) -> tuple[int, bytes]:
        """An agency's order, and what it holds by it: (leaf of `held`, the order's commitment)."""
        order = self.hold_order(hold_by(self.agencies[by], number))
        return self.says_held(made, target, order, by), order

    def release(self, made: Made, target: int, hold: bytes, by: str = KH, number: int = 2) -> int:
        """The order that ends it, and that it is ended."""
        order = self.hold_order(hold_by(self.agencies[by], number, hold))
        return self.says_held(made, target, order, by, Event.RELEASED)


def retained() -> Retained:
    """Two agencies with an agreement."""
    return Retained([Agency(LA, NOW), Agency(KH, NOW)])
