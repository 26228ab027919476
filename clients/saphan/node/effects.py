"""What one feed frame leads to: collected first, persisted in one transaction, told afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field

from saphan_protocol.admission import Admitted
from saphan_protocol.delivery import HELD, State
from saphan_schemas.errors import SaphanError
from saphan_schemas.frames import StatementItem
from saphan_schemas.records import Event

from saphan.node.aftermath import Aftermaths
from saphan.node.feed_check import FeedCheck
from saphan.node.feed_entry import Seen
from saphan.node.portions import Portion
from saphan.node.rows.deliveries import Deliveries, Delivery
from saphan.node.rows.signatures import Known
from saphan.node.rows.statements import Said
from saphan.node.said_before import SaidBefore
from saphan.node.verdict import Verdict


@dataclass(slots=True)
class Effects:
    """What one frame leads to; persisted by `storing.store`, then told to others.

    Attributes:
        said_again: rows of statements that wait once more, or may be sent at last.
        lacking: bulletins of the frame that wait for parts; damaged: those whose parts on this
            disk are not what they were, so that they are fetched again.
    """

    check: FeedCheck
    batches: Known
    seen: list[Seen] = field(default_factory=list)
    arrived: list[tuple[Seen, Admitted, int]] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    opened: list[tuple[bytes, Verdict]] = field(default_factory=list)
    shown: list[bytes] = field(default_factory=list)
    consign_anew: list[tuple[bytes, str]] = field(default_factory=list)
    ask_again: list[bytes] = field(default_factory=list)
    lacking: set[bytes] = field(default_factory=set)
    damaged: list[bytes] = field(default_factory=list)
    alarms: list[SaphanError] = field(default_factory=list)
    deliveries: Deliveries | None = None
    aftermaths: Aftermaths | None = None
    before: SaidBefore | None = None
    said_again: list[int] = field(default_factory=list)
    answers: Portion[StatementItem] | None = None

    def keep_due(self) -> None:
        """After a lost database the log itself shows what this node has stated before."""
        self.said = [said for said in self.said if self._is_due(said)]

    def _is_due(self, said: Said) -> bool:
        known = self.deliveries
        delivery = None if known is None else known.get(said.bulletin, said.recipient)
        before = frozenset({State.SUBMITTED}) if said.event is Event.HANDOVER else HELD
        return delivery is not None and delivery.state in before

    def take_aftermath(self, seen: Seen, delivery: Delivery) -> None:
        """Hold an entry against what has happened to its delivery besides its state.

        Raises:
            Refused: what `aftermath.follow` raises.
        """
        if self.aftermaths is not None:
            self.aftermaths.take(seen, delivery)
