"""What a node's store shows of one bulletin: entries, heads, agreements, where each path leads.

Read in one snapshot, beside a running node or from a stopped one's file. What the store has lost
is not there, and never stops the rest: a verifier says what that leaves unproven.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from saphan_protocol.agreement import AGREEMENT_TYPE, parse_agreement
from saphan_protocol.directory import agreement_leaf, hold_leaf, order_leaf
from saphan_protocol.evidence import MAX_ENTRY_BYTES
from saphan_protocol.hold_order import parse_hold
from saphan_protocol.identity import identity
from saphan_protocol.operation import parse_agreement_package
from saphan_protocol.pins import origin_number
from saphan_protocol.registrations import parse_registration
from saphan_schemas.bundles import BundleSuccession
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import AgreementOrder, SchemaPackage
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Entry, Header, LeafType, Path, Targeted
from saphan_schemas.succession_frames import STEP_BYTES, Step

from saphan.audit.kept_logs import KeptLog
from saphan.audit.records import Found, Opened
from saphan.evidence.placing import Placed
from saphan.node.bulletins import ALIKE, parse_start

PATH_BYTES: Final = 64 * 40
"""More than the longest path takes where it is stored."""
COMMITMENT_BYTES: Final = 33
"""Of a directory leaf that commits to an agreement, an order on one or a hold order."""
_ANCHOR: Final = (
    # The path is NULL where an older release was told the anchor.
    "SELECT idx - :first, size, root, head_size, path FROM anchors WHERE path IS NOT NULL"
)
_BEFORE: Final = f"{_ANCHOR} AND idx < :place AND idx >= :first ORDER BY idx DESC LIMIT 1"
_AFTER: Final = f"{_ANCHOR} AND idx > :place AND idx < :stop ORDER BY idx LIMIT 1"


@dataclass(frozen=True, slots=True)
class Told:
    """One entry: as a bundle shows it, the event it is of, and its place."""

    found: Found
    event: str
    place: Placed


@dataclass(frozen=True, slots=True)
class Anchor:
    """What an anchor leaf says of the directory, and its place."""

    size: int
    root: bytes
    place: Placed


class Story:
    """One bulletin in one snapshot of a store.

    Args:
        db: inside a transaction that reads.
        log: which of the broker's evidence logs tells it.
        bulletin: id, 32 bytes.
    """

    def __init__(self, db: sqlite3.Connection, log: KeptLog, bulletin: bytes) -> None:
        self._db = db
        self._log = log
        self._within = (log.first, log.stop)
        self.bulletin: Final = bulletin

    def entries(self) -> list[Told]:
        """Its entries, by rising index."""
        places = {
            index: (event, _placed(index, head, path))
            for index, event, head, path in self._db.execute(
                "SELECT idx - ?2, event, head_size, path FROM entries"
                " WHERE bulletin = ?1 AND idx >= ?2 AND idx < ?3",
                (self.bulletin, *self._within),
            )
        }
        return [
            Told(found, *places[found.entry.index])
            for found in Opened(self._db, self._log).of_bulletin(self.bulletin)
        ]

    def unwitnessed(self) -> set[int]:
        """Entries that rest under a head which no agreement's witness policy takes."""
        rows = self._db.execute(
            "SELECT idx - ?2 FROM unproven JOIN entries USING (idx)"
            " WHERE bulletin = ?1 AND idx >= ?2 AND idx < ?3",
            (self.bulletin, *self._within),
        )
        return {index for (index,) in rows}

    def anchors(self, indices: Iterable[int]) -> list[Anchor]:
        """For each entry the last anchor before it and the first one after it, each once."""
        found: dict[int, Anchor] = {}
        within = {"first": self._log.first, "stop": self._log.stop}
        for index in indices:
            here = within | {"place": self._log.first + index}
            for query in (_BEFORE, _AFTER):
                row = self._db.execute(query, here).fetchone()
                if row is not None:
                    at, size, root, head, path = row
                    found[at] = Anchor(size, root, _placed(at, head, path))
        return [found[index] for index in sorted(found)]

    def directory(self) -> tuple[int, bytes] | None:
        """Size and note of the newest directory head all of whose leaves are here."""
        (leaves,) = self._db.execute("SELECT count(*) FROM leaves").fetchone()
        row = self._db.execute(
            "SELECT size, note FROM heads WHERE origin = ? AND size BETWEEN 1 AND ?"
            " ORDER BY size DESC LIMIT 1",
            (self._log.pins.directory.origin, leaves),
        ).fetchone()
        return None if row is None else (row[0], row[1])

    def successions(self) -> Iterator[BundleSuccession]:
        """How this log came to follow a lost one, and which log has followed it."""
        number = origin_number(self._log.pins.evidence.origin)[1]
        rows = self._db.execute(
            "SELECT step FROM successions WHERE number IN (?, ?) ORDER BY number",
            (number, number + 1),
        )
        for (step,) in rows:
            yield BundleSuccession(decode(Step, step, STEP_BYTES, "succession"))

    def leaves(self, size: int) -> Iterator[bytes]:
        """The directory's first `size` leaves."""
        query = "SELECT leaf FROM leaves WHERE idx < ? ORDER BY idx"
        for (leaf,) in self._db.execute(query, (size,)):
            yield leaf

    def packages(
        self, pairs: set[tuple[str, str]], size: int, *, schema: bool = False
    ) -> Iterator[bytes]:
        """Agreements that name both ends of a corridor, and orders on them; hold orders that
        `held` and `released` of the bulletin name; with `schema` the agency's own schema of the
        bulletin too, if it has one and that is here.

        In the order of their leaves among the directory's first `size`, one for each leaf: they
        were kept as they came, and some come late or twice.
        """
        found = dict(self._agreements(pairs, size))
        if schema:
            found |= self._schema(size)
        for index in sorted(found):
            yield found[index]

    def _schema(self, size: int) -> dict[int, bytes]:
        """Leaf and SchemaPackage of the bulletin's own schema; nothing for one of Saphan's."""
        row = self._db.execute(
            "SELECT header FROM bulletins WHERE id = ?", (self.bulletin,)
        ).fetchone()
        if row is None:
            return {}
        header = decode(Header, row[0], LIMITS.header_bytes, "header")
        kept = self._db.execute(
            "SELECT bundle FROM schemas WHERE digest = ?", (header.schema_digest,)
        ).fetchone()
        leaves = self._db.execute(
            "SELECT idx, leaf FROM leaves WHERE idx < ? AND substr(leaf, 1, 1) = ? ORDER BY idx",
            (size, bytes((LeafType.SCHEMA,))),
        )
        for index, leaf in leaves:
            record, _signed = parse_registration(leaf[1:])
            if kept is not None and record.digest == header.schema_digest:
                return {index: encode(SchemaPackage(leaf[1:], kept[0]))}
        return {}

    def _agreements(self, pairs: set[tuple[str, str]], size: int) -> Iterator[tuple[int, bytes]]:
        opened: dict[int, tuple[LeafType, bytes, bytes]] = {}
        leaves: dict[bytes, int] = dict(
            self._db.execute(
                "SELECT leaf, idx FROM leaves WHERE idx < ? AND length(leaf) = ?",
                (size, COMMITMENT_BYTES),
            )
        )
        for (package,) in self._db.execute("SELECT package FROM agreements ORDER BY position"):
            signed = parse_agreement_package(package)
            for make in (agreement_leaf, order_leaf, hold_leaf):
                leaf = make(signed.salt, signed.agreement)
                if leaf in leaves:
                    told = (LeafType(leaf[0]), signed.agreement, package)
                    opened.setdefault(leaves[leaf], told)
        named: set[bytes] = set()
        holding = self._holding()
        for index, (kind, text, package) in sorted(opened.items()):
            if kind is LeafType.HOLD:
                concerns = parse_hold(package).commitment in holding
            else:
                concerns = self._concerns(kind, text, pairs, named)
            if concerns:
                yield index, package

    def _holding(self) -> set[bytes]:
        """Hold orders that `held` and `released` of the bulletin name."""
        rows = self._db.execute(
            "SELECT statement FROM entries WHERE bulletin = ? AND event IN ('held', 'released')"
            " AND idx >= ? AND idx < ?",
            (self.bulletin, *self._within),
        )
        said = (decode(Targeted, row[0], LIMITS.statement_bytes, "statement") for row in rows)
        return {one.detail for one in said if isinstance(one.detail, bytes)}

    def _concerns(
        self, kind: LeafType, text: bytes, pairs: set[tuple[str, str]], named: set[bytes]
    ) -> bool:
        if kind is LeafType.ORDER:
            return decode(AgreementOrder, text, LIMITS.statement_bytes, "order").agreement in named
        parties = {party.agency for party in parse_agreement(text).parties}
        if not any(parties >= set(pair) for pair in pairs):
            return False
        named.add(identity(AGREEMENT_TYPE, text))
        return True


