"""How an agreement stands at a place in the directory log, by what its parties have ordered.

Any party suspends for itself and resumes for itself; the agreement is in force while nobody holds
it suspended, nobody has terminated it, and no later agreement replaces it. Dates are judged apart:
they go by time, not by place.
"""

from __future__ import annotations

import enum
from bisect import bisect_left, insort
from dataclasses import dataclass
from typing import Final

from saphan_schemas.errors import Refused

from saphan_protocol.agreement_order import Ordered


class Condition(enum.StrEnum):
    """Whether new bulletins may be sent under an agreement, and if not, why."""

    IN_FORCE = "in_force"
    SUSPENDED = "suspended"
    TERMINATED = "terminated"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class Standing:
    """An agreement's condition; `by` names the agencies that ordered it, sorted."""

    condition: Condition
    by: tuple[str, ...] = ()

    @property
    def in_force(self) -> bool:
        """Whether it permits anything new, its dates apart."""
        return self.condition is Condition.IN_FORCE

    @property
    def code(self) -> str:
        """Code of a refusal: `agreement_suspended`, or `agreement_ended` for good."""
        suspended = self.condition is Condition.SUSPENDED
        return "agreement_suspended" if suspended else "agreement_ended"


IN_FORCE: Final = Standing(Condition.IN_FORCE)


class Orders:
    """The logged orders on one agreement, in the order of the log, and how it stood after each.

    A stolen order key suspends and resumes a thousand times a day; bulletins are judged meanwhile.
    """

    def __init__(self) -> None:
        self.all: list[Ordered] = []
        self._leaves: list[int] = []
        self._after: list[Standing] = []
        self._of: dict[str, list[int]] = {}

    def add(self, ordered: Ordered, index: int) -> None:
        """Take an order at its directory leaf; other parties' later ones may be here already."""
        place = bisect_left(self._leaves, index)
        told = self._after[:place]
        now = told[-1] if told else IN_FORCE
        for one in (ordered, *self.all[place:]):
            now = after(now, one)
            told.append(now)
        # Others judge bulletins meanwhile: what an order amounts to is here before the order is.
        self._after = told
        insort(self._of.setdefault(ordered.order.agency, []), index)
        self.all.insert(place, ordered)
        self._leaves.insert(place, index)

    def find(self, index: int) -> Ordered | None:
        """The order at this directory leaf."""
        place = bisect_left(self._leaves, index)
        return self.all[place] if self._leaves[place : place + 1] == [index] else None

    def within(self, start: int, stop: int) -> list[Ordered]:
        """Those at leaves in [start, stop)."""
        return self.all[bisect_left(self._leaves, start) : bisect_left(self._leaves, stop)]

    def standing(self, at: int | None) -> Standing:
        """What those below directory size `at` amount to, renewals apart; None: all of them."""
        place = len(self.all) if at is None else bisect_left(self._leaves, at)
        return self._after[place - 1] if place else IN_FORCE

    def count(self, agency: str, at: int | None) -> int:
        """How many are this agency's."""
        leaves = self._of.get(agency, [])
        return len(leaves) if at is None else bisect_left(leaves, at)


def after(now: Standing, ordered: Ordered) -> Standing:
    """How an agreement stands after one more order."""
    if now.condition is Condition.TERMINATED:
        return now
    agency, action = ordered.order.agency, ordered.order.action
    if action == "terminate":
        return Standing(Condition.TERMINATED, (agency,))
    by = {*now.by, agency} if action == "suspend" else {*now.by} - {agency}
    return Standing(Condition.SUSPENDED, tuple(sorted(by))) if by else IN_FORCE


def check_follows(ordered: Ordered, before: Orders, at: int | None) -> None:
    """Whether an order may follow those below `at` on the same agreement.

    Raises:
        Refused: `agreement_ended`, `order_number` (said before, or one was left out),
            `order_idle` (it would change nothing).
    """
    now = before.standing(at)
    if now.condition is Condition.TERMINATED:
        raise Refused(
            "agreement_ended", f"{now.by[0]} has terminated this agreement", field="order.agreement"
        )
    order = ordered.order
    number = 1 + before.count(order.agency, at)
    if order.number != number:
        raise Refused(
            "order_number",
            f"{order.agency}'s next order on this agreement is number {number}, not {order.number}",
            field="order.number",
            hint="make the order again on the newest state of the directory",
        )
    held = order.agency in now.by
    if order.action == ("suspend" if held else "resume"):
        raise Refused(
            "order_idle",
            f"{order.agency} {'has suspended it already' if held else 'has not suspended it'}",
            field="order.action",
        )
