"""Proofs of own entries under heads that witnesses have signed: what is shown to a court one day.

An entry comes with a path under the head of its frame, which nobody else may ever have seen. Once
a kept head has the witnesses that the agreement of its corridor wants, the path is replaced by one
under that head; so everything a proof needs lies here, and no broker has to be asked for it later.

1. Lines of a witness came, or our own were made: entries under that head are moved to it along the
   steps between heads (`chain`), in one transaction. Nothing is asked, nothing is sent.
2. What no chain leads to (kept by an older release, or after a restore) is far: the broker is asked
   for its paths, a few at a time, and each is checked against leaf and root.

A crash between any two of them loses nothing: `unproven` says what is left.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from saphan_protocol.merkle import verify_inclusion
from saphan_protocol.shared_paths import read_path
from saphan_schemas.directory_records import WitnessPolicy
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.proof_frames import Proofs
from saphan_schemas.records import HeadRef

from saphan.node.anchors import encoded_path
from saphan.node.logs import Logs
from saphan.node.proving.chain import Chain, stored_path
from saphan.node.proving.stored_leaf import stored_leaf
from saphan.node.proving.witness_policy import policy, witnessed
from saphan.node.rows.db import Database, Row

Pair = tuple[str, str]

CANDIDATES: Final = 16
"""Newest heads with a witness that are looked at: more than there are agencies to an agreement."""
LOOKED: Final = "notes_kept"
"""Fact: size of the evidence head below which `notes_kept` has looked."""
AT_ONCE: Final = 1024
"""Entries moved in one transaction, some 20 ms of paths."""

_HEADS: Final = "SELECT size, root, witnesses FROM heads WHERE origin = ?"
_WITNESSED: Final = (  # by its index: a note of some KB stands before the witnesses in each row
    "SELECT size, root, witnesses FROM heads INDEXED BY heads_witnessed"
    " WHERE origin = ? AND witnesses != ''"
)
_NEAR: Final = (
    "SELECT u.idx - ?1, e.sender, e.recipient, e.head_size, e.path FROM unproven u"
    " JOIN entries e ON e.idx = u.idx WHERE u.far = 0 AND u.idx >= ?1 + ?2 AND u.idx < ?1 + ?3"
    " ORDER BY u.idx LIMIT ?4"
)
_FAR: Final = (
    "SELECT u.idx - ?, e.sender, e.recipient, e.event, e.entry, e.salt, e.statement, b.header"
    " FROM unproven u JOIN entries e ON e.idx = u.idx LEFT JOIN bulletins b ON b.id = e.bulletin"
    " WHERE u.far = 1 AND u.idx >= ? AND (e.sender, e.recipient) IN (VALUES {})"
    " ORDER BY u.idx LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A kept head and the agencies whose lines on it hold."""

    ref: HeadRef
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Question:
    """Paths that the broker is asked for: of these leaves, under this head."""

    head: HeadRef
    leaves: dict[int, bytes]
    """Leaf hashes by index."""


