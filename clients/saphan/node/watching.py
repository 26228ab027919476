"""What a node looks after while nobody asks it to: its keys, its name, what was bound by hand,
what nobody has signed second in time.

It looks at the start, whenever the directory grows or the line opens, and every hour.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from saphan_schemas.errors import Refused, SaphanError, Unavailable

from saphan.node.alarms import Alarms
from saphan.node.engine import Engine
from saphan.node.events import DIRECTORY, Event, Events
from saphan.node.looking import keep_looking
from saphan.node.officers.countersigning import Countersigning
from saphan.node.restored import Restored
from saphan.node.trust.bound import Bound, Kind
from saphan.node.trust.mailbox_care import MailboxCare
from saphan.node.trust.own_operations import OwnOperations
from saphan.node.wire.line import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """The parts that are looked after together; `clock` gives ms UTC."""

    engine: Engine
    line: Line
    mailboxes: MailboxCare
    operations: OwnOperations
    bound: Bound
    countersigning: Countersigning
    restored: Restored
    alarms: Alarms
    events: Events
    clock: Callable[[], int]

    async def run(self) -> None:
        """Look, for ever; what fails now is tried again at the next look."""
        await keep_looking(self.look, _changes, self.events, self.alarms, "keys")

    async def look(self) -> bool:
        """One look at everything; whether the broker could judge what it was offered.

        Raises:
            OperatorError: the disk.
        """
        await self.engine.in_frames(self.mailboxes.look)
        await self.engine.in_frames(self.operations.look)
        await self.engine.in_frames(self.bound.open_leaves)
        await self.engine.in_sealing(self.countersigning.waiting)  # ends what nobody asks for
        if not self.restored.listening:
            # A restored node has not heard yet what was handed over meanwhile.
            await self._consign_anew()
        return await self._offer()

    async def import_bound(self, kind: Kind, package: bytes) -> dict[str, Any]:
        """Heed a package that came by hand, from now on; what it binds.

        Raises:
            SaphanError: what `Bound.take` raises.
        """
        taken = await self.engine.in_frames(lambda: self.bound.take(kind, package))
        if kind == "operation":
            await self.engine.in_frames(lambda: self.operations.submitted(package))
        self.engine.look_again()
        self.events.publish([{"type": DIRECTORY}])  # keys are revoked: sessions and desks look
        return taken

    async def heed(self, operation: bytes, otherwise: Unavailable) -> dict[str, Any]:
        """The broker cannot be told now: what the operation revokes is over here all the same.

        Args:
            otherwise: raised for an operation that revokes nothing; it is handed in again later.
        """
        try:
            return await self.import_bound("operation", operation)
        except Refused:
            raise otherwise from None

    async def _consign_anew(self) -> None:
        if await self.engine.in_sealing(lambda: self.engine.consign_due(self.clock())):
            self.line.offer(None)

    async def _offer(self) -> bool:
        """Tell the broker what it does not show yet; what it answers is shown, and changes nothing
        here: whoever withholds a revocation does not decide whether it binds. False: it cannot
        just now, and is asked again soon."""
        for offer in await self.engine.in_reading(self.bound.offers):
            operation = offer.package if offer.kind == "operation" else None
            order = offer.package if offer.kind == "order" else None
            try:
                result = await self.line.register(operation=operation, order=order)
            except SaphanError:
                return True  # the line is down: it is offered when it opens
            if result.retry_after_ms:
                return False
            self.bound.answered(offer, result.code)
        return True


def _changes(event: Event) -> bool:
    opened = event["type"] == "line" and event["state"] == "open"
    return bool(event["type"] in (DIRECTORY, "lagged") or opened)
