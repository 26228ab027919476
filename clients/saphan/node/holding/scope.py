"""Which of the bulletins here a hold's scope names: by id, type and period, thread, or case.

Headers tell types and times. Threads and cases stand in what a bulletin says, so one that was not
opened here yet cannot be told: it stays unsorted, and counts as held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.hold_records import HoldScope
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Header

from saphan.node.archive import Archive
from saphan.node.retention.content import content_of
from saphan.node.rows.db import Database
from saphan.subjects.references import NUMBER, Reference, numbers_asked, references_of

_WAITING: Final = ("submitted", "handed_over", "unanswered", "unopened")
"""States of a received delivery that may still be opened."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A bulletin that is held against scopes; `waiting`: it may be opened later.

    Args:
        references: what it names by number; None: it is not open here.
    """

    seq: int
    bulletin: bytes
    header: Header
    references: frozenset[Reference] | None
    waiting: bool


class Scope:
    """One hold's scope, ready to be asked; `threads` as the store knows them now."""

    def __init__(self, name: bytes, scope: HoldScope, db: Database) -> None:
        self.name = name
        self._ids = frozenset(scope.ids)
        self._scope = scope
        self._threads = _threads(db, scope.threads) if scope.threads else frozenset()
        self._cases = frozenset(one for case in scope.cases for one in numbers_asked(case))

    @property
    def reads(self) -> bool:
        """Whether contents must be opened to tell."""
        return bool(self._cases)

    @property
    def members(self) -> frozenset[bytes]:
        """Bulletins that it names by id or thread, wherever they stand."""
        return self._ids | self._threads

    def holds(self, one: Candidate) -> bool | None:
        """Whether it names the bulletin; None: that cannot be told before it is opened."""
        if one.bulletin in self.members or self._by_type(one.header):
            return True
        if one.waiting and (self._cases or self._threads):
            return None  # what it is about stands inside
        return one.references is not None and not self._cases.isdisjoint(one.references)

    def _by_type(self, header: Header) -> bool:
        scope = self._scope
        if not scope.schemas and scope.since is None and scope.until is None:
            return False
        early = scope.since is not None and header.created < scope.since
        late = scope.until is not None and header.created > scope.until
        return not early and not late and (not scope.schemas or header.schema in scope.schemas)


def candidates(
    db: Database, archive: Archive, agency: str, after: int, limit: int, *, read: bool
) -> list[Candidate]:
    """Unsorted bulletins above place `after`, in their order.

    Args:
        read: open those that are open here, for what they name.

    Raises:
        OperatorError: the disk.
    """
    rows = db.rows(
        "SELECT b.seq, b.id, b.sender, b.header, b.header_id, b.wrapped, b.wrap_day, y.ciphertext,"
        " d.state, r.erased FROM hold_unsorted u JOIN bulletins b USING (seq)"
        " LEFT JOIN retention r USING (seq)"
        " LEFT JOIN bodies y USING (seq)"
        " LEFT JOIN deliveries d ON d.bulletin = b.id AND d.recipient = ?"
        " WHERE u.seq > ? ORDER BY u.seq LIMIT ?",
        (agency, after, limit),
    )
    found = []
    for seq, bulletin, sender, data, header_id, wrapped, day, body, state, erased in rows:
        header = decode(Header, data, LIMITS.header_bytes, "header")
        references, locked = None, False
        if read and wrapped is not None and body is not None:
            try:
                references = _read(archive, bulletin, wrapped, day, header, header_id, body)
            except OperatorError:
                locked = True  # its key may come back, out of a backup: until then it is kept
        # Own bulletins are open from the start; a body that came in parts is not here yet.
        waiting = wrapped is None and erased is None and sender != agency and state in _WAITING
        found.append(Candidate(seq, bulletin, header, references, waiting or locked))
    return found


def _read(
    archive: Archive,
    bulletin: bytes,
    wrapped: bytes,
    day: int,
    header: Header,
    header_id: bytes,
    ciphertext: bytes,
) -> frozenset[Reference] | None:
    """Numbers that a bulletin names which was opened before; None: it is damaged.

    Raises:
        OperatorError: `archive_key_gone`, `archive_key_damaged`.
    """
    try:
        content = content_of(archive, bulletin, wrapped, day, header_id, ciphertext)
    except InvalidInput:
        return None
    return frozenset(one for one in references_of(header.schema, content) if one.kind == NUMBER)


def _threads(db: Database, named: tuple[bytes, ...]) -> frozenset[bytes]:
    """All that belong to these threads, as far as bulletins here say so."""
    seen = dict.fromkeys(named)
    queue = list(named)
    while queue and len(seen) < LIMITS.hold_thread:
        bulletin = queue.pop()
        rows = db.rows(
            "SELECT r.target FROM bulletins b JOIN relations r USING (seq) WHERE b.id = ?1"
            " UNION SELECT b.id FROM relations r JOIN bulletins b USING (seq) WHERE r.target = ?1",
            (bulletin,),
        )
        fresh = [one for (one,) in rows if one not in seen]
        seen.update(dict.fromkeys(fresh))
        queue += fresh
    return frozenset(seen)