class WitnessedProofs:
    """The proofs of one agency's entries; one thread at a time moves them."""

    def __init__(self, agency: str, db: Database, logs: Logs) -> None:
        self._agency = agency
        self._db = db
        self._logs = logs
        self._lock = threading.Lock()
        self._far_from = 0
        self._settled: dict[Pair, int] = {}
        """Index below which nothing of a corridor is left to move."""

    @property
    def _origin(self) -> str:
        return self._logs.pins.evidence.origin

    def begin_anew(self) -> None:
        """The log has a successor: what is not witnessed in the old one never will be."""
        with self._lock:
            self._far_from = 0
            self._settled = {}

    def takes(self, pair: Pair, names: Iterable[str]) -> bool:
        """Whether these witnesses make a proof of that corridor a witnessed one, shown by us."""
        return witnessed(self._policy(pair), self._agency, names)

    def _policy(self, pair: Pair) -> WitnessPolicy:
        with self._logs.lock:
            return policy(self._logs.directory, pair)

    def candidates(self) -> list[Candidate]:
        """The newest kept heads that other agencies have signed, newest first; the newest that any
        has, us included; and the newest of all, for a policy that wants none."""
        origin, own = self._origin, self._agency
        others = " AND witnesses != ? ORDER BY size DESC LIMIT ?"
        rows = self._db.rows(_WITNESSED + others, (origin, own, CANDIDATES))
        rows += self._db.rows(_WITNESSED + " ORDER BY size DESC LIMIT 1", (origin,))
        rows += self._db.rows(_HEADS + " ORDER BY size DESC LIMIT 1", (origin,))
        return [
            Candidate(HeadRef(self._origin, size, root), frozenset(names.split()))
            for size, root, names in rows
        ]

    def settle(self) -> int:
        """Move what can be moved under the first head that its policy takes; how many it was.

        The earlier the head, the closer it bounds an entry's time.

        Raises:
            OperatorError: the disk.
        """
        with self._lock:
            return self._settle()

    def _settle(self) -> int:
        taken = self._taken()
        if not taken:
            return 0
        chain, moved = Chain(self._db.rows, self._origin), 0
        # Of a corridor that no witness signs for, entries may have gathered for years: not again.
        here = 0 if self._logs.after is None else self._logs.after + 1
        start = min(self._settled.get(pair, 0) for pair in taken)
        stop = max(sizes[-1] for sizes in taken.values())
        first = self._logs.first
        while rows := self._db.rows(_NEAR, (first, start, stop, AT_ONCE)):
            moved += self._move(rows, taken, chain)
            start = rows[-1][0] + 1
        self._settled |= {pair: min(sizes[-1], here) for pair, sizes in taken.items()}
        return moved

    def _taken(self) -> dict[Pair, list[int]]:
        """For each corridor the sizes, rising, of heads whose witnesses its policy takes."""
        found = self.candidates()
        pairs = self._db.rows("SELECT sender, recipient FROM corridors") if found else []
        taken: dict[Pair, list[int]] = {}
        for sender, recipient in pairs:
            agreed = self._policy((sender, recipient))
            sizes = {one.ref.size for one in found if witnessed(agreed, self._agency, one.names)}
            if sizes:
                taken[sender, recipient] = sorted(sizes)
        return taken

    def _move(self, rows: Sequence[Row], taken: dict[Pair, list[int]], chain: Chain) -> int:
        paths: list[tuple[int, bytes, int]] = []
        far: list[tuple[int]] = []
        done: list[tuple[int]] = []
        left: list[int] = []
        for index, sender, recipient, at, path in rows:
            sizes = taken.get((sender, recipient), [])
            place = bisect_right(sizes, index)
            if place == len(sizes):
                continue
            to = sizes[place]
            try:
                moved = chain.moved(index, stored_path(path), at, to)
            except InvalidInput:
                moved = None  # what rests here is damaged: the broker has it whole
            if moved is None:
                far.append((index,))
                continue
            paths.append((to, encoded_path(moved), index))
            done.append((index,))
            left.append(at)
        self._keep(paths, done, far, min(left, default=0))
        return len(done)

    def _keep(
        self,
        paths: list[tuple[int, bytes, int]],
        done: list[tuple[int]],
        far: Sequence[tuple[int]] = (),
        left: int = 0,
    ) -> None:
        """`left`: size of the smallest head under which fewer rest now; 0: none is known."""
        if not (done or far):
            return
        with self._db.transaction() as tx:
            log = self._logs.first
            tx.executemany(
                "UPDATE entries SET head_size = ?, path = ? WHERE idx = ?",
                [(size, path, log + index) for size, path, index in paths],
            )
            tx.executemany("DELETE FROM unproven WHERE idx = ?", [(log + at,) for (at,) in done])
            tx.executemany(
                "UPDATE unproven SET far = 1 WHERE idx = ?", [(log + at,) for (at,) in far]
            )
            if left:
                # Late witnesses: notes that were kept for these entries may go after all.
                tx.execute("UPDATE facts SET value = min(value, ?) WHERE name = ?", (left, LOOKED))

    # --- what the broker is asked for -------------------------------------------------------------

    def question(self) -> Question | None:
        """The next far entries to ask for; None when there are none, or no head takes them.

        Raises:
            OperatorError: the disk.
        """
        with self._lock:
            far = "SELECT 1 FROM unproven WHERE far = 1 AND idx >= ? LIMIT 1"
            if self._db.row(far, (self._logs.first,)) is None:
                return None
            heads = {one.ref.size: one.ref for one in self.candidates()}
            newest = {pair: heads.get(sizes[-1]) for pair, sizes in self._taken().items()}
            asked = self._question(newest) if newest else None
            if asked is None and self._far_from:
                self._far_from = 0  # round again at the next occasion: witnesses may have come
            return asked

    def _question(self, newest: dict[Pair, HeadRef | None]) -> Question | None:
        """Of one head at a time: the newest that the corridor of the first of them takes."""
        query = _FAR.format(",".join(["(?, ?)"] * len(newest)))
        names = [name for pair in newest for name in pair]
        log = self._logs.first
        while rows := self._db.rows(query, (log, log + self._far_from, *names, LIMITS.proof_items)):
            head: HeadRef | None = None
            leaves: dict[int, bytes] = {}
            for index, sender, recipient, *shown in rows:
                ref = newest.get((sender, recipient))
                if ref is None or index >= ref.size:
                    continue
                leaf = stored_leaf(*shown) if head in (None, ref) else None
                if leaf is not None:
                    head = ref
                    leaves[index] = leaf
            self._far_from = rows[-1][0] + 1
            if head is not None:
                return Question(head, leaves)
        return None

    def take(self, question: Question, frame: Proofs) -> None:
        """Keep the paths that hold; one that does not, or a row that is damaged, stops no other.

        Raises:
            InvalidInput: `proof_inclusion`, `malformed`; OperatorError: the disk.
        """
        if frame.code is not None:
            return  # it stays far; the log's contradictions are for others to find
        if len(frame.inclusion) != len(question.leaves):
            raise InvalidInput("malformed", "other paths came than were asked for", field="proofs")
        head, wrong = question.head, None
        paths: list[tuple[int, bytes, int]] = []
        for (index, leaf), places in zip(question.leaves.items(), frame.inclusion, strict=True):
            try:
                path = read_path(frame.hashes, places)
                verify_inclusion(index, head.size, leaf, path, head.root)
                paths.append((head.size, encoded_path(path), index))
            except InvalidInput as error:
                wrong = wrong or error
        with self._lock:
            if self._db.row(_HEADS + " AND size = ?", (head.origin, head.size)) is not None:
                self._keep(paths, [(index,) for _, _, index in paths])
            # else it was let go meanwhile; a newer one is asked about next
        if wrong is not None:
            raise wrong
