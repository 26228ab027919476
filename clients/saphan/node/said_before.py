"""What this node has said of a bulletin in a lost log, said again once the next log has it.

1. The sender's consignment is there again: a recipient that had handed over says its handover and
   its answer again, the same bytes in their order, and opens and shows nothing a second time. What
   it had called unopened it takes as if it had just come. While no agreement carries it, or a key
   of the consignment is revoked, all of that is held back.
2. The sender's recall follows the consignment where nobody had handed over, else the handover: a
   request does not become an outcome by coming first.
3. The answer to a recall follows the recall.

Rows go back to waiting in the transaction of the entry that calls for them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final, NamedTuple

from saphan_protocol.admission import Admitted
from saphan_schemas.records import Event

from saphan.node.feed_entry import SUBMITTED, Seen
from saphan.node.logs import Logs
from saphan.node.rows.db import Database
from saphan.node.rows.deliveries import Delivery
from saphan.node.rows.statements import hold_back
from saphan.node.trust.releasing import held_back

PART: Final = 256
_ANSWERS: Final = frozenset({Event.ACCEPTED, Event.REJECTED})
_AFTER_RECALL: Final = frozenset({Event.OBEYED, Event.DECLINED})
_OF_DELIVERY: Final = _ANSWERS | {
    Event.HANDOVER,
    Event.READ,
    Event.ERASED,
    Event.HOLD_ASKED,
    Event.HOLD_ANSWERED,
}


class _Statement(NamedTuple):
    row: int
    event: str
    sender: str
    recipient: str


class SaidBefore:
    """Of the bulletins of one frame; nothing while the log is the broker's first.

    Args:
        first: stored place of the present log's first leaf.
    """

    def __init__(self, db: Database, agency: str, seen: Iterable[Seen], first: int) -> None:
        self._agency = agency
        self._first = first
        self._of: dict[bytes, list[_Statement]] = {}
        self._taken: set[tuple[bytes, str]] = set()
        self._held: dict[bytes, str | None] = {}
        wanted = list({one.bulletin for one in seen}) if first else []
        for at in range(0, len(wanted), PART):
            part = wanted[at : at + PART]
            marks = ",".join("?" * len(part))
            for bulletin, *row in db.rows(
                "SELECT bulletin, id, event, sender, recipient FROM statements"  # noqa: S608
                f" WHERE bulletin IN ({marks}) AND state IN ('logged', 'waiting') ORDER BY id",
                part,
            ):
                self._of.setdefault(bulletin, []).append(_Statement(*row))
            self._taken.update(
                db.rows(
                    "SELECT bulletin, recipient FROM entries"  # noqa: S608 - marks
                    f" WHERE bulletin IN ({marks}) AND event = 'handover' AND idx < ?",
                    (*part, first),
                )
            )

    def handed_over(self, bulletin: bytes) -> bool:
        """Whether this node has taken it, and did not call it unopened since."""
        return bool(self._received(bulletin))

    def look(self, logs: Logs, admitted: Admitted, delivery: Delivery, now: int) -> None:
        """Whether what was handed over before may be handed over again, by this consignment."""
        mailbox = delivery.mailbox_key
        if mailbox is not None and self.handed_over(admitted.bulletin_id):
            carriage = admitted.header, admitted.consignment.node_key, mailbox
            self._held[admitted.bulletin_id] = held_back(logs, self._agency, *carriage, now)

    def answered(self, bulletin: bytes) -> bool:
        """Whether it has accepted or rejected what it took."""
        return any(one.event in _ANSWERS for one in self._received(bulletin))

    def _received(self, bulletin: bytes) -> list[_Statement]:
        """Statements as its recipient from the last handover on."""
        found: list[_Statement] = []
        for one in self._of.get(bulletin, ()):
            if one.recipient != self._agency or one.sender == self._agency:
                continue
            if one.event == Event.HANDOVER:
                found = [one]
            elif one.event == Event.UNOPENED:
                found = []
            elif found:
                found.append(one)
        return found

    def again(self, tx: sqlite3.Connection, seen: Iterable[Seen]) -> list[int]:
        """Put back what these entries call for; rows of all that may be sent now."""
        if not self._first:
            return []
        rows: list[int] = []
        for one in seen:
            code, called = self._held.get(one.bulletin), self._called(one)
            hold_back(tx, called, code)
            rows += called if code is None else []
        came = {one.bulletin for one in seen if one.event == SUBMITTED}
        again = [(one,) for one, code in self._held.items() if code is None and one not in came]
        tx.executemany(  # consigned anew, by keys that last
            "UPDATE statements SET code = NULL WHERE bulletin = ? AND state = 'waiting'", again
        )
        # A hold is said of the leaf in this log, too.
        tx.executemany("UPDATE held SET said = 0 WHERE bulletin = ?", [(one,) for one in came])
        for bulletin in (*came, *(one for (one,) in again)):  # what has waited for its bulletin
            found = tx.execute(
                "SELECT id FROM statements WHERE bulletin = ? AND state = 'waiting'"
                " AND code IS NULL",
                (bulletin,),
            )
            rows += [row for (row,) in found]
        return sorted(set(rows))

    def _called(self, seen: Seen) -> list[int]:
        bulletin, pair = seen.bulletin, (seen.entry.sender, seen.entry.recipient)
        if pair[0] == self._agency:
            taken = (bulletin, pair[1]) in self._taken
            events = set()
            if seen.event == SUBMITTED:
                events = {Event.HOLD_ASKED, Event.HOLD_ANSWERED}
            if seen.event == (Event.HANDOVER if taken else SUBMITTED):
                events.add(Event.RECALLED)
            return self._rows(self._of.get(bulletin, ()), pair, events)
        if pair[1] != self._agency:
            return []
        if seen.event == SUBMITTED:
            return self._rows(self._received(bulletin), pair, _OF_DELIVERY)
        if seen.event == Event.RECALLED:
            return self._rows(self._of.get(bulletin, ()), pair, _AFTER_RECALL)
        return []

    @staticmethod
    def _rows(
        said: Iterable[_Statement], pair: tuple[str, str], events: Iterable[str]
    ) -> list[int]:
        wanted = set(events)
        return [
            one.row for one in said if (one.sender, one.recipient) == pair and one.event in wanted
        ]
