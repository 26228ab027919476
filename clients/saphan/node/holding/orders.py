"""This agency's hold orders at its node: given by people, or shown by the log (retention.md, H).

1. An order to hold binds here at once, whatever the line does: it is kept, then heeded, then
   offered to the broker until the log shows it. The release of one that the log shows counts once
   the log shows it too: until then the broker goes on holding.
2. What the log shows and nobody has brought (a restored node, an order given at another machine, a
   stolen order key) holds everything until its terms are here, for nobody knows what it names, or
   until it is released; and a release that nobody has brought, nor another one, ends nothing.
3. With each new hold every bulletin here is to be sorted; those that come later are as they come.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from saphan_protocol.hold_order import HoldOrdered, parse_hold, parse_terms, terms_commitment
from saphan_schemas.codec import encode
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.hold_records import HoldTerms
from saphan_schemas.limits import DAY_MS, LIMITS

from saphan.node.logs import Logs
from saphan.node.rows.db import Database

RELEASE: Final = "release"


@dataclass(frozen=True, slots=True)
class Offer:
    """An order that the log does not show yet."""

    name: bytes
    package: bytes


class HoldOrders:
    """The hold orders of one node; blocking, changes in the frames' thread.

    Args:
        clock: ms UTC.
    """

    def __init__(self, agency: str, db: Database, logs: Logs, clock: Callable[[], int]) -> None:
        self._agency = agency
        self._db = db
        self._logs = logs
        self._clock = clock
        self._answers: dict[bytes, str | None] = {}

    # --- taking -----------------------------------------------------------------------------------

    def take(self, package: bytes, terms: bytes, salt: bytes) -> bytes:
        """Judge an order by its signature and its terms, keep it, heed it; its name. The same again
        changes nothing.

        Raises:
            InvalidInput: as `parse_hold` and `parse_terms`; `hold_terms`, `signature_invalid`,
                `hold_review`. Refused: `hold_peer`, `hold_signer`, `hold_number`, `hold_over`,
                `holds_full`. OperatorError: the disk.
        """
        given, said = parse_hold(package), parse_terms(terms)
        self._check(given, said, terms, salt)
        self.hear()
        row = self._db.row("SELECT terms FROM hold_orders WHERE name = ?", (given.commitment,))
        if row is None:
            self._check_next(given, said)
        with self._db.transaction() as tx:
            self._keep(tx, given, terms, salt)
            self._reckon(tx)
        return given.commitment

    def _check(self, given: HoldOrdered, said: HoldTerms, terms: bytes, salt: bytes) -> None:
        if given.order.agency != self._agency:
            raise Refused(
                "hold_peer",
                f"this is a hold order of {given.order.agency}; it binds nothing here",
                field="hold.agency",
            )
        if terms_commitment(salt, terms) != given.order.terms:
            raise InvalidInput(
                "hold_terms",
                "the order commits to other terms than these",
                field="terms",
                hint="hand in the file as it was signed: saphan hold submit FILE",
            )
        with self._logs.lock:
            found = self._logs.directory.holds.find(given.commitment)
            if found is None:
                self._logs.directory.holds.check_signers(given, None)

    def _check_next(self, given: HoldOrdered, said: HoldTerms) -> None:
        order, today = given.order, self._clock() // DAY_MS
        if order.number != self.next_number():
            raise Refused(
                "hold_number",
                f"the next hold order here is number {self.next_number()}, not {order.number}",
                field="hold.number",
                hint="make the order again: saphan hold order",
            )
        if order.action != RELEASE and not today < order.review <= today + LIMITS.hold_review_days:
            raise InvalidInput(
                "hold_review",
                f"a hold is reviewed within {LIMITS.hold_review_days} days, and not before it is"
                " given",
                field="hold.review",
            )
        standing = self._db.rows("SELECT name FROM holds WHERE released IS NULL")
        if order.hold is None:
            if len(standing) >= LIMITS.holds_per_agency:
                raise Refused("holds_full", f"{len(standing)} holds are in force here")
            return
        if (order.hold,) not in standing or self.is_ending(order.hold):
            raise Refused(
                "hold_over",
                f"no hold {order.hold.hex()[:16]} is in force here",
                field="hold.hold",
                hint="see what is held: saphan hold list",
            )
        first = self.terms(order.hold)
        if first is not None and first.scope != said.scope:
            raise InvalidInput(
                "hold_terms",
                "an order on a hold repeats its scope: it widens and narrows nothing",
                field="terms.scope",
                hint="for another scope give a new order, then release this one",
            )

    def hear(self) -> bool:
        """Take in what the log shows of this agency's orders; whether anything has changed.

        Raises:
            OperatorError: the disk.
        """
        self._open_leaves()
        with self._logs.lock:
            logged = self._logs.directory.holds.of(self._agency)
        known = {name for (name,) in self._db.rows("SELECT name FROM hold_orders")}
        fresh = [one for one in logged if one.commitment not in known]
        ended = self._db.rows(
            "SELECT o.name FROM hold_orders o JOIN holds h ON h.name = o.hold"
            " WHERE o.action = ? AND h.released IS NULL",
            (RELEASE,),
        )
        shown = {one.commitment for one in logged}
        if not fresh and shown.isdisjoint(name for (name,) in ended):
            return False
        with self._db.transaction() as tx:
            for one in fresh:
                self._keep(tx, one, None, None)
            self._reckon(tx)
        return True

    def _open_leaves(self) -> None:
        """Give our own texts to leaves that the broker has shown without them."""
        for offer in self.offers():
            with contextlib.suppress(InvalidInput, Refused):  # it does not fit the log
                self._logs.open_by_hand(offer.package)

    def _keep(
        self, tx: sqlite3.Connection, one: HoldOrdered, terms: bytes | None, salt: bytes | None
    ) -> None:
        order, name = one.order, one.commitment
        tx.execute(
            "INSERT INTO hold_orders VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE"
            " SET terms = excluded.terms, salt = excluded.salt WHERE excluded.terms IS NOT NULL",
            (
                name,
                order.number,
                order.action,
                order.hold or name,
                encode(one.package),
                terms,
                salt,
                self._clock(),
            ),
        )

    def _reckon(self, tx: sqlite3.Connection) -> None:
        """What is in force after the orders that are kept; a new one is held against all."""
        rows = tx.execute(
            "SELECT name, action, hold, package, terms FROM hold_orders ORDER BY number, taken"
        ).fetchall()
        with self._logs.lock:
            logged = {one.commitment for one in self._logs.directory.holds.of(self._agency)}
        ended = {row[2]: row[0] for row in rows if row[1] == RELEASE and row[0] in logged}
        for name, action, hold, package, terms in rows:
            if action == RELEASE:
                # Where the log has ended it by another release, ours cannot be logged any more.
                if terms is not None and (hold in ended or hold not in logged):
                    done = tx.execute(
                        "UPDATE holds SET released = ? WHERE name = ? AND released IS NULL",
                        (ended.get(hold, name), hold),
                    )
                    if done.rowcount:
                        tx.execute("DELETE FROM held WHERE hold = ?", (hold,))
                continue
            review = parse_hold(package).order.review
            if name == hold:
                self._begin(tx, name, review, terms is not None)
            else:
                tx.execute(
                    "UPDATE holds SET newest = ?, review = ? WHERE name = ?", (name, review, hold)
                )
        if tx.execute("SELECT 1 FROM holds WHERE released IS NULL LIMIT 1").fetchone() is None:
            tx.execute("DELETE FROM hold_unsorted")

    @staticmethod
    def _begin(tx: sqlite3.Connection, name: bytes, review: int, known: bool) -> None:
        row = tx.execute("SELECT known FROM holds WHERE name = ?", (name,)).fetchone()
        if row is None:
            tx.execute("INSERT INTO holds VALUES (?, ?, ?, ?, NULL)", (name, name, review, known))
        elif known and not row[0]:
            tx.execute("UPDATE holds SET known = 1 WHERE name = ?", (name,))
        else:
            tx.execute(
                "UPDATE holds SET newest = ?, review = ? WHERE name = ?", (name, review, name)
            )
            return
        if known:
            tx.execute(
                # What is erased here as well: the broker may still have it.
                "INSERT OR IGNORE INTO hold_unsorted SELECT seq FROM bulletins"
            )

    # --- the broker -------------------------------------------------------------------------------

    def offers(self) -> list[Offer]:
        """What the broker is offered: orders that the log does not show, in their order."""
        rows = self._db.rows("SELECT name, package FROM hold_orders ORDER BY number, taken")
        return [Offer(*row) for row in rows if not self.is_logged(row[0])]

    def answered(self, offer: Offer, code: str | None) -> None:
        """What the broker said of an offer; None: it took it."""
        self._answers[offer.name] = code

    # --- questions --------------------------------------------------------------------------------

    @property
    def first(self) -> int:
        """Stored place of the first leaf of the log that is told of holds."""
        return self._logs.first

    def is_logged(self, name: bytes) -> bool:
        """Whether the log shows an order; what is entered from then on comes after an anchor of
        it."""
        with self._logs.lock:
            return self._logs.directory.holds.find(name) is not None

    def is_ending(self, name: bytes) -> bool:
        """Whether a release of a hold was given here, logged or not."""
        query = "SELECT 1 FROM hold_orders WHERE hold = ? AND action = ? AND terms IS NOT NULL"
        return self._db.row(query, (name, RELEASE)) is not None

    def terms(self, name: bytes) -> HoldTerms | None:
        """The terms of an order; None: they are not here."""
        row = self._db.row("SELECT terms FROM hold_orders WHERE name = ?", (name,))
        return None if row is None or row[0] is None else parse_terms(row[0])

    def next_number(self) -> int:
        """The number that this agency's next order must have, as far as this node knows; what the
        broker will not log takes none."""
        rows = self._db.rows("SELECT number, name FROM hold_orders ORDER BY number DESC")
        return 1 + next((number for number, name in rows if not self._is_refused(name)), 0)

    def refused(self) -> list[bytes]:
        """Orders on holds in force that bind here and that the broker does not log: it will
        destroy what they hold."""
        rows = self._db.rows(
            "SELECT o.name FROM hold_orders o JOIN holds h ON h.name = o.hold"
            " WHERE h.released IS NULL"
        )
        return [name for (name,) in rows if self._is_refused(name)]

    def foreign(self) -> list[bytes]:
        """Orders on holds in force that the log shows and nobody has brought here."""
        rows = self._db.rows(
            "SELECT o.name FROM hold_orders o JOIN holds h ON h.name = o.hold"
            " WHERE h.released IS NULL AND o.terms IS NULL AND o.name != o.hold"
        )
        return [name for (name,) in rows]

    def answer(self, name: bytes) -> str | None:
        """The code with which the broker refused an order when it was offered last."""
        return self._answers.get(name)

    def _is_refused(self, name: bytes) -> bool:
        return self.answer(name) is not None and not self.is_logged(name)