def corridors(entries: Iterable[Told]) -> set[tuple[str, str]]:
    """(sender, recipient) of what is told, but for what concerns one agency alone."""
    found = set()
    for told in entries:
        entry = decode(Entry, told.found.entry.entry, MAX_ENTRY_BYTES, "entry")
        if entry.sender != entry.recipient:
            found.add((entry.sender, entry.recipient))
    return found


def find_bulletin(db: sqlite3.Connection, text: str) -> bytes:
    """The bulletin whose id begins with these 8 to 64 hexadecimal digits.

    Raises:
        InvalidInput: `id_malformed`, `bulletin_unknown`, `id_ambiguous`.
    """
    low, high = parse_start(text)
    rows = db.execute(
        "SELECT DISTINCT bulletin FROM entries WHERE bulletin BETWEEN ? AND ? LIMIT ?",
        (low, high, ALIKE),
    ).fetchall()
    if len(rows) > 1:
        raise InvalidInput(
            "id_ambiguous",
            f"more than one bulletin's id begins with {text}",
            field="id",
            hint="give more digits",
        )
    if not rows:
        raise InvalidInput(
            "bulletin_unknown",
            f"this node holds nothing that the log says of a bulletin whose id begins with {text}",
            field="id",
            hint="list them: saphan inbox; what waits to be sent is in no log yet",
        )
    found: bytes = rows[0][0]
    return found


def _placed(index: int, head: int, path: bytes) -> Placed:
    """A place as it rests in the store; one whose path is damaged is under no head."""
    try:
        return Placed(index, head, decode(Path, path, PATH_BYTES, "path"))
    except InvalidInput:
        return Placed(index, 0, ())
