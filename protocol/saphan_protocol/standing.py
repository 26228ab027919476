"""How an agreement stands at a place in the directory log, by what its parties have ordered.

Any party suspends for itself and resumes for itself; the agreement is in force while nobody holds
it suspended, nobody has terminated it, and no later agreement replaces it. Dates are judged apart:
they go by time, not by place.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
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


def standing(orders: Iterable[Ordered], *, replaced: bool) -> Standing:
    """What the orders on one agreement, in the order of the log, amount to."""
    suspending: set[str] = set()
    for ordered in orders:
        agency = ordered.order.agency
        match ordered.order.action:
            case "terminate":
                return Standing(Condition.TERMINATED, (agency,))
            case "suspend":
                suspending.add(agency)
            case "resume":
                suspending.discard(agency)
    if replaced:
        return Standing(Condition.REPLACED)
    if suspending:
        return Standing(Condition.SUSPENDED, tuple(sorted(suspending)))
    return IN_FORCE


def check_follows(ordered: Ordered, before: Iterable[Ordered]) -> None:
    """Whether an order may follow those before it on the same agreement.

    Raises:
        Refused: `agreement_ended`, `order_number` (said before, or one was left out),
            `order_idle` (it would change nothing).
    """
    logged = list(before)
    now = standing(logged, replaced=False)
    if now.condition is Condition.TERMINATED:
        raise Refused(
            "agreement_ended", f"{now.by[0]} has terminated this agreement", field="order.agreement"
        )
    order = ordered.order
    number = 1 + sum(one.order.agency == order.agency for one in logged)
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
