"""A node's own entries under signed heads, without a broker: for tests of what they rest under."""

from __future__ import annotations

from pathlib import Path

from saphan.node.anchors import encoded_path
from saphan.node.logs import Logs
from saphan.node.proving.chain import stored_path
from saphan.node.proving.notes_kept import NotesKept
from saphan.node.proving.proofs import WitnessedProofs
from saphan.node.rows.db import Database
from saphan_protocol.checkpoint import format_checkpoint
from saphan_protocol.evidence import entry_leaf
from saphan_protocol.identity import identity
from saphan_protocol.merkle import leaf_hash, verify_inclusion
from saphan_protocol.notes import format_vkey
from saphan_protocol.pins import Pins
from saphan_protocol.tile_tree import TileTree
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import LogPin
from saphan_schemas.frames import Feed
from saphan_schemas.records import Entry, LeafType

from support.log_keys import log_note, log_pair

DIRECTORY, EVIDENCE = "bridge.test/directory/1", "bridge.test/evidence/1"
OWN, OTHER, THIRD = "la.ospp", "kh.gpo", "vn.vks"
NOW = 1_752_624_000
SALT = b"s" * 32
KIND = "saphan/expired/1"


def _pin(origin: str) -> LogPin:
    first, second = log_pair(origin)
    return LogPin(origin, (format_vkey(first), format_vkey(second)))


PINS = Pins(name="bridge.test", directory=_pin(DIRECTORY), evidence=_pin(EVIDENCE))


def _no_tile(level: int, n: int) -> bytes:
    raise AssertionError(f"tile {level}/{n} was asked for")


class ProvenLogs:
    """The store of `OWN`, and the log that it is shown; every leaf is an entry of its corridor."""

    def __init__(self, folder: Path) -> None:
        self.db = Database(folder)
        self.tree = TileTree(0, {}, _no_tile)
        self.entries: list[bytes] = []
        self.open()

    def open(self) -> None:
        """As after a start."""
        self.logs = Logs(self.db, PINS)
        self.proofs = WitnessedProofs(OWN, self.db, self.logs)
        self.notes = NotesKept(self.db, self.logs, self.proofs)

    def leaf(self, index: int) -> bytes:
        """Hash of the leaf of an entry."""
        return leaf_hash(entry_leaf(LeafType.EXPIRED, self.entries[index], SALT))

    def show(self, *entries: int, time: int = NOW, sender: str = OWN) -> int:
        """A frame for each number: so many entries, under a head of their own; its size."""
        for count in entries:
            for _ in range(count):
                number = len(self.entries)
                before = number - 1 if number else None
                entry = Entry(
                    sender, OTHER, number + 1, before, time * 1000, KIND, identity(KIND, b"x")
                )
                self.entries.append(encode(entry))
            first = self.tree.size
            self.tree, _ = self.tree.grow(
                [self.leaf(index) for index in range(first, len(self.entries))]
            )
            self._take(first, time, sender)
        return self.tree.size

    def _take(self, first: int, time: int, sender: str) -> None:
        size, known = self.tree.size, self.logs.evidence_heads.newest
        start = known.size if known else 0
        note = log_note(EVIDENCE, format_checkpoint(EVIDENCE, size, self.tree.root()), time)
        path = self.tree.consistency(start) if start else ()
        check = self.logs.check_feed(Feed(note, start, path, None, (), (), size - 1))
        with self.db.transaction() as tx:
            for index in range(first, size):
                inclusion = encoded_path(self.tree.inclusion(index))
                entry = self.entries[index]
                tx.execute(
                    "INSERT INTO entries (idx, event, time, sender, recipient, issuer, entry,"
                    " salt, statement, head_size, path) VALUES (?, 'expired', ?, ?, ?, 'broker',"
                    " ?, ?, x'', ?, ?)",
                    (index, time * 1000, sender, OTHER, entry, SALT, size, inclusion),
                )
            tx.execute(
                "INSERT OR IGNORE INTO corridors VALUES (?, ?, ?, ?)", (sender, OTHER, size, size)
            )
            self.logs.keep_feed(tx, check)
        self.logs.adopt_feed(check)

    def cosign(self, size: int, *names: str) -> None:
        """These agencies' lines on that head were kept; the lines are another test's subject."""
        with self.db.transaction() as tx:
            tx.execute(
                "UPDATE heads SET witnesses = ? WHERE origin = ? AND size = ?",
                (" ".join(sorted(names)), EVIDENCE, size),
            )

    def unproven(self) -> list[int]:
        """Entries without a witnessed proof."""
        return [index for (index,) in self.db.rows("SELECT idx FROM unproven ORDER BY idx")]

    def resting(self) -> dict[int, int]:
        """Size of the head under which each entry rests; each path is checked against its note."""
        rows = self.db.rows(
            "SELECT e.idx, e.head_size, e.path, h.root FROM entries e LEFT JOIN heads h"
            " ON h.origin = ? AND h.size = e.head_size ORDER BY e.idx",
            (EVIDENCE,),
        )
        for index, size, path, root in rows:
            assert root is not None, f"the note of {size} leaves is gone, and {index} rests there"
            verify_inclusion(index, size, self.leaf(index), stored_path(path), root)
        return {index: size for index, size, _, _ in rows}

    def anchor(self) -> int:
        """The newest leaf counts as an anchor as well; its index."""
        index, size = self.tree.size - 1, self.tree.size
        path = encoded_path(self.tree.inclusion(index))
        with self.db.transaction() as tx:
            row = (index, 1, bytes(32), size, path)
            tx.execute("INSERT INTO anchors VALUES (?, ?, ?, ?, ?)", row)
        return index

    def anchored(self) -> dict[int, int]:
        """Size of the head under which each anchor rests; each path is checked against its note."""
        rows = self.db.rows(
            "SELECT a.idx, a.head_size, a.path, h.root FROM anchors a JOIN heads h"
            " ON h.origin = ? AND h.size = a.head_size",
            (EVIDENCE,),
        )
        for index, size, path, root in rows:
            verify_inclusion(index, size, self.leaf(index), stored_path(path), root)
        return {index: size for index, size, _, _ in rows}

    def kept(self) -> list[int]:
        """Sizes of the heads whose notes are here."""
        rows = self.db.rows("SELECT size FROM heads WHERE origin = ? ORDER BY size", (EVIDENCE,))
        return [size for (size,) in rows]
