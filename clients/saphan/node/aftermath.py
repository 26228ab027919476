"""What has happened to deliveries besides their states, as this node's entries show it.

Nothing of it is kept in rows of its own: the few entries of a bulletin say it again whenever the
next one comes. Holds of other agencies are in their own corridors, so this node sees its own alone;
whether the broker destroyed what was held is the auditor's to find.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from saphan_protocol.aftermath import AFTERMATH, Aftermath, follow
from saphan_protocol.delivery import State, Step
from saphan_schemas.records import Event

from saphan.node.feed_entry import Seen
from saphan.node.rows.db import Database
from saphan.node.rows.deliveries import Delivery

PART: Final = 256
_OF_DELIVERY: Final = frozenset(AFTERMATH) - {Event.HELD, Event.RELEASED}
_NAMES: Final = ", ".join(f"'{event.value}'" for event in sorted(_OF_DELIVERY))
_ASKS: Final = frozenset({*(event.value for event in AFTERMATH), Event.HANDOVER.value})
"""Events that may be refused for what has happened before, besides consignments."""
Pair = tuple[bytes, str]


class Aftermaths:
    """Of the deliveries of one frame, by (bulletin id, recipient).

    Args:
        first: stored place of the present log's first leaf: what was before it is over.
    """

    def __init__(self, db: Database, seen: Iterable[Seen], first: int = 0) -> None:
        self._of: dict[Pair, Aftermath] = {}
        wanted = list({one.bulletin for one in seen if one.consignment or one.event in _ASKS})
        for at in range(0, len(wanted), PART):
            part = wanted[at : at + PART]
            marks = ",".join("?" * len(part))
            for bulletin, recipient, event in db.rows(
                "SELECT bulletin, recipient, event FROM entries"  # noqa: S608 - constants and marks
                f" WHERE bulletin IN ({marks}) AND event IN ({_NAMES}) AND sender != recipient"
                " AND idx >= ? ORDER BY idx",
                (*part, first),
            ):
                self._keep((bulletin, recipient), State.ACCEPTED, Event(event))

    def take(self, seen: Seen, delivery: Delivery) -> None:
        """Step a delivery's aftermath by an entry; it stands as it did before that.

        Raises:
            Refused: what `aftermath.follow` raises.
        """
        event = Step.CONSIGN if seen.consignment is not None else Event(seen.event)
        state = State(delivery.state) if delivery.logged else State.SUBMITTED
        self._keep((seen.bulletin, seen.entry.recipient), state, event)

    def _keep(self, pair: Pair, state: State, event: Event | Step) -> None:
        before = self._of.get(pair, Aftermath())
        after = follow(before, state, event)
        if after is not before:
            self._of[pair] = after
