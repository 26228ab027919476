"""What the log is told of holds: `held` and `released` for each delivery, and who is asked.

1. Once the log shows the order, each `submitted` leaf of a held bulletin gets one `held`. If the
   order may be told, the other side of the delivery is asked to hold its own.
2. Once the log shows the release, each of those gets one `released`, and whoever was asked is told,
   unless another hold asks for the same.
3. Statement and row are one transaction: nothing is said twice. A restored node finds what it said
   in the life that its store has lost among its entries.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import decode
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Event, Targeted

from saphan.node.holding.orders import HoldOrders
from saphan.node.rows.db import Database
from saphan.node.rows.places import place_of
from saphan.node.rows.statements import Said, keep_statements, sign_statements

PART: Final = 128
"""Bulletins, or deliveries, whose statements are signed together."""
NOTHING: Final = -1
"""Row of a statement that need not be made."""
SAID_BEFORE: Final = 0
"""Row of a statement that only the log still shows."""
_CORRIDOR: Final = "SELECT sender, recipient FROM entries WHERE idx = ?"


@dataclass(frozen=True, slots=True)
class _Target:
    """One delivery under one hold."""

    hold: bytes
    bulletin: bytes
    digest: bytes
    place: int
    sender: str
    recipient: str


class Saying:
    """Runs in the frames' thread, where entries are stored; blocking. `clock` gives ms UTC."""

    def __init__(
        self,
        agency: str,
        key: SigningKey,
        db: Database,
        orders: HoldOrders,
        clock: Callable[[], int],
    ) -> None:
        self._agency = agency
        self._key = key
        self._db = db
        self._orders = orders
        self._clock = clock
        self._found: set[bytes] = set()
        """Released holds that `find_lost` has looked for."""

    def look(self) -> bool:
        """Say the next part of what is to be said; whether there may be more.

        Raises:
            OperatorError: the disk.
        """
        return self._hold_some() or self._release_some()

    # --- held -------------------------------------------------------------------------------------

    def _hold_some(self) -> bool:
        rows = self._db.rows("SELECT name FROM holds WHERE released IS NULL AND known = 1")
        return any(self._orders.is_logged(name) and self._hold(name) for (name,) in rows)

    def _hold(self, name: bytes) -> bool:
        """A part of one hold's bulletins of which something is to be said."""
        rows = self._db.rows(
            "SELECT h.bulletin, b.digest, e.idx, e.sender, e.recipient FROM held h"
            " JOIN bulletins b ON b.id = h.bulletin JOIN entries e ON e.bulletin = h.bulletin"
            " AND e.event = 'submitted' AND e.idx >= ?3 WHERE h.hold = ?1 AND h.said = 0"
            " AND NOT EXISTS (SELECT 1 FROM hold_said s WHERE s.target = e.idx AND s.hold = ?1)"
            " LIMIT ?2",
            (name, PART, self._orders.first),
        )
        if rows:
            self._say_held(name, [_Target(name, *row) for row in rows])
        return bool(rows)

    def _say_held(self, name: bytes, targets: Sequence[_Target]) -> None:
        before = {one for one in targets if self._is_said(one, Event.HELD, one.hold)}
        gone = {one for one in targets if one not in before and self._is_destroyed(one)}
        fresh = [one for one in targets if one not in before and one not in gone]
        asked = fresh if self._may_tell(name) else []
        said = [self._own(one, Event.HELD, one.hold) for one in fresh]
        said += [self._asks(one, "hold") for one in asked]
        with self._db.transaction() as tx:
            numbers = self._queue(tx, said)[: len(fresh)]
            numbered = [
                *zip(fresh, numbers, strict=True),
                *((one, SAID_BEFORE) for one in before),
                *((one, NOTHING) for one in gone),
            ]
            tx.executemany(
                "INSERT OR IGNORE INTO hold_said VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        one.place,
                        one.hold,
                        one.bulletin,
                        one.sender,
                        one.recipient,
                        number,
                        NOTHING if number == NOTHING else None,
                        one in asked,
                    )
                    for one, number in numbered
                ],
            )
            # Nothing is left to be said where all deliveries are in the log, or will never be.
            tx.executemany(
                "UPDATE held SET said = 1 WHERE hold = ?1 AND bulletin = ?2 AND NOT EXISTS"
                " (SELECT 1 FROM deliveries d WHERE d.bulletin = ?2 AND d.state != 'refused'"
                " AND NOT EXISTS (SELECT 1 FROM hold_said s WHERE s.hold = ?1"
                " AND s.bulletin = ?2 AND s.recipient = d.recipient))",
                [(name, bulletin) for bulletin in {one.bulletin for one in targets}],
            )

    # --- released ---------------------------------------------------------------------------------

    def _release_some(self) -> bool:
        rows = self._db.rows(
            "SELECT s.hold, s.bulletin, s.target, s.sender, s.recipient, h.released, s.asked"
            " AND NOT EXISTS (SELECT 1 FROM hold_said o JOIN holds i ON i.name = o.hold"
            " WHERE o.target = s.target AND o.asked AND i.released IS NULL)"
            " FROM hold_said s JOIN holds h ON h.name = s.hold"
            " LEFT JOIN statements t ON t.id = s.held"
            " WHERE s.released IS NULL AND h.released IS NOT NULL"
            " AND (t.state IS NULL OR t.state != 'waiting') LIMIT ?",
            (PART,),
        )
        if not rows:
            return False
        found = [
            (_Target(hold, bulletin, b"", target, *pair), name, bool(asked))
            for hold, bulletin, target, *pair, name, asked in rows
        ]
        standing = [
            (replace(one, digest=held.ciphertext), name, asked)
            for one, name, asked in found
            if (held := self._said(one, Event.HELD, one.hold)) is not None  # else it was refused
            and not self._is_said(one, Event.RELEASED, name)
            and not self._is_destroyed(one)
        ]
        said = [self._own(one, Event.RELEASED, name) for one, name, _ in standing]
        said += [self._asks(one, "release") for one, _, asked in standing if asked]
        with self._db.transaction() as tx:
            numbers = dict.fromkeys(((one.place, one.hold) for one, _, _ in found), NOTHING)
            rows_of = self._queue(tx, said)[: len(standing)]
            places = ((one.place, one.hold) for one, _, _ in standing)
            numbers |= dict(zip(places, rows_of, strict=True))
            tx.executemany(
                "UPDATE hold_said SET released = ? WHERE target = ? AND hold = ?",
                [(number, *place) for place, number in numbers.items()],
            )
        return True

    def find_lost(self) -> None:
        """At a restored node: what its lost life had said `held` of under holds that are released.
        Their terms, or the bulletins, may have gone with it; the broker holds them still.

        Raises:
            OperatorError: the disk.
        """
        released = self._db.rows("SELECT name FROM holds WHERE released IS NOT NULL")
        over = {name for (name,) in released} - self._found
        after: int | None = self._orders.first - 1
        while over and after is not None:
            after = self._find_some(over, after)
        self._found |= over

    def _find_some(self, over: set[bytes], after: int) -> int | None:
        """A part of what `find_lost` looks through, above an index; the last of it."""
        rows = self._db.rows(
            "SELECT idx, statement FROM entries WHERE event = 'held' AND issuer = ? AND idx > ?"
            " ORDER BY idx LIMIT ?",
            (self._agency, after, PART),
        )
        first = self._orders.first
        said = [decode(Targeted, row[1], LIMITS.statement_bytes, "statement") for row in rows]
        found = [
            (target, one.detail, one.bulletin, *corridor[0], SAID_BEFORE)
            for one in said
            if one.detail in over
            and (corridor := self._db.rows(_CORRIDOR, (target := first + one.target,)))
        ]
        with self._db.transaction() as tx:
            tx.executemany(
                "INSERT OR IGNORE INTO hold_said VALUES (?, ?, ?, ?, ?, ?, NULL, 0)", found
            )
        return rows[-1][0] if rows else None

    # --- statements -------------------------------------------------------------------------------

    def _queue(self, tx: sqlite3.Connection, said: Sequence[Said]) -> list[int]:
        """Rows of the statements, in their order."""
        if not said:
            return []
        return keep_statements(tx, *sign_statements(self._key, self._agency, said)).rows

    def _own(self, one: _Target, event: Event, order: bytes) -> Said:
        """What concerns this agency and the broker alone."""
        return Said(
            event=event,
            bulletin=one.bulletin,
            ciphertext=one.digest,
            sender=self._agency,
            recipient=self._agency,
            time=self._clock(),
            detail=order,
            target=place_of(one.place).index,
        )

    def _asks(self, one: _Target, code: str) -> Said:
        """What the other side of the delivery is asked."""
        return Said(
            event=Event.HOLD_ASKED,
            bulletin=one.bulletin,
            ciphertext=one.digest,
            sender=one.sender,
            recipient=one.recipient,
            time=self._clock(),
            code=code,
        )

    def _may_tell(self, hold: bytes) -> bool:
        terms = self._orders.terms(hold)
        return terms is not None and terms.told

    def _is_said(self, one: _Target, event: Event, order: bytes) -> bool:
        """Whether the log shows this statement of ours."""
        return self._said(one, event, order) is not None

    def _said(self, one: _Target, event: Event, order: bytes) -> Targeted | None:
        """This statement of ours, as the log shows it."""
        rows = self._db.rows(
            "SELECT statement FROM entries WHERE bulletin = ? AND event = ? AND issuer = ?"
            " AND idx >= ?",
            (one.bulletin, event.value, self._agency, self._orders.first),
        )
        said = (decode(Targeted, row[0], LIMITS.statement_bytes, "statement") for row in rows)
        wanted = (place_of(one.place).index, order)
        return next((each for each in said if (each.target, each.detail) == wanted), None)

    def _is_destroyed(self, one: _Target) -> bool:
        """Whether the broker has nothing of this delivery to hold any more."""
        query = (
            "SELECT 1 FROM entries WHERE bulletin = ? AND event = 'destroyed' AND recipient = ?"
            " AND idx >= ?"
        )
        return self._db.row(query, (one.bulletin, one.recipient, self._orders.first)) is not None
