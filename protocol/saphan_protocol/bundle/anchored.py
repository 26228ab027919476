"""Anchors of a bundle, and by which sizes of the directory an entry is judged (step V9).

The last anchor before an entry decides. A bundle cannot show that none lies between the one it
shows and the entry. So every entry is judged at the size of the last anchor shown before it, and
then at all sizes up to that of the first one shown after it at which something may have changed:
what all of them allow was allowed, whichever decided.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from saphan_schemas.bundles import BundleAnchor
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import SECOND_MS

from saphan_protocol.bundle.logs import Logs
from saphan_protocol.bundle.reading import disordered
from saphan_protocol.bundle.report import BundleStep
from saphan_protocol.bundle.trail import Trail
from saphan_protocol.checkpoint import Head
from saphan_protocol.evidence import anchor_leaf
from saphan_protocol.merkle import leaf_hash, verify_inclusion


@dataclass(frozen=True, slots=True)
class Bracket:
    """Directory sizes that an entry is judged by.

    Args:
        first: of the last anchor shown before it; what this refuses is refused.
        later: others that may have decided, rising; what one of these refuses is a gap.
        closed: a later anchor bounds them; else the directory's head does.
    """

    first: int
    later: tuple[int, ...]
    closed: bool


class Anchors:
    """Every anchor shown, by rising index."""

    def __init__(self, logs: Logs, changes: Iterable[int]) -> None:
        self._logs = logs
        self._changes = sorted(changes)
        """Directory leaves after which an agreement may stand otherwise; keys only ever end."""
        self._indices: list[int] = []
        self._sizes: list[int] = []

    def take(self, items: Iterable[BundleAnchor], trail: Trail) -> None:
        """Step V9 for every anchor.

        Raises:
            InvalidInput: `evidence_order`, `head_unshown`, `proof_inclusion`.
            Refused: `anchor_falls`, `anchor_beyond`, `anchor_differs`.
        """
        for item in items:
            trail.at(BundleStep.ANCHORS, item.index)
            if self._indices and item.index <= self._indices[-1]:
                raise disordered("anchors stand by rising index")
            head = head_of(self._logs, item.head)
            leaf = leaf_hash(anchor_leaf(item.size, item.root))
            verify_inclusion(item.index, head.size, leaf, item.path, head.root)
            self._check_directory(item)
            self._indices.append(item.index)
            self._sizes.append(item.size)

    def bracket(self, index: int, time: int, trail: Trail) -> Bracket:
        """By what the entry at `index`, logged at `time` (ms), is judged.

        Raises:
            InvalidInput: `anchor_unshown`: no anchor is shown before it.
        """
        place = bisect_left(self._indices, index)
        if not place:
            raise InvalidInput(
                "anchor_unshown", f"no anchor is shown before leaf {index}", field="bundle.anchors"
            )
        first, closed = self._sizes[place - 1], place < len(self._sizes)
        head = self._logs.directory_head
        last = self._sizes[place] if closed else head.size
        if not closed and time >= (head.time + 1) * SECOND_MS:
            trail.gap("directory_older", index=index)
        between = {leaf + 1 for leaf in self._changes if first <= leaf < last}
        return Bracket(first, tuple(sorted((between | {last}) - {first})), closed)

    def _check_directory(self, item: BundleAnchor) -> None:
        if self._sizes and item.size < self._sizes[-1]:
            raise Refused(
                "anchor_falls",
                f"it names {item.size} directory leaves after {self._sizes[-1]}",
                field="bundle.anchors",
            )
        if item.size >= len(self._logs.roots):
            raise Refused(
                "anchor_beyond",
                f"it names {item.size} directory leaves, and {len(self._logs.roots) - 1} are here",
                field="bundle.anchors",
                hint="ask the bundle's maker for one with the whole directory",
            )
        if self._logs.roots[item.size] != item.root:
            raise Refused(
                "anchor_differs",
                f"it names another directory of {item.size} leaves than the one shown here",
                field="bundle.anchors",
            )


def head_of(logs: Logs, size: int) -> Head:
    """The evidence head of this size.

    Raises:
        InvalidInput: `head_unshown`.
    """
    head = logs.heads.get(size)
    if head is None:
        raise InvalidInput(
            "head_unshown", f"no head of {size} leaves is in the bundle", field="bundle.head"
        )
    return head
