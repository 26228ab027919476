"""Holds between agencies: one side of a delivery asks the other, which answers by a statement.

A hold binds only its own agency. Whoever needs the other side's copy asks for it by `hold_asked`;
what the other side says (`kept`, `not_kept`, `destroyed_before`, `released`) is a signed answer,
and is true here: `kept` stands for a hold of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from saphan_protocol.delivery import HOLD_ANSWERED_CODES, HOLD_ASKED_CODES
from saphan_protocol.keys import SigningKey
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.records import Event

from saphan.node.bulletins import unknown
from saphan.node.holding.rows import PART, held_among, hold_unsure, is_held
from saphan.node.retention.keeping import erased_among
from saphan.node.rows.db import Database, Row
from saphan.node.rows.statements import Said, keep_statements, sign_statements

Json = dict[str, Any]

_ASKED: Final = (
    "SELECT e.bulletin, e.sender, e.recipient, e.issuer, e.code, e.time, e.idx,"
    " (SELECT a.code FROM entries a WHERE a.bulletin = e.bulletin AND a.event = 'hold_answered'"
    " AND a.recipient = e.recipient AND a.issuer != e.issuer AND a.idx > e.idx"
    " ORDER BY a.idx DESC LIMIT 1) AS answer,"
    " EXISTS (SELECT 1 FROM statements s WHERE s.bulletin = e.bulletin AND s.recipient ="
    " e.recipient AND s.event = 'hold_answered' AND s.state = 'waiting') AS answering"
    " FROM entries e WHERE e.event = 'hold_asked' AND NOT EXISTS (SELECT 1 FROM entries n"
    " WHERE n.bulletin = e.bulletin AND n.event = 'hold_asked' AND n.recipient = e.recipient"
    " AND n.issuer = e.issuer AND n.idx > e.idx)"
)
"""The newest question of each side of each delivery, the newest answer to it, whether one waits."""
_OPEN: Final = (
    f"SELECT * FROM ({_ASKED}) WHERE issuer != ? AND code = 'hold' AND answer IS NULL"  # noqa: S608
    " AND NOT answering"
)
_GONE: Final = (  # the parts are constants
    f"SELECT DISTINCT o.bulletin FROM ({_OPEN}) o JOIN bulletins b ON b.id = o.bulletin"  # noqa: S608
    " JOIN retention r USING (seq) WHERE r.erased IS NOT NULL AND NOT EXISTS (SELECT 1"
    " FROM statements s WHERE s.bulletin = o.bulletin AND s.recipient = o.recipient"
    " AND s.event = 'hold_answered' AND s.state = 'refused') LIMIT ?"
)
"""Where the broker has refused an answer a person looks why."""
SHOWN: Final = 1_000
"""Questions in one list."""


class HoldsAsked:
    """Blocking; what it signs is queued in the frames' thread. `clock` gives ms UTC."""

    def __init__(
        self, agency: str, key: SigningKey, db: Database, clock: Callable[[], int]
    ) -> None:
        self._agency = agency
        self._key = key
        self._db = db
        self._clock = clock

    def listed(self) -> list[Json]:
        """Deliveries about which one side has asked the other, the newest questions first."""
        rows = self._db.rows(f"{_ASKED} ORDER BY e.idx DESC LIMIT ?", (SHOWN,))
        return [self._row(row) for row in rows]

    def _row(self, row: Row) -> Json:
        return {
            "id": row[0].hex(),
            "sender": row[1],
            "recipient": row[2],
            "by": row[3],
            "asked": row[4],
            "time": row[5],
            "answer": row[7],
            "answering": bool(row[8]),
            "ours_to_answer": row[3] != self._agency,
        }

    def open(self) -> list[Json]:
        """Those that this agency is asked to hold and has not answered, the oldest first."""
        rows = self._db.rows(f"{_OPEN} ORDER BY idx LIMIT ?", (self._agency, SHOWN))
        return [self._row(row) for row in rows]

    def ask(self, bulletin: bytes, code: str, agency: str | None) -> list[str]:
        """Ask the other side to hold its copy (`hold`), or tell it that it need not (`release`).

        Args:
            agency: one recipient of a bulletin of ours; None: all that the log shows.

        Returns:
            Whom.

        Raises:
            InvalidInput: `bulletin_unknown`, `code_unknown`. Refused: `hold_nobody`.
        """
        _check_code(code, HOLD_ASKED_CODES)
        return self._say(bulletin, Event.HOLD_ASKED, code, agency)

    def answer(self, bulletin: bytes, code: str, agency: str | None) -> list[str]:
        """Answer the other side; arguments and errors as `ask`, and Refused `hold_untrue` for what
        is not so here, `hold_unasked`; Unavailable `hold_unsure`."""
        _check_code(code, HOLD_ANSWERED_CODES)
        rows = self._db.rows(
            "SELECT DISTINCT sender, recipient FROM entries WHERE bulletin = ?"
            " AND event = 'hold_asked' AND issuer != ?",
            (bulletin, self._agency),
        )
        asked = set(rows)
        if not asked:
            raise Refused(
                "hold_unasked",
                "nobody has asked this agency to hold this bulletin",
                field="id",
                hint="see who asks: saphan hold asked",
            )
        self._check_true(bulletin, code)
        return self._say(bulletin, Event.HOLD_ANSWERED, code, agency, asked)

    def answer_gone(self) -> bool:
        """Answer by itself what is asked of bulletins that are erased here; whether there were."""
        gone = self._db.rows(_GONE, (self._agency, PART))
        for (bulletin,) in gone:
            self.answer(bulletin, "destroyed_before", None)
        return bool(gone)

    def _check_true(self, bulletin: bytes, code: str) -> None:
        held = is_held(self._db, bulletin)
        gone = bool(erased_among(self._db, (bulletin,)))
        free = not held_among(self._db, (bulletin,))
        true = {"kept": held, "not_kept": free, "released": free, "destroyed_before": gone}
        if not true[code] and not (held or free or gone):
            raise hold_unsure()
        if not true[code]:
            raise Refused(
                "hold_untrue",
                f"{code} is not so: the bulletin is {'held' if held else 'not held'} here"
                + (", and erased" if gone else ""),
                field="code",
                hint="an order key holds it first: saphan hold order --id ID"
                if code == "kept"
                else "see what is held: saphan hold list",
            )

    def _say(
        self,
        bulletin: bytes,
        event: Event,
        code: str,
        agency: str | None,
        only: set[tuple[str, str]] | None = None,
    ) -> list[str]:
        row = self._db.row("SELECT digest FROM bulletins WHERE id = ?", (bulletin,))
        if row is None:
            raise unknown(bulletin)
        corridors = [
            pair
            for pair in self._db.rows(
                "SELECT sender, recipient FROM entries WHERE bulletin = ? AND event = 'submitted'",
                (bulletin,),
            )
            if agency in (None, *pair) and (only is None or pair in only)
        ]
        if not corridors:
            raise Refused(
                "hold_nobody",
                "the log shows no delivery of this bulletin with that agency",
                field="agency",
                hint=f"see its deliveries: saphan status {bulletin.hex()[:16]}",
            )
        said = [
            Said(
                event=event,
                bulletin=bulletin,
                ciphertext=row[0],
                sender=sender,
                recipient=recipient,
                time=self._clock(),
                code=code,
            )
            for sender, recipient in corridors
        ]
        signed = sign_statements(self._key, self._agency, said)
        with self._db.transaction() as tx:
            keep_statements(tx, *signed)
        return [to if sender == self._agency else sender for sender, to in corridors]


def _check_code(code: str, known: frozenset[str]) -> None:
    if code not in known:
        raise InvalidInput(
            "code_unknown", f"{code[:40]} is none of {', '.join(sorted(known))}", field="code"
        )
