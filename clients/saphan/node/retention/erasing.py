"""The one place where a node destroys what it holds of a bulletin (E1 to E4 of spec/retention.md).

1. Held ones are left out: they are returned, and nothing of them changes.
2. One transaction takes away ciphertext, wrapped key, author, reasons, stanzas and what follows
   from them (relations, words of threads and the index go by triggers on `bodies`), and writes
   `deleting` with the rule. From here on nobody can open it at this node.
3. Files go; the store's journal is cut, so that no page of it holds the bytes either.
4. One transaction writes `deleted` and puts the signed `erased` into the queue: it is signed when
   it is true. A crash between any two of them is taken up at 3 (`resume`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from saphan_protocol.keys import SigningKey
from saphan_schemas.records import Event, SealedDetail

from saphan.node.feed_entry import Seen
from saphan.node.files.blobs import BlobFiles
from saphan.node.files.parts import GONE
from saphan.node.retention.keeping import DELETED, DELETING, PART, erased_among
from saphan.node.rows.db import Database, Row
from saphan.node.rows.deliveries import QUEUED, REFUSED
from saphan.node.rows.statements import Said, keep_statements, sign_statements
from saphan.node.rows.suppressed import keep_of_erased

HeldAmong = Callable[[Collection[bytes]], set[bytes]]
"""Which of some bulletins a hold of this agency keeps."""
Detail = Callable[[bytes, str], SealedDetail | None]
"""What the originator (second) is told of a bulletin's erasure, sealed to it."""

DUE: Final = "due"


@dataclass(frozen=True, slots=True)
class Erased:
    """What `erase` did: `erased` now or before, `held` not, because a hold keeps it."""

    erased: tuple[bytes, ...]
    held: tuple[bytes, ...]


