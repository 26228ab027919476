"""A log as an auditor reads it: signed head, leaves in order, tiles if there are any.

The root is computed anew from the leaves. Tiles are not needed for that; where they are at hand
they tell which leaf is not the one that was signed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from saphan_schemas.directory_records import LogPin
from saphan_schemas.errors import InvalidInput

from saphan_protocol.audit.report import AuditStep, Progress, Trail
from saphan_protocol.checkpoint import Head, KeyPair, verify_head
from saphan_protocol.merkle import EMPTY_ROOT, Frontier, leaf_hash, node_hash
from saphan_protocol.notes import KeyType, parse_vkey
from saphan_protocol.tile_tree import TileTree

PROGRESS_LEAVES = 4096


class LogSource(Protocol):
    """Where a log comes from: a folder, a store, memory. Nothing of it is believed."""

    def note(self) -> bytes:
        """The newest head as a note, with any cosignatures."""

    def leaves(self, size: int) -> Iterator[bytes]:
        """Leaves 0 to size - 1 in order; fewer if there are fewer."""

    def tree(self, size: int) -> TileTree | None:
        """The log's tiles at this size; None without tiles."""


def pinned_keys(pin: LogPin) -> KeyPair:
    """A log's verifier keys as a pin file gives them.

    Raises:
        InvalidInput: `vkey_*`; the pin file is wrong, not the log.
    """
    first, second = (parse_vkey(vkey).named(pin.origin) for vkey in pin.vkeys)
    if (first.type, second.type) != (KeyType.ED25519, KeyType.COSIGNATURE_MLDSA44):
        raise InvalidInput(
            "vkey_pair",
            f"the pin file does not give {pin.origin} a key of type 01 and then one of type 06",
            field="pins.vkeys",
        )
    return first, second


def pinned_head(source: LogSource, pin: LogPin) -> Head:
    """The log's head, believed by the pinned keys alone (log.md, H1 to H7)."""
    return verify_head(source.note(), pinned_keys(pin))


class CheckedLeaves:
    """Iterates over the leaves of a log and compares what they make with its head (D2, E2).

    Attributes:
        frontier: all leaves given so far.
        tree: the log's tiles, whose root is the head's; None without tiles.
    """

    def __init__(
        self, source: LogSource, head: Head, trail: Trail, step: AuditStep, progress: Progress
    ) -> None:
        self._source = source
        self._head = head
        self._trail = trail
        self._step = step
        self._progress = progress
        self.frontier = Frontier()
        trail.at(step)
        self.tree = source.tree(head.size)
        if self.tree is not None and self.tree.root() != head.root:
            raise _root_differs(head)

    def __iter__(self) -> Iterator[bytes]:
        head, frontier, tree, trail = self._head, self.frontier, self.tree, self._trail
        for index, leaf in enumerate(self._source.leaves(head.size)):
            trail.at(self._step, index)
            if index >= head.size:
                raise InvalidInput(
                    "log_long", f"leaf {index} lies beyond the head of {head.size}", field="leaves"
                )
            digest = leaf_hash(leaf)
            if tree is not None and tree.node(0, index) != digest:
                raise InvalidInput(
                    "leaf_differs", f"leaf {index} is not the one that was signed", field="leaf"
                )
            frontier.append(digest)
            yield leaf
            if index % PROGRESS_LEAVES == 0:
                self._progress(trail.log, index, head.size)
        self._finish()

    def _finish(self) -> None:
        head, seen = self._head, self.frontier.size
        self._trail.at(self._step)
        if seen != head.size:
            raise InvalidInput(
                "log_short",
                f"{head.origin} has {head.size} leaves by its head, and {seen} are here",
                field="leaves",
            )
        if self.frontier.root() != head.root:
            raise _root_differs(head)
        self._progress(self._trail.log, head.size, head.size)


def root_at(tree: TileTree, size: int) -> bytes:
    """Root of the first `size` leaves of a log, from its tiles."""
    root: bytes | None = None
    end = size
    while end:
        level = (end & -end).bit_length() - 1
        end -= 1 << level
        part = tree.node(level, end >> level)
        root = part if root is None else node_hash(part, root)
    return EMPTY_ROOT if root is None else root


def _root_differs(head: Head) -> InvalidInput:
    return InvalidInput(
        "root_differs",
        f"the leaves of {head.origin} do not make the root that its head signs",
        field="head.root",
    )
