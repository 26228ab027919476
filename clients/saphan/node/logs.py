"""What the two logs said, as far as this node has verified it: nothing else is believed.

Directory leaves are replayed; feed entries are checked for inclusion, corridor number, predecessor
and order of time, and each is given the directory size by which it is judged (its last anchor).
Checks come first and change nothing; `keep` persists; `adopt` makes it the memory's state. A crash
between any two of them repeats the frame.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence

from saphan_protocol.agreement import Agreed, check_pins
from saphan_protocol.agreement_order import Ordered
from saphan_protocol.checkpoint import Head
from saphan_protocol.corridor import Tail, follow
from saphan_protocol.directory import Directory
from saphan_protocol.identity import sha256
from saphan_protocol.merkle import Frontier, leaf_hash, verify_inclusion
from saphan_protocol.pins import Pins
from saphan_protocol.split_file import History
from saphan_schemas.bodies import known_types
from saphan_schemas.directory_records import Agreement
from saphan_schemas.errors import InvalidInput, OperatorError, Refused, SaphanError, Unavailable
from saphan_schemas.frames import AnchorProof, DirectoryLeaves, Feed, Witnessed
from saphan_schemas.records import Entry, HeadRef

from saphan.node.anchors import Anchors
from saphan.node.feed_check import FeedCheck
from saphan.node.heads import Heads, cleaned
from saphan.node.rows.db import Database
from saphan.node.rows.places import first_of, log_number
from saphan.node.split import Known, Shown, TwoHistories, history_of_leaves, two_directories


class Logs:
    """Both logs of one broker as this node knows them."""

    def __init__(self, db: Database, pins: Pins) -> None:
        self._db = db
        self._follow(pins)
        self.directory = Directory()
        self.lock = threading.RLock()  # the directory is replayed in one thread and read in others
        self.types = {known.name: known.digest for known in known_types()}
        self._frontier = Frontier()
        self._roots = [self._frontier.root()]
        self._pending: list[bytes] = []  # received, not believed yet
        self._unstored: list[bytes] = []  # replayed, not on disk yet
        self._packages: dict[bytes, None] = {}
        self._witnessed: Known | None = None
        self._load_directory()
        self.grew_at = self.directory_heads.newest.time if self.directory_heads.newest else 0
        self.load_feed()

    def _follow(self, pins: Pins) -> None:
        self.pins = pins
        self.first = first_of(log_number(pins.evidence))
        """The stored place of the evidence log's first leaf."""
        self.directory_heads = Heads(self._db, pins.directory)
        self.evidence_heads = Heads(self._db, pins.evidence, proving=True)

    def follow(self, pins: Pins) -> None:
        """Go on with a successor, once the store says that it is one (`succession.adopting`)."""
        with self.lock:
            self._follow(pins)
            self.load_feed()

    def load_feed(self) -> None:
        """Take what the store says: at start, and after a write whose outcome is not known."""
        self.evidence_heads.load()
        self._anchors = Anchors(self._db, self.first)
        self._tails = {
            (sender, recipient): Tail(number, index)
            for sender, recipient, number, index in self._db.rows("SELECT * FROM corridors")
        }
        # The newest entry's: time never falls, and looking for the greatest would read them all.
        row = self._db.row(
            "SELECT time FROM entries WHERE idx >= ? ORDER BY idx DESC LIMIT 1", (self.first,)
        )
        self._time: int = row[0] if row else 0
        found = self._db.row("SELECT value FROM facts WHERE name = 'after'")
        self.after: int | None = None if found is None else int(found[0])

    def _load_directory(self) -> None:
        for (leaf,) in self._db.rows("SELECT leaf FROM leaves ORDER BY idx"):
            self._apply(leaf)
        for (package,) in self._db.rows("SELECT package FROM agreements ORDER BY position"):
            self.directory.add_package(package)

    def _apply(self, leaf: bytes) -> None:
        self.directory.apply(leaf, self.types)
        self._frontier.append(leaf_hash(leaf))
        self._roots.append(self._frontier.root())

    def expect(self, directory: Known | None, evidence: Known | None) -> None:
        """Never go behind what this node's witness has signed, whatever backup the store is.

        Raises:
            TwoHistories: the store holds another one than the witness has signed.
        """
        self._witnessed = directory
        if evidence is not None:
            self.evidence_heads.take_newer(evidence)
        self._check_witnessed(self.directory_heads.newest)

    def _check_witnessed(self, newest: Known | None, fresh: Sequence[bytes] = ()) -> None:
        """Whether the directory replayed here, and `fresh` leaves up to its newest head, is the one
        witnessed."""
        known, have = self._witnessed, self.directory.size
        if known is None or newest is None or known.size > have + len(fresh):
            return
        if known.size <= have:
            root = self._roots[known.size]
        else:
            trial = self._frontier.copy()
            trial.extend(leaf_hash(leaf) for leaf in fresh[: known.size - have])
            root = trial.root()
        if root != known.root:
            origin = self.pins.directory.origin
            notes = (known.note, newest.note)
            histories = self._directory_history(known.size, newest, fresh)
            raise TwoHistories(origin, known.size, Shown(notes=notes, histories=histories))

    def _directory_history(
        self, size: int, newest: Known, fresh: Sequence[bytes] = ()
    ) -> tuple[History, ...]:
        """What the directory's root was at `size` leaves, by the leaves that are here."""
        stored = [leaf for (leaf,) in self._db.rows("SELECT leaf FROM leaves ORDER BY idx")]
        replayed = stored[: self.directory.size - len(self._unstored)] + self._unstored
        leaves = [*replayed, *fresh]
        return history_of_leaves(self.pins.directory.origin, leaves, size, newest)

    def heads(self) -> tuple[HeadRef, ...]:
        """The newest verified head of each log, for the login."""
        refs = (self.directory_heads.ref, self.evidence_heads.ref)
        return tuple(ref for ref in refs if ref is not None)

    def seen(self) -> HeadRef | None:
        """The newest verified evidence head, as consignments name it."""
        return self.evidence_heads.ref

    @property
    def doubted(self) -> bool:
        """Whether a log has shown a head last that is not proven to continue what is known."""
        return self.directory_heads.doubted or self.evidence_heads.doubted

    # --- the directory ----------------------------------------------------------------------------

    @property
    def leaves(self) -> int:
        """Directory leaves that need not come again; the last of them may not be believed yet.

        What is replayed and not on disk comes again: with it, it is stored.
        """
        return self.directory.size - len(self._unstored) + len(self._pending)

    def take_directory(self, frame: DirectoryLeaves) -> tuple[Head | None, list[SaphanError]]:
        """Verify, persist and replay directory leaves; returns the head and refused agreements.

        None for the head before its last leaf is here: what was witnessed is held against leaves,
        so whoever withholds one gets no cosignature. A leaf that the log holds but this program
        refuses stops the node: it could not judge anything after it.

        Raises:
            InvalidInput: head, proof, `leaves_differ`; TwoHistories.
        """
        known = self.directory_heads.newest
        proven = 0 if known is None else known.size
        head = self.directory_heads.verify(frame.note, proven, frame.consistency)
        have = self.directory.size + len(self._pending)
        if frame.start > have:
            raise InvalidInput(
                "directory_gap",
                f"leaves from {frame.start} on, but {have} are known here",
                field="start",
                hint="nothing of it was kept, the node asks again; tell the operator if it stays",
            )
        # Leaves that are here already may come again after a lost answer.
        self._pending += frame.leaves[have - frame.start :]
        self._packages |= dict.fromkeys(frame.agreements)
        if head.size < self.directory.size:
            raise OperatorError(
                "successor_behind",
                f"{head.origin} has {head.size} leaves, {self.directory.size} are known here",
                hint="it cannot be made again: keep this node's data, which proves what is left "
                "out, and speak with the broker's operator and the other agencies",
            )
        if self.directory.size + len(self._pending) < head.size:
            return None, []  # more frames follow; nothing is believed before the last leaf is here
        fresh, self._pending = self._pending, []
        self._check_leaves(fresh, head)
        self._check_witnessed(Known(head.size, head.root, head.time, head.note), fresh)
        with self.lock:
            for leaf in fresh:
                self._apply(leaf)
                self._unstored.append(leaf)
            packages, refused = self._judge_packages(tuple(self._packages))
        self._packages = {}
        self._persist_directory(head, packages)
        self.directory_heads.adopt(head)
        if fresh:
            self.grew_at = head.time
        return head, refused

    def _check_leaves(self, fresh: Sequence[bytes], head: Head) -> None:
        trial = self._frontier.copy()
        trial.extend(leaf_hash(leaf) for leaf in fresh)
        if trial.size != head.size or trial.root() != head.root:
            # The head is signed and the leaves are not: they may have changed on the line.
            raise InvalidInput(
                "leaves_differ",
                f"{self.pins.directory.origin}: the leaves do not make the signed root",
                field="leaves",
                hint="nothing of it was kept, the node asks again; tell the operator if it stays",
            )

    def _judge_packages(self, packages: Sequence[bytes]) -> tuple[list[bytes], list[SaphanError]]:
        good, refused = [], []
        for package in packages:
            try:
                # Judged by the keys of its own place in the log, and by this node's pin file.
                self.directory.add_package(package, self._check_pins)
                good.append(package)
            except SaphanError as error:
                refused.append(error)
        return good, refused

    def open_by_hand(self, package: bytes) -> bool:
        """Open a leaf that the broker has shown without its text, durably; False: there is none.

        Raises:
            InvalidInput, Refused: what `Directory.add_package` raises; OperatorError: the disk.
        """
        try:
            with self.lock:
                self.directory.add_package(package, self._check_pins)
        except Refused as error:
            if error.code != "agreement_unlogged":
                raise
            return False
        with self._db.transaction() as tx:
            self._keep_packages(tx, [package])
        return True

    def _check_pins(self, text: Agreement) -> None:
        """A node refuses an agreement that pins other log keys than its pin file."""
        check_pins(text, *self.pins.lasting)

    def check_agreement(self, package: bytes) -> Agreed:
        """Judge a finished agreement before it is registered.

        Raises:
            InvalidInput, Refused: what `agreement.check_agreement` and `check_pins` raise.
        """
        with self.lock:
            agreed = self.directory.check_package(package)
        self._check_pins(agreed.text)
        return agreed

    def check_order(self, package: bytes) -> Ordered:
        """Judge an order before it is registered; raises as `Directory.check_order`."""
        with self.lock:
            return self.directory.check_order(package)

    def _persist_directory(self, head: Head, packages: Sequence[bytes]) -> None:
        """All that was replayed and is not on disk: a write that failed before is made up for."""
        start = self.directory.size - len(self._unstored)
        with self._db.transaction() as tx:
            tx.executemany(
                "INSERT INTO leaves VALUES (?, ?) ON CONFLICT DO NOTHING",
                [(start + place, leaf) for place, leaf in enumerate(self._unstored)],
            )
            self._keep_packages(tx, packages)
            self.directory_heads.keep(tx, cleaned(self.directory, head))
        self._unstored = []

    @staticmethod
    def _keep_packages(tx: sqlite3.Connection, packages: Sequence[bytes]) -> None:
        tx.executemany(
            "INSERT INTO agreements (identity, package) VALUES (?, ?) ON CONFLICT DO NOTHING",
            [(sha256(package), package) for package in packages],
        )

    def anchored(self) -> int:
        """Directory size of the newest anchor known; 0 before any."""
        return self._anchors.newest

    def take_witnessed(self, frame: Witnessed) -> None:
        """Keep the witnesses of a head that this node has verified before.

        Raises:
            InvalidInput: the lines do not parse; `witness_differs`.
        """
        if frame.head.origin != self.evidence_heads.origin:
            return
        head = self.evidence_heads.with_lines(frame.head, frame.lines)
        if head is None:
            return
        with self.lock:
            head = cleaned(self.directory, head)
        if head.cosignatures:
            with self._db.transaction() as tx:
                self.evidence_heads.keep(tx, head)

    # --- the feed ---------------------------------------------------------------------------------

    def check_feed(self, frame: Feed) -> FeedCheck:
        """Verify a frame's head and anchor.

        Raises:
            InvalidInput: head or proof; Unavailable: `directory_behind`; TwoHistories;
                OperatorError.
        """
        head = self.evidence_heads.verify(frame.note, frame.start, frame.consistency)
        if frame.next > head.size:
            raise InvalidInput("feed_next", "the frame ends beyond its head", field="next")
        anchor = frame.anchor
        if anchor is not None:
            self._check_anchor(anchor, head)
        return FeedCheck(head=head, anchor=anchor, next=frame.next, time=self._time)

    def _check_anchor(self, anchor: AnchorProof, head: Head) -> None:
        self._anchors.check(anchor, head)
        if anchor.size > self.directory.size:
            raise Unavailable(
                "directory_behind",
                f"the anchor names {anchor.size} directory leaves, {self.directory.size} are here",
            )
        if self._roots[anchor.size] != anchor.root:
            newest = self.directory_heads.newest or Known(0, b"", 0)
            histories = self._directory_history(anchor.size, newest)
            raise two_directories(self.pins.directory.origin, anchor, head, newest, histories)

    def judged_at(self, index: int, check: FeedCheck) -> int:
        """Directory size of the last anchor before the entry at `index`."""
        anchor = check.anchor
        if anchor is not None and anchor.index < index:
            return anchor.size
        before = self._anchors.before(index)
        if before is not None:
            return before
        # The anchor before this entry was never told: the nearest later one judges instead.
        return self.directory.size if anchor is None else anchor.size

    def check_entry(
        self, check: FeedCheck, index: int, leaf: bytes, path: Sequence[bytes], entry: Entry
    ) -> None:
        """Inclusion under the frame's head, place in its corridor, time not before the last.

        Raises:
            InvalidInput: `proof_inclusion`; OperatorError: `corridor_gap`, `corridor_fork`,
                `time_falls`: the node stops trusting this log and keeps what it has.
        """
        verify_inclusion(index, check.head.size, leaf_hash(leaf), path, check.head.root)
        pair = (entry.sender, entry.recipient)
        tail = check.tails.get(pair) or self._tails.get(pair, Tail())
        try:
            check.tails[pair] = follow(tail, index, entry)
        except SaphanError as error:
            raise OperatorError(
                error.code, error.message, hint="tell the broker's operator; this node has stopped"
            ) from None
        if entry.time < check.time:
            raise OperatorError(
                "time_falls",
                f"the entry at {index} is dated before the one before it",
                hint="tell the broker's operator: the log's time may never fall",
            )
        check.time = entry.time

    def keep_feed(self, tx: sqlite3.Connection, check: FeedCheck) -> None:
        """Persist head, anchor, corridor ends and cursor, in the transaction of the entries."""
        self.evidence_heads.keep(tx, cleaned(self.directory, check.head))
        if check.anchor is not None:
            self._anchors.keep(tx, check.anchor, check.head.size)
        tx.executemany(
            "INSERT INTO corridors VALUES (?, ?, ?, ?) ON CONFLICT (sender, recipient)"
            " DO UPDATE SET number = excluded.number, idx = excluded.idx",
            [(*pair, tail.number, tail.index) for pair, tail in check.tails.items()],
        )
        after = check.next if self.after is None else max(self.after, check.next)
        tx.execute(
            "INSERT INTO facts VALUES ('after', ?) ON CONFLICT (name)"
            " DO UPDATE SET value = excluded.value",
            (after,),
        )

    def adopt_feed(self, check: FeedCheck) -> None:
        """Make the persisted frame the memory's state."""
        self.evidence_heads.adopt(check.head)
        self._tails.update(check.tails)
        self._time = max(self._time, check.time)
        self.after = check.next if self.after is None else max(self.after, check.next)
        if check.anchor is not None:
            self._anchors.adopt(check.anchor)