class Erasing:
    """Runs in the frames' thread (`Engine.in_frames`), where bulletins are stored; blocking.

    Args:
        held: see `HeldAmong`; detail: see `Detail`; clock: ms UTC.
    """

    def __init__(
        self,
        agency: str,
        key: SigningKey,
        db: Database,
        files: BlobFiles,
        held: HeldAmong,
        detail: Detail,
        clock: Callable[[], int],
    ) -> None:
        self._agency = agency
        self._key = key
        self._db = db
        self._files = files
        self._held = held
        self._detail = detail
        self._clock = clock

    def erase(self, bulletins: Iterable[bytes], rule: str) -> Erased:
        """Destroy what this node holds of them, all but held ones; idempotent.

        Args:
            rule: a code of `erased`.

        Raises:
            OperatorError: the disk; what was begun is taken up by `resume`.
        """
        wanted = list(dict.fromkeys(bulletins))
        held = self._held(wanted) if wanted else set()
        free = [one for one in wanted if one not in held]
        for at in range(0, len(free), PART):
            self._destroy(free[at : at + PART], rule)
        self.resume()
        return Erased(tuple(free), tuple(one for one in wanted if one in held))

    def resume(self) -> int:
        """Steps 3 and 4 of whatever stopped between; how many."""
        total = 0
        while rows := self._db.rows(
            "SELECT b.seq, b.id, b.sender, b.digest, r.rule, d.state, d.sender FROM retention r"
            " JOIN bulletins b USING (seq) LEFT JOIN deliveries d ON d.bulletin = b.id"
            " AND d.recipient = ? WHERE r.state = 'deleting' LIMIT ?",
            (self._agency, PART),
        ):
            self._files.destroy(row[1] for row in rows)
            self._db.truncate()
            self._finish(rows)
            total += len(rows)
        return total

    def heard(self, seen: Iterable[Seen]) -> None:
        """What this node has said before it was restored: it is gone here too, held or not.

        Raises:
            OperatorError: the disk; `take_up` finds it at the next start.
        """
        said: dict[str, list[bytes]] = {}
        for one in seen:
            if one.event == Event.ERASED.value and one.issuer == self._agency:
                said.setdefault(one.code or DUE, []).append(one.bulletin)
        for rule, bulletins in said.items():
            self._again(bulletins, rule)

    def take_up(self) -> None:
        """At the start of a restored node: whatever it has heard and not done yet.

        Raises:
            OperatorError: the disk.
        """
        rows = self._db.rows(
            "SELECT e.bulletin, e.code FROM entries e JOIN bulletins b ON b.id = e.bulletin"
            " JOIN retention r USING (seq)"
            " WHERE e.event = 'erased' AND e.issuer = ? AND r.erased IS NULL",
            (self._agency,),
        )
        for bulletin, rule in rows:
            self._again([bulletin], rule or DUE)

    def _again(self, bulletins: Sequence[bytes], rule: str) -> None:
        """Nothing is said twice: `_said_before` sees the entry."""
        if len(erased_among(self._db, bulletins)) == len(bulletins):
            return  # the usual case: it was done here, and the log shows it now
        for at in range(0, len(bulletins), PART):
            self._destroy(bulletins[at : at + PART], rule)
        self.resume()

    # --- inside -----------------------------------------------------------------------------------

    def _destroy(self, bulletins: Sequence[bytes], rule: str) -> None:
        """Step 2."""
        now = self._clock()
        one = [(bulletin,) for bulletin in bulletins]
        with self._db.transaction() as tx:
            found = tx.executemany(
                "UPDATE retention SET state = ?, rule = ?, erased = ?, review = NULL,"
                " planned = NULL, planned_rule = NULL, facts = NULL, sealed = NULL"
                " WHERE seq = (SELECT seq FROM bulletins WHERE id = ?) AND erased IS NULL",
                [(DELETING, rule, now, bulletin) for bulletin in bulletins],
            )
            if not found.rowcount:
                return
            keep_of_erased(tx, bulletins, now)
            tx.executemany(
                "DELETE FROM bodies WHERE seq = (SELECT seq FROM bulletins WHERE id = ?)", one
            )
            tx.executemany("UPDATE bulletins SET wrapped = NULL, author = NULL WHERE id = ?", one)
            for table in ("details", "repeats"):
                tx.executemany(f"DELETE FROM {table} WHERE bulletin = ?", one)  # noqa: S608
            tx.executemany(
                "UPDATE consignments SET stanzas = x'', state ="
                " CASE state WHEN 'waiting' THEN 'over' ELSE state END WHERE bulletin = ?",
                one,
            )
            tx.executemany(
                "UPDATE deliveries SET state = ?, code = 'erased' WHERE bulletin = ? AND state = ?",
                [(REFUSED, bulletin, QUEUED) for bulletin in bulletins],
            )
            tx.executemany(
                "UPDATE parts SET stage = ? WHERE bulletin = ?",
                [(GONE, bulletin) for bulletin in bulletins],
            )
            tx.executemany(  # what answers it is closed with it
                "UPDATE retention SET reckoned = NULL WHERE erased IS NULL AND reckoned != x''"
                " AND seq IN (SELECT seq FROM relations WHERE target = ?)",
                one,
            )
            tx.executemany(
                "UPDATE retention_decisions SET reason = NULL"
                " WHERE seq = (SELECT seq FROM bulletins WHERE id = ?)",
                one,
            )

    def _finish(self, rows: Sequence[Row]) -> None:
        """Step 4."""
        said = [one for row in rows if (one := self._said(row)) is not None]
        signed = sign_statements(self._key, self._agency, said) if said else None
        with self._db.transaction() as tx:
            tx.executemany(
                "UPDATE retention SET state = ? WHERE seq = ?", [(DELETED, row[0]) for row in rows]
            )
            if signed is not None:
                keep_statements(tx, *signed)

    def _said(self, row: Row) -> Said | None:
        """What the log is told; of what it never showed, and of what was never readable here,
        nothing; and nothing twice."""
        _, bulletin, sender, digest, rule, state, _ = row
        own = sender == self._agency
        if self._said_before(bulletin) or not (self._logged(bulletin) if own else state):
            return None
        if not own and not self._handed_over(bulletin):
            return None
        return Said(
            event=Event.ERASED,
            bulletin=bulletin,
            ciphertext=digest,
            sender=sender,
            recipient=self._agency,
            time=self._clock(),
            code=rule,
            detail=None if own else self._detail(bulletin, sender),
        )

    def _said_before(self, bulletin: bytes) -> bool:
        """A restored node may have said it in a life that its store does not know."""
        return (
            self._db.row(
                "SELECT 1 FROM entries WHERE bulletin = ?1 AND event = 'erased' AND issuer = ?2"
                " UNION ALL SELECT 1 FROM statements WHERE bulletin = ?1 AND event = 'erased'",
                (bulletin, self._agency),
            )
            is not None
        )

    def _handed_over(self, bulletin: bytes) -> bool:
        """Before its handover a recipient has nothing that it could read."""
        query = "SELECT 1 FROM entries WHERE bulletin = ? AND event = 'handover' AND issuer = ?"
        return self._db.row(query, (bulletin, self._agency)) is not None

    def _logged(self, bulletin: bytes) -> bool:
        states = self._db.rows("SELECT state FROM deliveries WHERE bulletin = ?", (bulletin,))
        return any(state not in (QUEUED, REFUSED) for (state,) in states)
