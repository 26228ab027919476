"""Looks after holds: what the log shows of them, what came since, what is to be said, reviewed.

It looks at the start, whenever the directory grows or the line opens, and every hour; while holds
are in force, at whatever comes too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from saphan_schemas.errors import OperatorError, SaphanError
from saphan_schemas.limits import DAY_MS

from saphan.node.alarms import Alarms
from saphan.node.engine import Engine
from saphan.node.events import DIRECTORY, Event, Events
from saphan.node.holding.asking import HoldsAsked
from saphan.node.holding.listing import HoldList
from saphan.node.holding.orders import HoldOrders
from saphan.node.holding.rows import scope_missing
from saphan.node.holding.saying import Saying
from saphan.node.holding.sorting import Sorting
from saphan.node.looking import keep_looking
from saphan.node.restored import Restored
from saphan.node.rows.db import Database
from saphan.node.wire.line import Line

HOLDS: Final = "holds"
"""Event: what is held has changed."""
_TELLING: Final = frozenset({"submitted", "accepted", "rejected", "expired", "recalled"})
"""Entries after which a bulletin may be sorted, or something be said of it."""


@dataclass(slots=True, kw_only=True)
class HoldWatch:
    """The parts that holds concern, looked after together; `clock` gives ms UTC."""

    db: Database
    engine: Engine
    line: Line
    orders: HoldOrders
    listing: HoldList
    sorting: Sorting
    saying: Saying
    asked: HoldsAsked
    restored: Restored
    alarms: Alarms
    events: Events
    clock: Callable[[], int]
    _any: bool = field(default=True, init=False)

    async def run(self) -> None:
        """Look, for ever; what fails now is tried again at the next look."""
        await keep_looking(self.look, self._matters, self.events, self.alarms, "holds")

    async def look(self) -> bool:
        """One look at everything; whether the broker could judge what it was offered.

        Raises:
            OperatorError: the disk, an archive key.
        """
        if await self.engine.in_frames(self.orders.hear):
            self.events.publish([{"type": HOLDS}])
        await self._sort()
        if not self.restored.listening:
            # A restored node has not heard yet what it has said.
            await self._say()
        judged = await self._offer()
        await self.engine.in_reading(self._alarm)
        return judged

    async def take(self, package: bytes, terms: bytes, salt: bytes) -> dict[str, Any]:
        """Heed an order from now on; the hold that it is about, as `HoldList.listed` shows it.

        Raises:
            SaphanError: what `HoldOrders.take` raises.
        """
        name = await self.engine.in_frames(partial(self.orders.take, package, terms, salt))
        await self.look()
        self.events.publish([{"type": HOLDS}])
        listed = await self.engine.in_reading(self.listing.listed)
        (hold,) = (
            one for one in listed if any(order["name"] == name.hex() for order in one["orders"])
        )
        return hold

    async def _sort(self) -> None:
        after: int | None = -1
        while after is not None:
            after = await self.engine.in_frames(partial(self.sorting.look, after))

    async def _say(self) -> None:
        said = False
        while await self.engine.in_frames(self.asked.answer_gone):
            said = True
        if self.restored.at is not None:
            await self.engine.in_frames(self.saying.find_lost)
        while await self.engine.in_frames(self.saying.look):
            said = True
        if said:
            self.line.wake_statements()

    async def _offer(self) -> bool:
        """What the broker answers is shown, and changes nothing here; False: it cannot just now,
        and has refused nothing."""
        for offer in await self.engine.in_reading(self.orders.offers):
            try:
                result = await self.line.register(hold=offer.package)
            except SaphanError:
                return True  # the line is down: it is offered when it opens
            if result.retry_after_ms:
                return False
            self.orders.answered(offer, result.code)
        return True

    def _alarm(self) -> None:
        """What a person must look at; what is cured is over."""
        rows = self.db.rows("SELECT review FROM holds WHERE released IS NULL")
        self._any = bool(rows) or self.db.row("SELECT 1 FROM hold_orders LIMIT 1") is not None
        past = sum(review <= self.clock() // DAY_MS for (review,) in rows)
        found = {
            "hold_past_review": _past(past) if past else None,
            "hold_terms_missing": _missing() if scope_missing(self.db) else None,
            "hold_foreign": _foreign() if self.orders.foreign() else None,
            "hold_refused": _refused() if self.orders.refused() else None,
            "hold_asked": _asked(len(asked)) if (asked := self.asked.open()) else None,
        }
        for code, error in found.items():
            if error is None:
                self.alarms.clear(code)
            else:
                self.alarms.sound(error)

    def _matters(self, event: Event) -> bool:
        kind = event["type"]
        if kind == "event":
            name = str(event["event"])
            return name.startswith("hold_") or (self._any and name in _TELLING)
        opened = kind == "line" and event["state"] == "open"
        return opened or kind in (DIRECTORY, HOLDS, "lagged") or (self._any and kind == "inbox")


def _past(count: int) -> OperatorError:
    return OperatorError(
        "hold_past_review",
        f"{count} holds are in force past their review date: nothing of them is destroyed",
        hint="look at each: saphan hold list; then saphan hold renew NAME, or saphan hold release "
        "NAME",
    )


def _missing() -> OperatorError:
    return OperatorError(
        "hold_terms_missing",
        "the log shows a hold order of this agency whose terms are not here: until they are, "
        "nothing is destroyed",
        hint="hand in the file that was signed: saphan hold submit FILE; it lies in holds/. If it "
        "is lost or was never yours: saphan hold release NAME",
    )


def _foreign() -> OperatorError:
    return OperatorError(
        "hold_foreign",
        "the log shows a release or renewal of a hold of this agency that nobody has brought here: "
        "it ends nothing at this node",
        hint="if it is yours: saphan hold submit FILE; if not, the order key is in other hands: "
        "saphan keys revoke order; then hold anew what must be: saphan hold order; and end this "
        "one: saphan hold release NAME",
    )


def _refused() -> OperatorError:
    return OperatorError(
        "hold_refused",
        "the broker does not take a hold order that binds this node: it will destroy its own copy",
        hint="see why: saphan hold show; give the order anew, then release the one that is refused",
    )


def _asked(count: int) -> OperatorError:
    return OperatorError(
        "hold_asked",
        f"other agencies ask this one to hold {count} bulletins, and have no answer",
        hint="see them: saphan hold asked; then saphan hold answer ID --kept or --not-kept",
    )
