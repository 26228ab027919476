"""The time by which this node erases: what a witness of another agency has signed for, no later.

The time of a head that another agency's witness has cosigned; of an idle log, whose head is signed
anew and cosigned anew without a leaf, the time of the cosignature itself, which its witness gives
only within a minute of the head's. Never beyond this node's own clock. A broker alone, or this
machine's clock alone, makes nothing due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from saphan_protocol.checkpoint import Cosignature, Head, KeyPair, verify_head
from saphan_protocol.notes import add_lines, parse_lines, parse_vkey
from saphan_schemas.errors import InvalidInput
from saphan_schemas.frames import Witnessed
from saphan_schemas.limits import HOUR_MS, SECOND_MS
from saphan_schemas.records import HeadRef

from saphan.node.heads import cleaned
from saphan.node.logs import Logs
from saphan.node.rows.db import Database
from saphan.node.witness import own_note

FIRST_PAUSE_MS: Final = 5 * SECOND_MS
"""Before a head is asked for again; it doubles each time, up to an hour."""
ACTED_FACT: Final = "retention_acted"
"""Witnessed time, ms UTC, by which this store acted last."""


class WitnessedTime:
    """Of one node; blocking.

    Args:
        clock: ms UTC.
    """

    def __init__(self, agency: str, db: Database, logs: Logs, clock: Callable[[], int]) -> None:
        self._agency = agency
        self._db = db
        self._logs = logs
        self._clock = clock
        self._cosigned = 0
        self._asked_on = self._ask_at = -1
        self._pause = FIRST_PAUSE_MS

    def now(self) -> int | None:
        """Ms UTC; None while no other agency has cosigned anything that is known here."""
        row = self._db.row(
            "SELECT time FROM heads INDEXED BY heads_witnessed WHERE origin = ?"
            " AND witnesses != '' AND witnesses != ? ORDER BY size DESC LIMIT 1",
            (self._logs.evidence_heads.origin, self._agency),
        )
        seconds = max(self._cosigned, 0 if row is None else row[0])
        return min(seconds * SECOND_MS, self._clock()) if seconds else None

    def asked(self, today: int) -> HeadRef | None:
        """The head that is asked about when a day should have come, and no witness has said so.

        None: not now. While other agencies' nodes are away it is asked ever more seldom: an answer
        takes 11 KB.
        """
        now = self._clock()
        if today != self._asked_on:
            self._asked_on, self._ask_at, self._pause = today, now, FIRST_PAUSE_MS
        if now < self._ask_at:
            return None
        self._ask_at, self._pause = now + self._pause, min(2 * self._pause, HOUR_MS)
        return self._logs.seen()

    def take_note(self, note: bytes) -> None:
        """Heed the cosignatures of a head that the broker has signed anew, as it shows it.

        Raises:
            InvalidInput: what `verify_head` raises.
        """
        if not note:
            return  # the log has grown: the feed brings the newer head
        head = verify_head(note, self._keys())
        known = self._logs.seen()
        if known is None or head.ref != known:
            return
        with self._logs.lock:
            head = cleaned(self._logs.directory, head)
        self._note(min(one.time, head.time) for one in self._others(head))

    def take(self, frame: Witnessed) -> None:
        """Heed a cosignature of a head that has this witness's line already: an idle log's.

        Nothing is kept, and what does not hold is left to whoever keeps lines.
        """
        if frame.head.origin != self._logs.evidence_heads.origin:
            return
        row = self._db.row(
            "SELECT root, note, witnesses FROM heads WHERE origin = ? AND size = ?",
            (frame.head.origin, frame.head.size),
        )
        if row is None or row[0] != frame.head.root:
            return
        try:
            names = {line.name for line in parse_lines(frame.lines)} - {self._agency}
            if not names or not names <= set(row[2].split()):
                return
            head = self._verified(row[1], frame.lines)
        except InvalidInput:
            return
        self._note(one.time for one in self._others(head))

    def _others(self, head: Head) -> list[Cosignature]:
        return [one for one in head.cosignatures if one.name != self._agency]

    def _note(self, times: Iterable[int]) -> None:
        self._cosigned = max([self._cosigned, *times])

    def _verified(self, note: bytes, lines: bytes) -> Head:
        plain = own_note(verify_head(note, self._keys()))
        with self._logs.lock:
            return cleaned(self._logs.directory, verify_head(add_lines(plain, lines), self._keys()))

    def _keys(self) -> KeyPair:
        first, second = (parse_vkey(vkey) for vkey in self._logs.pins.evidence.vkeys)
        return first, second
