"""Anchors under audit: which size of the directory judges what follows (steps E4 and E5)."""

from __future__ import annotations

from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import LIMITS, SECOND_MS
from saphan_schemas.records import LeafType

from saphan_protocol.audit.before import Before
from saphan_protocol.audit.report import AuditStep, Trail
from saphan_protocol.checkpoint import Head
from saphan_protocol.evidence import Leaf


class Anchors:
    """Steps E4 and E5: which size of the directory judges what follows."""

    def __init__(self, roots: list[bytes], trail: Trail, before: Before) -> None:
        self._roots = roots
        self._trail = trail
        self._before = before
        self.size = 0

    def take(self, index: int, leaf: Leaf) -> None:
        self._trail.at(AuditStep.ANCHOR, index)
        self._before.take(index, leaf)
        if leaf.type is LeafType.SUCCESSOR:
            return
        if leaf.size is not None and leaf.root is not None:
            self._anchor(leaf.size, leaf.root)
        elif index == self._before.leaves:
            raise InvalidInput("anchor_missing", "the log does not begin with an anchor")
        elif leaf.target is not None and leaf.target >= index:
            raise InvalidInput("target_malformed", f"leaf {leaf.target} does not lie before it")

    def finish(self, evidence: Head, directory: Head) -> None:
        """The last anchor names the newest directory, or is not yet due (bytes.md, Anchors).

        Raises:
            Refused: `anchor_lags`.
        """
        late = (evidence.time - directory.time) * SECOND_MS > LIMITS.skew_ms
        if self.size < directory.size and late:
            raise Refused(
                "anchor_lags",
                f"its last anchor names {self.size} directory leaves, {directory.size} were "
                "signed more than 60 s before its head",
            )

    def _anchor(self, size: int, root: bytes) -> None:
        if size < self.size:
            raise Refused(
                "anchor_falls",
                f"it names {size} directory leaves after {self.size}: newer operations are hidden",
            )
        if size >= len(self._roots):
            raise Refused(
                "anchor_beyond",
                f"it names {size} directory leaves, and {len(self._roots) - 1} are here",
                hint="fetch the directory log again",
            )
        if self._roots[size] != root:
            raise Refused(
                "anchor_differs",
                f"it names another directory of {size} leaves than the one shown here",
            )
        self.size = size
