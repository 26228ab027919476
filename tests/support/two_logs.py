"""A log whose keys have signed two histories, and the files that can be made of it."""

from __future__ import annotations

from saphan_protocol.checkpoint import format_checkpoint, log_lines
from saphan_protocol.evidence import successor_leaf
from saphan_protocol.merkle import (
    consistency_path,
    history_path,
    inclusion_path,
    leaf_hash,
    root_of,
)
from saphan_protocol.notes import format_vkey
from saphan_protocol.pins import Pins
from saphan_protocol.split_file import History, ShownAnchor, ShownSuccessor, SplitFile
from saphan_schemas.directory_records import LogPin

from support.log_keys import log_note, log_pair, signer

DIRECTORY, EVIDENCE = "bridge.test/directory/1", "bridge.test/evidence/1"
AFTER = "bridge.test/evidence/2"
NOW = 1_752_624_000


def pins_of(name: str = "bridge.test", number: int = 1) -> Pins:
    """Pins of a broker whose keys come from its name."""

    def pin(log: str) -> LogPin:
        origin = f"{name}/{log}/{number}"
        first, second = log_pair(f"{name}/{log}/1")
        return LogPin(origin, (format_vkey(first.named(origin)), format_vkey(second.named(origin))))

    return Pins(name=name, directory=pin("directory"), evidence=pin("evidence"))


class Story:
    """One history of a log: its leaves are those of the honest log up to `fork`, then its own."""

    def __init__(self, name: str, fork: int, size: int, origin: str = EVIDENCE) -> None:
        self.origin = origin
        self.leaves = [
            b"leaf %d" % number if number < fork else b"%s %d" % (name.encode(), number)
            for number in range(size)
        ]
        self.hashes = [leaf_hash(leaf) for leaf in self.leaves]

    def root(self, size: int) -> bytes:
        """Its root at that size."""
        return root_of(self.hashes[:size])

    def note(self, size: int, time: int = NOW, origin: str | None = None) -> bytes:
        """Its head of that size, signed by the log's keys."""
        text = format_checkpoint(origin or self.origin, size, self.root(size))
        return log_note(origin or self.origin, text, time)

    def node(self, level: int, index: int) -> bytes:
        """What `merkle` asks for."""
        return root_of(self.hashes[index << level : (index + 1) << level])

    def step(self, old: int, new: int) -> tuple[bytes, ...]:
        """RFC 9162 consistency path."""
        return consistency_path(old, new, self.node)

    def history(self, old: int, new: int) -> History:
        """A history path in this history."""
        path = history_path(old, self.root(old), self.step(old, new))
        return History(self.origin, old, new, path)

    def anchor(self, head: int, index: int, size: int, root: bytes) -> ShownAnchor:
        """An anchor leaf of this history under one of its heads."""
        path = inclusion_path(index, head, self.node)
        return ShownAnchor(head, index, size, root, path)


class Successor(Story):
    """The log after one of `EVIDENCE`'s histories: leaf 0 names that one's root, or another."""

    def __init__(self, named: int, root: bytes, size: int = 7) -> None:
        super().__init__("after", 1, size, AFTER)
        self.named = (named, root)
        self.hashes[0] = leaf_hash(successor_leaf(EVIDENCE, named, root))

    def note(self, size: int, time: int = NOW, origin: str | None = None) -> bytes:
        """Its head: signed by the keys of the log before it."""
        text = format_checkpoint(AFTER, size, self.root(size))
        return log_lines(*signer(EVIDENCE), AFTER, text, time)

    def shown(self, head: int) -> ShownSuccessor:
        """Its first leaf under one of its heads."""
        return ShownSuccessor(AFTER, head, *self.named, inclusion_path(0, head, self.node))


def split(notes: list[bytes], *histories: History, **more: object) -> SplitFile:
    """A file about the broker of `pins_of()`."""
    parts = {"pins": pins_of(), "found_by": "kh.gpo", "found_at": NOW * 1000} | more
    return SplitFile(notes=tuple(notes), histories=histories, **parts)  # type: ignore[arg-type]
