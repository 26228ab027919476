"""Two logs as a broker keeps them: leaves, corridors, anchors, signed and cosigned heads, tiles."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from saphan_protocol.checkpoint import cosign_lines, format_checkpoint, log_lines
from saphan_protocol.evidence import anchor_leaf, entry_leaf
from saphan_protocol.identity import identity
from saphan_protocol.merkle import Frontier, leaf_hash
from saphan_protocol.notes import KeyType, add_lines, format_vkey, verifier_key
from saphan_protocol.pins import Pins
from saphan_protocol.suite import MLDSA44PrivateKey
from saphan_protocol.tile_tree import TileTree
from saphan_protocol.tiles import TILE_WIDTH, encode_bundle, entries_path, tile_path
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import LogPin
from saphan_schemas.limits import SECOND_MS
from saphan_schemas.records import Entry, HeadRef, LeafType

from benchmarks.seeded.parties import Party

NAME: Final = "bridge.example"


class Log:
    """One growing log in a folder; bundles are written as they fill, tiles and head at the end."""

    def __init__(self, folder: Path, origin: str) -> None:
        self.folder, self.origin = folder, origin
        seeds = [sha256(f"{origin} {half}".encode()).digest() for half in ("ed", "mldsa")]
        self._keys = (
            Ed25519PrivateKey.from_private_bytes(seeds[0]),
            MLDSA44PrivateKey.from_seed_bytes(seeds[1]),
        )
        self.frontier = Frontier()
        self._hashes: list[bytes] = []
        self._waiting: list[bytes] = []

    @property
    def pin(self) -> LogPin:
        """What an auditor believes the log's heads by."""
        first, second = self._keys
        keys = (
            verifier_key(self.origin, KeyType.ED25519, first.public_key().public_bytes_raw()),
            verifier_key(
                self.origin, KeyType.COSIGNATURE_MLDSA44, second.public_key().public_bytes_raw()
            ),
        )
        return LogPin(self.origin, (format_vkey(keys[0]), format_vkey(keys[1])))

    def add(self, leaf: bytes) -> int:
        """Append a leaf; gives its index."""
        digest = leaf_hash(leaf)
        self._hashes.append(digest)
        self.frontier.append(digest)
        self._waiting.append(leaf)
        if len(self._waiting) == TILE_WIDTH:
            self._bundle()
        return len(self._hashes) - 1

    def head(self, time: int, witnesses: list[tuple[Party, int]]) -> bytes:
        """The signed head of what is there, cosigned by each witness; times in seconds."""
        text = format_checkpoint(self.origin, self.frontier.size, self.frontier.root())
        note = log_lines(*self._keys, self.origin, text, time)
        for party, then in witnesses:
            key = party.witness
            note = add_lines(note, cosign_lines(key.ed25519, key.mldsa44, party.name, text, then))
        return note

    def finish(self, note: bytes) -> None:
        """Write what is left: the last bundle, all tiles, the checkpoint."""
        if self._waiting:
            self._bundle()
        tree = TileTree(0, {}, lambda level, n: b"")
        for (level, n), data in tree.append(self._hashes).items():
            _put(self.folder / tile_path(level, n, len(data) // 32), data)
        _put(self.folder / "checkpoint", note)

    def _bundle(self) -> None:
        n = (len(self._hashes) - 1) // TILE_WIDTH
        path = entries_path(n, len(self._waiting))
        _put(self.folder / path, encode_bundle(self._waiting))
        self._waiting.clear()


class Book:
    """A broker's bookkeeping: both logs, the corridors, and the newest head that nodes have seen.

    Args:
        folder: gets `directory/` and `evidence/`.
    """

    def __init__(self, folder: Path) -> None:
        self.directory = Log(folder / "directory", f"{NAME}/directory/1")
        self.evidence = Log(folder / "evidence", f"{NAME}/evidence/1")
        self.pins = Pins(name=NAME, directory=self.directory.pin, evidence=self.evidence.pin)
        self.seen: HeadRef | None = None
        self._corridors: dict[tuple[str, str], tuple[int, int]] = {}

    def anchor(self) -> None:
        """State the directory's size and root."""
        frontier = self.directory.frontier
        self.evidence.add(anchor_leaf(frontier.size, frontier.root()))

    def enter(
        self,
        corridor: tuple[str, str],
        kind: LeafType,
        named: str,
        statement: bytes,
        salt: bytes,
        time: int,
        due_day: int | None = None,
        target: int | None = None,
    ) -> tuple[int, bytes]:
        """Log one entry; gives its index and the entry's bytes.

        Args:
            named: PAE type of the statement.
            time: ms; never before that of an entry before it.
            target: the `submitted` leaf that a destruction is about.
        """
        number, previous = self._corridors.get(corridor, (0, None))
        entry = encode(
            Entry(*corridor, number + 1, previous, time, named, identity(named, statement))
        )
        index = self.evidence.add(entry_leaf(kind, entry, salt, due_day, target))
        self._corridors[corridor] = (number + 1, index)
        return index, entry

    def head(self, time: int, witnesses: list[Party], lag: int) -> bytes:
        """Sign the evidence log's head at `time` (ms); witnesses cosign `lag` seconds later."""
        seconds = time // SECOND_MS
        frontier = self.evidence.frontier
        self.seen = HeadRef(self.evidence.origin, frontier.size, frontier.root())
        return self.evidence.head(seconds, [(party, seconds + lag) for party in witnesses])


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
