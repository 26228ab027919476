"""Heads that peers name in their consignments, held against the history shown here.

A peer's consignment says which evidence head it saw last. If that is no part of the log as this
node knows it, the broker shows two histories, or the peer says what is not so: its word is kept
with its signature, people are told, and the node goes on. With the peer's own signed head it is a
proof. Asked for is the newest head of each peer, once: it covers what the peer saw before. No log
holds a consignment before the leaves that it names as seen: that differs without a question.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from saphan_protocol.admission import Admitted
from saphan_protocol.merkle import roots_of_history, verify_consistency
from saphan_protocol.pins import numbered
from saphan_protocol.shared_paths import read_path
from saphan_protocol.split_file import Claim, History, SplitFile, format_split
from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.limits import LIMITS
from saphan_schemas.proof_frames import Proofs
from saphan_schemas.records import Consignment, HeadRef, Signature, SignatureItem

from saphan.durable import create_file
from saphan.node.alarms import Alarms
from saphan.node.feed_entry import Seen
from saphan.node.logs import Logs
from saphan.node.rows.db import Database
from saphan.node.rows.places import place_of
from saphan.node.split import Known, shown_history

DIFFERS: Final = "seen_differs"
UNPROVEN: Final = "seen_unproven"
ITEM_BYTES: Final = 1024

_KEEP: Final = (
    "INSERT INTO seen_heads (sender, idx, origin, size, root, state) VALUES (?1, ?2, ?3, ?4, ?5,"
    " CASE WHEN (SELECT root FROM heads WHERE origin = ?3 AND size = ?4) = ?5"
    " THEN 'same' WHEN ?4 > ?6 THEN 'ahead' ELSE 'waiting' END)"
    " ON CONFLICT (sender) DO UPDATE SET idx = excluded.idx, origin = excluded.origin,"
    " size = excluded.size, root = excluded.root, state = excluded.state"
    " WHERE seen_heads.state NOT IN ('differs', 'ahead')"
    " AND (excluded.origin != seen_heads.origin OR excluded.size > seen_heads.size"
    " OR (excluded.size = seen_heads.size AND excluded.root != seen_heads.root))"
)


def keep_seen(
    tx: sqlite3.Connection,
    origin: str,
    arrived: Iterable[tuple[Seen, Admitted, int]],
    first: int = 0,
) -> None:
    """Note the newest head that each sender of admitted consignments names, of this log.

    One of a log that was lost is no part of this one: it says nothing here.

    Args:
        first: stored place of the log's first leaf.
    """
    newest: dict[str, tuple[str, int, str, int, bytes, int]] = {}
    for entry, _, _ in arrived:
        seen = None if entry.consignment is None else entry.consignment.seen
        if seen is None or seen.origin != origin or not seen.size:
            continue
        sender = entry.entry.sender
        if sender not in newest or newest[sender][3] <= seen.size:
            place = first + entry.index
            newest[sender] = (sender, place, origin, seen.size, seen.root, entry.index)
    tx.executemany(_KEEP, list(newest.values()))


@dataclass(frozen=True, slots=True)
class SeenHead:
    """A head that a peer has named, in the consignment that is stored at `index`. `doubted`: the
    first answer did not settle it."""

    sender: str
    index: int
    size: int
    root: bytes
    doubted: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask the broker: roots at the sizes of `seen`, under a head known here.

    A doubted one is asked alone, with the leaf beside it (see `shown_history`).
    """

    head: Known
    ref: HeadRef
    seen: tuple[SeenHead, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Earlier sizes to ask paths from."""
        return tuple(one.size for one in self.seen)

    @property
    def leaves(self) -> tuple[int, ...]:
        """Leaves to ask paths of."""
        return tuple(one.size for one in self.seen if one.doubted)


class SeenHeads:
    """Compares them; blocking.

    Args:
        agency: who writes the files; folder: where; clock: ms UTC.
    """

    def __init__(
        self,
        agency: str,
        db: Database,
        folder: Path,
        logs: Logs,
        alarms: Alarms,
        clock: Callable[[], int],
    ) -> None:
        self._agency = agency
        self._db = db
        self._folder = folder
        self._logs = logs
        self._alarms = alarms
        self._clock = clock

    def look(self) -> None:
        """What differed before this start still does, until a person has cleared it."""
        for *named, file in self._db.rows(
            "SELECT sender, idx, size, root, file FROM seen_heads WHERE state = 'differs'"
        ):
            self._alarms.sound(self._differs(SeenHead(*named), self._folder / str(file)))

    def tell_ahead(self) -> None:
        """Write down who has seen more leaves than the log had here when it took their word.

        A broker that keeps this history the shorter one would never be asked about it else.

        Raises:
            OperatorError: the disk.
        """
        newest = self._logs.evidence_heads.newest
        if newest is None:
            return
        for row in self._db.rows(
            "SELECT sender, idx, size, root FROM seen_heads WHERE state = 'ahead' AND origin = ?",
            (self._logs.evidence_heads.origin,),
        ):
            self._write(SeenHead(*row), newest, ())

    def question(self) -> Question | None:
        """What is to be asked now; None: nothing, or nothing that the known head covers."""
        origin, newest = self._logs.evidence_heads.origin, self._logs.evidence_heads.newest
        if newest is None:
            return None
        rows = self._db.rows(
            "SELECT sender, idx, size, root, state = 'doubted' FROM seen_heads"
            " WHERE state IN ('waiting', 'doubted') AND origin = ? AND size <= ?"
            " ORDER BY state, size LIMIT ?",
            (origin, newest.size, LIMITS.proof_items),
        )
        seen = [SeenHead(row[0], row[1], row[2], row[3], bool(row[4])) for row in rows]
        if not seen:
            return None
        if seen[0].doubted:
            seen = seen[:1]
        return Question(newest, HeadRef(origin, newest.size, newest.root), tuple(seen))

    def take(self, question: Question, proofs: Proofs) -> bool:
        """Judge the broker's answer; False if it does not settle what was asked.

        Raises:
            OperatorError: the disk.
        """
        if proofs.code is not None:
            self.unanswered(question)
            return False
        settled = True
        for place, seen in enumerate(question.seen):
            settled = self._judge(seen, question.head, proofs, place) and settled
        if settled:
            self._alarms.clear(UNPROVEN)
        return settled

    def unanswered(self, question: Question) -> None:
        """The broker has nothing to say to what was asked."""
        self._alarms.sound(_unproven(question.seen[0]))

    def _judge(self, seen: SeenHead, head: Known, proofs: Proofs, place: int) -> bool:
        if _continues(seen, head, proofs, place):
            self._mark(seen, "same")
            return True
        path = shown_history(seen.size, head.size, head.root, proofs, place)
        if path is not None and roots_of_history(seen.size, head.size, path)[0] != seen.root:
            self._write(seen, head, path)
            return True
        if seen.size == head.size:
            self._write(seen, head, ())
            return True
        if seen.doubted:
            self._alarms.sound(_unproven(seen))
            return False
        self._mark(seen, "doubted")
        return True  # it is asked again, alone

    def _mark(self, seen: SeenHead, state: str, file: str | None = None) -> None:
        with self._db.transaction() as tx:
            tx.execute(
                "UPDATE seen_heads SET state = ?, file = ? WHERE sender = ? AND idx = ?",
                (state, file, seen.sender, seen.index),
            )

    # --- what differs -----------------------------------------------------------------------------

    def _write(self, seen: SeenHead, head: Known, path: tuple[bytes, ...]) -> None:
        """The file first, then the row: after a crash between them it is found out once more."""
        now, origin = self._clock(), self._logs.evidence_heads.origin
        claim = self._claim(seen.index)
        made = SplitFile(
            pins=self._logs.pins,
            found_by=self._agency,
            found_at=now,
            notes=(head.note,) if head.note else (),
            histories=(History(origin, seen.size, head.size, path),) if path else (),
            claims=() if claim is None else (claim,),
        )
        stamp = datetime.fromtimestamp(now / 1000, UTC).strftime("%Y%m%dT%H%M%S%fZ")
        file = self._folder / f"seen-differs-{stamp}-{seen.sender}-{seen.size}.json"
        create_file(file, format_split(made))
        self._mark(seen, "differs", file.name)
        self._alarms.sound(self._differs(seen, file))

    def _claim(self, index: int) -> Claim | None:
        """The consignment of an entry with its node's signature, as the store has them."""
        row = self._db.row(
            "SELECT e.sender, e.statement, e.item, s.signature FROM entries e, signatures s"
            " WHERE e.idx = ? AND e.root = s.root",
            (index,),
        )
        if row is None:
            return None
        sender, body, packed, signature = row
        item = decode(SignatureItem, packed, ITEM_BYTES, "item")
        key = decode(Consignment, body, LIMITS.consignment_bytes, "consignment").node_key
        with self._logs.lock:
            found = self._logs.directory.find(key)
        if found is None:
            return None
        return Claim(sender, found.public, body, encode(Signature(item, signature)))

    def _differs(self, seen: SeenHead, file: Path) -> OperatorError:
        sender, size = seen.sender, seen.size
        place = place_of(seen.index)
        origin, at = numbered(self._logs.pins.evidence, place.log).origin, place.index
        last = "Its word alone proves nothing, and this node goes on"
        if size > at:
            # Up to the consignment itself: its history has another leaf in this place.
            ours = at + 1
            return OperatorError(
                DIFFERS,
                f"{sender} has signed that it saw {size} leaves of {origin}, where the log had "
                f"{at} here; it is kept in {file}",
                hint=f"run saphan audit heads {ours} --out FILE here, ask {sender} to do the same, "
                f"and judge both files: saphan audit split FILE FILE. {last}",
            )
        return OperatorError(
            DIFFERS,
            f"{sender} has signed that it saw another root of {size} leaves of {origin} than the "
            f"log has here; it is kept in {file}",
            hint=f"ask {sender} for the signed head that it saw (saphan audit heads {size} --out "
            f"FILE) and judge both files: saphan audit split FILE FILE. {last}",
        )

    def listed(self) -> list[dict[str, Any]]:
        """Every peer's newest head, and how it was judged, for people."""
        names = ("sender", "origin", "size", "state", "file")
        rows: Sequence[Sequence[Any]] = self._db.rows(
            "SELECT sender, origin, size, state, file FROM seen_heads ORDER BY sender"
        )
        found = [dict(zip(names, row, strict=True)) for row in rows]
        return [row | {"file": row["file"] and str(self._folder / row["file"])} for row in found]


def _continues(seen: SeenHead, head: Known, proofs: Proofs, place: int) -> bool:
    """Whether the answer proves that what the peer saw is a part of what is known here."""
    if seen.size == head.size:
        return seen.root == head.root
    try:
        path = read_path(proofs.hashes, proofs.consistency[place])
        verify_consistency(seen.size, head.size, seen.root, head.root, path)
    except (InvalidInput, IndexError):
        return False
    return True


def _unproven(seen: SeenHead) -> OperatorError:
    return OperatorError(
        UNPROVEN,
        f"the broker does not prove what its log was at {seen.size} leaves, which {seen.sender} "
        "has seen otherwise, or does not say",
        hint=f"compare with {seen.sender} by another way: both run saphan audit heads {seen.size}",
    )
