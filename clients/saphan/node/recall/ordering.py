"""Taking back what this agency has sent: one order, a statement to each recipient, their answers.

1. An order is durable before anything is said: code, time, who gave it. What waits to be sent is
   held back here; what is on its way will show in the log, and is recalled there.
2. Every delivery that the log shows gets the signed `recalled`, once: of one not yet handed over
   it is the outcome, of every other one a request that its recipient answers. A recall names no
   recipient (receipts.md): all of them get it.
3. How each of them stands is worked out from the log whenever somebody asks (`table`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from saphan_protocol.delivery import RECALLED_CODES, State
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Event, Header, Role

from saphan.header_json import header_json
from saphan.node.bulletins import unknown
from saphan.node.logs import Logs
from saphan.node.restored import Restored
from saphan.node.rows.db import Database
from saphan.node.rows.deliveries import QUEUED, REFUSED
from saphan.node.rows.recall_standing import ENDS, Stands, stands_of
from saphan.node.rows.recalled import keep_order
from saphan.node.rows.statements import Said, keep_statements, sign_statements
from saphan.node.succession.carrying import carry_lost

Json = dict[str, Any]
RECALLED: Final = Event.RECALLED.value


class Ordering:
    """The recalls of one agency's own bulletins; blocking.

    Args:
        suppress: called with a bulletin and the code of its recall; clock: ms UTC.
    """

    def __init__(
        self,
        agency: str,
        key: SigningKey,
        db: Database,
        logs: Logs,
        restored: Restored,
        suppress: Callable[[bytes, str], None],
        clock: Callable[[], int],
    ) -> None:
        self._agency = agency
        self._key = key
        self._db = db
        self._logs = logs
        self._restored = restored
        self._suppress = suppress
        self._clock = clock

    def order(self, bulletin: bytes, code: str, caller: str) -> list[int]:
        """Take a bulletin back from all of its recipients; durable when it returns, the same again
        changes nothing.

        Args:
            code: why, one of `RECALLED_CODES`; caller: who orders it, as records name them.

        Returns:
            Rows of consignments to be sent first: a log that follows a lost one has to have what it
            is told of.

        Raises:
            InvalidInput: `bulletin_unknown`, `recall_code`.
            Refused: `recall_foreign`, `recalled_before` for another code, `nothing_to_recall`,
                `key_*` of this node's own key. Unavailable: `catching_up`. OperatorError: the disk.
        """
        self._restored.require_heard()
        _check_code(code)
        row = self._db.row("SELECT sender FROM bulletins WHERE id = ?", (bulletin,))
        if row is None:
            raise unknown(bulletin)
        if row[0] != self._agency:
            raise _foreign(row[0], bulletin)
        before, carried = self.ordered(bulletin), list[int]()
        if before is None:
            with self._logs.lock:
                self._logs.directory.key(self._key.key_id, Role.NODE)
            self._check_left(bulletin)
            self._suppress(bulletin, code)
            carried = self._keep(bulletin, code, caller)
        elif before != code:
            raise Refused(
                "recalled_before",
                f"this bulletin was recalled before, with the code {before}",
                field="reason",
                hint=f"see how it stands: saphan recall show {bulletin.hex()[:16]}",
            )
        self.look(bulletin)
        return carried

    def ordered(self, bulletin: bytes) -> str | None:
        """The code under which it was recalled here; None: it was not."""
        row = self._db.row("SELECT code FROM recall_orders WHERE bulletin = ?", (bulletin,))
        return None if row is None else str(row[0])

    def look(self, bulletin: bytes | None = None) -> bool:
        """Step 2 of what is open (of one bulletin); whether anything is to be sent.

        Raises:
            OperatorError: the disk.
        """
        if self._restored.listening:
            return False
        rows = self._db.rows(
            "SELECT bulletin, code, caller FROM recall_orders WHERE open = 1 AND (?1 IS NULL"
            " OR bulletin = ?1)",
            (bulletin,),
        )
        for found, code, caller in rows:
            if not caller:  # heard of in the log: what it named is not marked here yet
                self._suppress(found, code)
        said = [one for found, code, _ in rows for one in self._said(found, code)]
        if said:
            signed = sign_statements(self._key, self._agency, said)
            with self._db.transaction() as tx:
                keep_statements(tx, *signed)
        self._close([found for found, _, _ in rows])
        return bool(said)

    def table(self, bulletin: bytes) -> Json:
        """How a recall stands, one row for each recipient; `recalled` is false if there is none.

        Raises:
            InvalidInput: `bulletin_unknown`.
        """
        row = self._db.row("SELECT header FROM bulletins WHERE id = ?", (bulletin,))
        if row is None:
            raise unknown(bulletin)
        order = self._db.row(
            "SELECT code, caller, time FROM recall_orders WHERE bulletin = ?", (bulletin,)
        )
        header = decode(Header, row[0], LIMITS.header_bytes, "header")
        code, caller, time = order or (None, None, None)
        caller = caller or None  # whoever ordered it did so in a life that is lost
        found = stands_of(self._db, bulletin, header.recipients, self._clock())
        return {
            "id": bulletin.hex(),
            "recalled": order is not None or any(one.asked is not None for one in found),
            "code": code,
            "by": caller,
            "time": time,
            "schema": header.schema,
            "header": header_json(row[0]),
            "recipients": [one.json() for one in found],
        }

    def overdue(self) -> list[tuple[bytes, Stands]]:
        """Recipients whose time to answer is over, of recalls that are open; and those to whom the
        log does not show the recall although that time is over since it was ordered."""
        rows = self._db.rows(
            "SELECT r.bulletin, r.time, b.header FROM recall_orders r JOIN bulletins b"
            " ON b.id = r.bulletin WHERE r.open = 1"
        )
        now = self._clock()
        return [
            (bulletin, one)
            for bulletin, ordered, data in rows
            for one in stands_of(
                self._db,
                bulletin,
                decode(Header, data, LIMITS.header_bytes, "header").recipients,
                now,
            )
            if one.state == "silent"
            or (one.state == "sending" and now > ordered + LIMITS.recall_answer_ms)
        ]

    # --- inside -----------------------------------------------------------------------------------

    def _check_left(self, bulletin: bytes) -> None:
        """Somebody has it, or may get it yet."""
        states = [
            state
            for (state,) in self._db.rows(
                "SELECT state FROM deliveries WHERE bulletin = ?", (bulletin,)
            )
        ]
        if all(state == REFUSED for state in states):
            raise Refused(
                "nothing_to_recall",
                "no recipient has this bulletin: the broker carried it to nobody",
                field="id",
                hint=f"see why: saphan status {bulletin.hex()[:16]}",
            )

    def _keep(self, bulletin: bytes, code: str, caller: str) -> list[int]:
        """Step 1."""
        now = self._clock()
        with self._db.transaction() as tx:
            keep_order(tx, bulletin, code, caller, now)
            return carry_lost(tx, self._agency, bulletin, self._logs.first)

    def _said(self, bulletin: bytes, code: str) -> list[Said]:
        """For each delivery in the log about which nothing was said yet; one instant for all."""
        now = self._clock()
        return [
            Said(
                event=Event.RECALLED,
                bulletin=bulletin,
                ciphertext=digest,
                sender=self._agency,
                recipient=recipient,
                time=now,
                code=code,
            )
            for recipient, digest in self._db.rows(
                "SELECT d.recipient, b.digest FROM deliveries d JOIN bulletins b"
                " ON b.id = d.bulletin WHERE d.bulletin = ?1 AND d.state NOT IN (?2, ?3, ?4)"
                " AND NOT EXISTS (SELECT 1 FROM statements s WHERE s.bulletin = ?1"
                " AND s.recipient = d.recipient AND s.event = ?4)"
                " AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.bulletin = ?1"
                " AND e.recipient = d.recipient AND e.event = ?4)"
                # In a log that follows a lost one: once all that may be held is there again.
                " AND NOT EXISTS (SELECT 1 FROM deliveries q WHERE q.bulletin = ?1"
                " AND q.state = ?2) ORDER BY d.recipient",
                (bulletin, QUEUED, REFUSED, State.RECALLED.value),
            )
        ]

    def _close(self, bulletins: list[bytes]) -> None:
        """Orders whose every recipient has its end are looked at no more."""
        over, now = [], self._clock()
        for bulletin in bulletins:
            row = self._db.row("SELECT header FROM bulletins WHERE id = ?", (bulletin,))
            if row is None:  # of a life that is lost: it is not here, and the log has the order
                over.append((bulletin,))
                continue
            header = decode(Header, row[0], LIMITS.header_bytes, "header")
            found = stands_of(self._db, bulletin, header.recipients, now)
            # What was on its way when it was held back may show in the log until it expires.
            ends = ENDS | {"unsent"} if header.expires < now else ENDS
            if all(one.state in ends for one in found):
                over.append((bulletin,))
        if over:
            with self._db.transaction() as tx:
                tx.executemany("UPDATE recall_orders SET open = 0 WHERE bulletin = ?", over)


def _check_code(code: str) -> None:
    if code not in RECALLED_CODES:
        raise InvalidInput(
            "recall_code",
            f"{code[:40]!r} is no reason of a recall",
            field="reason",
            hint="one of " + ", ".join(sorted(RECALLED_CODES)),
        )


def _foreign(sender: str, bulletin: bytes) -> Refused:
    return Refused(
        "recall_foreign",
        f"{sender} has sent this bulletin, and only {sender} can recall it",
        field="id",
        hint=f"if it was recalled, answer: saphan recall answer {bulletin.hex()[:16]}",
    )
