"""What people and programs may know of bulletins without opening them: lists, timelines, proofs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from saphan_schemas.errors import InvalidInput

from saphan.header_json import header_json
from saphan.node.archive import Archive
from saphan.node.logs import Logs
from saphan.node.proving.witness_policy import policy, witnessed
from saphan.node.retention.keeping import erased_among, is_sealed, sealed_among
from saphan.node.rows.db import Database, Row
from saphan.node.rows.places import ORIGIN_OF, lasting_origin, shown
from saphan.node.rows.recalled import ordered_among, recalled_among, suppressed_among
from saphan.node.telling.notices import noted
from saphan.node.telling.warnings import warned
from saphan.node.threads.replaced import Shows
from saphan.node.threads.rows import replaced_among
from saphan.node.threads.view import Threads
from saphan.node.trust.mailboxes import Mailboxes
from saphan.node.trust.rejections import Rejections

Json = dict[str, Any]
ALIKE: Final = 16
"""Bulletins looked at whose ids begin alike; already two are one chance in four billion."""
CHANGED: Final = 16
LOOKED_BACK: Final = 4_096
"""Newest relations among which corrections are looked for: far more than a month has."""
_LISTED: Final = (
    "SELECT b.arrived, b.id, b.header, b.author, b.wrap_day, b.stored,"
    " EXISTS (SELECT 1 FROM readings r WHERE r.bulletin = b.id) FROM bulletins b"
)
_CHANGED: Final = (
    "SELECT bulletin FROM (SELECT r.bulletin FROM recalled r JOIN bulletins o ON o.id = r.bulletin"
    " WHERE r.time >= ?1 AND o.arrived IS NOT NULL ORDER BY r.time DESC LIMIT ?2)"
    " UNION SELECT target FROM (SELECT r.target FROM"
    " (SELECT seq, kind, target FROM relations ORDER BY seq DESC LIMIT ?3) r"
    " JOIN bulletins n ON n.seq = r.seq JOIN bulletins o ON o.id = r.target"
    " WHERE r.kind IN ('corrects', 'supersedes') AND n.stored >= ?1 AND o.arrived IS NOT NULL"
    " ORDER BY r.seq DESC LIMIT ?2)"
)
_PREFIX: Final = re.compile(r"[0-9a-f]{8,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Known:
    """Exact bytes of a bulletin's header, and its author's handle if it has one.

    `judged_at`: leaves of the directory log by which it was judged when it came.
    """

    header: bytes
    author: str | None
    judged_at: int | None


class Bulletins:
    """Read views of the store, for one agency."""

    def __init__(
        self,
        agency: str,
        db: Database,
        logs: Logs,
        mailboxes: Mailboxes,
        archive: Archive,
        threads: Threads,
    ) -> None:
        self.threads = threads
        self._agency = agency
        self._db = db
        self._logs = logs
        self._rejections = Rejections(db, mailboxes, archive)
        self._archive = archive

    def inbox(self, after: int, limit: int, shows: Shows = lambda _: True) -> list[Json]:
        """Accepted bulletins in the order in which they came; `seq` is the place to go on from.

        Args:
            shows: whether a bulletin is shown to whoever asks; what replaced one that is listed is
                named only then.

        Returns:
            Rows; `recalled`: why its sender has taken it back, None if it stands; `erased`: why it
            is here no more, a code of `erased`, None if it is; `replaced_by`:
            ids of what took its place, the newest last; `suppressed`: it names somebody whom a
            recalled bulletin named by mistake.
        """
        rows = self._db.rows(
            f"{_LISTED} WHERE b.arrived > ? ORDER BY b.arrived LIMIT ?", (after, limit)
        )
        return self._listed(rows, shows)

    def changed(self, since: int, shows: Shows = lambda _: True) -> list[Json]:
        """Rows of the inbox that were taken back or replaced since a time (ms UTC), the newest
        `CHANGED` of each kind: for who has the list already."""
        rows = self._db.rows(
            f"{_LISTED} WHERE b.id IN ({_CHANGED}) ORDER BY b.arrived",
            (since, CHANGED, LOOKED_BACK),
        )
        return self._listed([row for row in rows if shows(row[1])], shows)

    def _listed(self, rows: Sequence[Row], shows: Shows) -> list[Json]:
        ids = [row[1] for row in rows]
        taken, sealed = recalled_among(self._db, ids), sealed_among(self._db, ids)
        marked, named = suppressed_among(self._db, ids), replaced_among(self._db, ids)
        erased = erased_among(self._db, ids)
        by = self.threads.requests.replaced.by
        return [
            {
                "seq": seq,
                "id": bulletin.hex(),
                "author": (
                    None if bulletin in sealed else self._archive.author(author, bulletin, day)
                ),
                "received": stored,
                "read": bool(read),
                "recalled": taken.get(bulletin),
                "erased": erased.get(bulletin),
                "suppressed": bulletin in marked,
                "replaced_by": (
                    [one.hex() for one in by(bulletin, shows)] if bulletin in named else []
                ),
                **header_json(header),
            }
            for seq, bulletin, header, author, day, stored, read in rows
        ]

    def sent(self, after: int, limit: int) -> list[Json]:
        """This agency's own bulletins, oldest first."""
        rows = self._db.rows(
            "SELECT seq, id, header, author, wrap_day, stored FROM bulletins WHERE sender = ?"
            " AND seq > ? ORDER BY seq LIMIT ?",
            (self._agency, after, limit),
        )
        taken = ordered_among(self._db, [row[1] for row in rows])
        return [
            {
                "seq": seq,
                "id": bulletin.hex(),
                "author": self._archive.author(author, bulletin, day),
                "stored": stored,
                "recalled": taken.get(bulletin),
                "deliveries": self._deliveries(bulletin),
                **header_json(header),
            }
            for seq, bulletin, header, author, day, stored in rows
        ]

    def resolve(self, text: str, shown: Callable[[bytes], bool] | None = None) -> bytes:
        """The bulletin whose id begins with these 8 to 64 hexadecimal digits.

        Args:
            shown: whether whoever asks is shown a bulletin; what is not is no candidate, and no
                word about it is said. None: everything is shown.

        Raises:
            InvalidInput: `id_malformed`, `bulletin_unknown`, `id_ambiguous`.
        """
        low, high = parse_start(text)
        rows = [
            row
            for row in self._db.rows(
                "SELECT id FROM bulletins WHERE id BETWEEN ? AND ? LIMIT ?", (low, high, ALIKE)
            )
            if shown is None or shown(row[0])
        ]
        if len(rows) > 1:
            raise InvalidInput(
                "id_ambiguous",
                f"more than one bulletin's id begins with {text}",
                field="id",
                hint="give more digits",
            )
        if not rows:
            raise _unknown(text[:16])
        found: bytes = rows[0][0]
        return found

    def known(self, bulletin: bytes) -> Known | None:
        """What rules judge a bulletin by; None if it is not here."""
        row = self._db.row(
            "SELECT header, author, wrap_day, judged_at FROM bulletins WHERE id = ?", (bulletin,)
        )
        if row is None:
            return None
        return Known(row[0], self._archive.author(row[1], bulletin, row[2]), row[3])

    def status(self, bulletin: bytes, shows: Shows = lambda _: True) -> Json:
        """One bulletin's life: its deliveries, every signed event with its proof, its thread.

        Args:
            shows: whether a bulletin is shown to whoever asks; others of its thread are not said.

        Raises:
            InvalidInput: `bulletin_unknown`.
        """
        row = self._db.row(
            "SELECT sender, header, author, wrap_day, stored FROM bulletins WHERE id = ?",
            (bulletin,),
        )
        if row is None:
            raise unknown(bulletin)
        sender, header, author, day, stored = row
        own = sender == self._agency
        taken = ordered_among if own else recalled_among
        if is_sealed(self._db, bulletin):
            author = None
        return {
            "id": bulletin.hex(),
            "direction": "sent" if own else "received",
            "author": self._archive.author(author, bulletin, day),
            "stored": stored,
            "recalled": taken(self._db, [bulletin]).get(bulletin),
            "erased": erased_among(self._db, [bulletin]).get(bulletin),
            "suppressed": bool(suppressed_among(self._db, [bulletin])),
            "header": header_json(header),
            "deliveries": self._deliveries(bulletin),
            "attachments": self._attachments(bulletin),
            "timeline": self._timeline(bulletin),
            "notices": noted(self._db, bulletin),
            "warnings": warned(self._db, bulletin),
            **self.threads.part(bulletin, shows),
        }

    def _deliveries(self, bulletin: bytes) -> list[Json]:
        rows = self._db.rows(
            "SELECT d.recipient, d.state, d.code, d.changed, d.attempts, f.treatment"
            " FROM deliveries d LEFT JOIN in_flight f ON f.bulletin = d.bulletin"
            " AND f.recipient = d.recipient WHERE d.bulletin = ? ORDER BY d.recipient",
            (bulletin,),
        )
        names = ("recipient", "state", "code", "changed", "attempts", "in_flight")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _attachments(self, bulletin: bytes) -> list[Json]:
        """Sealed attachments by number: their lengths, and whether all of each is here."""
        rows = self._db.rows(
            "SELECT place, length, stage IN (1, 2) FROM parts WHERE bulletin = ? AND place > 0"
            " ORDER BY place",
            (bulletin,),
        )
        names = ("number", "length", "here")
        return [dict(zip(names, (*row[:2], bool(row[2])), strict=True)) for row in rows]

    def _timeline(self, bulletin: bytes) -> list[Json]:
        rows = self._db.rows(
            "SELECT e.idx, e.time, e.event, e.sender, e.recipient, e.issuer, e.code, e.statement,"  # noqa: S608 - constants
            " coalesce(h.witnesses, '') FROM entries e"
            f" LEFT JOIN heads h ON h.origin = {ORIGIN_OF} AND h.size = e.head_size"
            " WHERE e.bulletin = ?2 ORDER BY e.idx",
            (lasting_origin(self._logs.pins.evidence), bulletin),
        )
        return [self._event(row) for row in rows]

    def _witnessed(self, sender: str, recipient: str, witnesses: Sequence[str]) -> bool:
        with self._logs.lock:
            agreed = policy(self._logs.directory, (sender, recipient))
        return witnessed(agreed, self._agency, witnesses)

    def _event(self, row: Row) -> Json:
        """`proof` and `witnesses` are those of the kept head under which the entry's path leads."""
        place, time, event, sender, recipient, issuer, code, statement, names = row
        witnesses = sorted(names.split())
        found: Json = {
            **shown(place),
            "time": time,
            "event": event,
            "sender": sender,
            "recipient": recipient,
            "issuer": issuer,
            "code": code,
            "proof": "witnessed" if self._witnessed(sender, recipient, witnesses) else "logged",
            "witnesses": witnesses,
        }
        if event == "rejected":
            found["detail"] = self._rejections.reason(statement, issuer)
        if event == "erased":
            found["known"] = self._rejections.known(statement, issuer)
        return found


def parse_start(text: str) -> tuple[bytes, bytes]:
    """The first and the last id that begin with these 8 to 64 hexadecimal digits.

    Raises:
        InvalidInput: `id_malformed`.
    """
    if not _PREFIX.fullmatch(text):
        raise _malformed()
    return bytes.fromhex(text.ljust(64, "0")), bytes.fromhex(text.ljust(64, "f"))


def _malformed() -> InvalidInput:
    return InvalidInput(
        "id_malformed",
        "a bulletin id is 64 hexadecimal digits; its first 8 or more will do",
        field="id",
    )


def unknown(bulletin: bytes) -> InvalidInput:
    """No such bulletin here."""
    return _unknown(bulletin.hex()[:16])


def _unknown(start: str) -> InvalidInput:
    return InvalidInput(
        "bulletin_unknown",
        f"this node has no bulletin whose id begins with {start}",
        field="id",
        hint="list them: saphan inbox",
    )
