"""The audit of a broker's two logs: everything that can be proven without any private key.

Pure: logs and packs come as iterables, nothing is read or written here. The first thing wrong ends
the audit and is named; entries that no pack opens are counted. Leaves are read once, in order; in
memory stay the directory, one bit per leaf, corridors, deliveries (`corridors`,
`deliveries`), 1,024 verified roots and, per pack, 4,096 signatures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from saphan_schemas.errors import InvalidInput, OperatorError, Refused, SaphanError
from saphan_schemas.limits import LIMITS, SECOND_MS
from saphan_schemas.records import LeafType

from saphan_protocol.audit.directory import Agreements, Replayed, replay_directory, see_heads
from saphan_protocol.audit.entries import Entries
from saphan_protocol.audit.log import CheckedLeaves, LogSource, pinned_head, pinned_keys
from saphan_protocol.audit.packs import PackSet, PackSource
from saphan_protocol.audit.report import (
    CLEAR_LEAVES,
    AuditStep,
    Coverage,
    Finding,
    LogName,
    Progress,
    Report,
    Trail,
)
from saphan_protocol.checkpoint import Head
from saphan_protocol.evidence import Leaf, parse_leaf
from saphan_protocol.pins import Pins

_OF_TILES: Final = frozenset({"tile_damaged", "tile_missing"})
"""Errors of this machine's keeper that are a finding here: the log itself is damaged."""

_OF_PACKS: Final = {
    "pack_malformed": AuditStep.PACK_FORM,
    "pack_cut": AuditStep.PACK_FORM,
    "pack_order": AuditStep.PACK_ORDER,
    "pack_counts": AuditStep.PACK_END,
}
"""Steps of what a pack's reader finds, whenever it is read that far."""


def audit(
    pins: Pins,
    directory: LogSource,
    evidence: LogSource,
    packs: Iterable[PackSource],
    known_types: Mapping[str, bytes],
    progress: Progress | None = None,
) -> Report:
    """Check both logs and everything that the packs open of them.

    Args:
        pins: which logs, signed by which keys.
        packs: record packs under the names that the report shall use.
        known_types: schemas of this program, name to digest.

    Raises:
        InvalidInput: `vkey_*`, the pin file's keys are none.
        OperatorError: a source cannot be read on this machine; whatever is wrong with the logs
            or the packs themselves is the report's finding.
    """
    for pin in (pins.directory, pins.evidence):
        pinned_keys(pin)  # a pin file that is wrong says nothing about the log
    work = _Audit(pins, known_types, progress or _silent)
    try:
        work.run(directory, evidence, packs)
    except (InvalidInput, Refused, OperatorError) as error:
        if isinstance(error, OperatorError) and error.code not in _OF_TILES:
            raise
        return Report(work.coverage, work.finding(error))
    return Report(work.coverage)


class _Audit:
    def __init__(self, pins: Pins, known_types: Mapping[str, bytes], progress: Progress) -> None:
        self._pins = pins
        self._known = known_types
        self._progress = progress
        self._trail = Trail()
        self.coverage = Coverage()

    def finding(self, error: SaphanError) -> Finding:
        """Where the trail stands; a pack that cannot be read is wrong as a whole, not at a leaf."""
        trail, whole = self._trail, _OF_PACKS.get(error.code)
        if whole is not None:
            return Finding("evidence", None, whole, error.code, error.message, trail.pack)
        return Finding(trail.log, trail.index, trail.step, error.code, error.message, trail.pack)

    def run(self, directory: LogSource, evidence: LogSource, sources: Iterable[PackSource]) -> None:
        trail = self._trail
        replayed = replay_directory(
            directory, self._pins, self._known, self.coverage, trail, self._progress
        )
        trail.log = "evidence"
        packs = PackSet(sources, self._pins, trail)
        self.coverage.packs = len(packs)
        agreements = Agreements(replayed.directory, self._pins, self.coverage)
        trail.log = "directory"
        for name, package in packs.agreements():
            trail.at(AuditStep.AGREEMENTS, pack=name)
            agreements.open(package)
        trail.log = "evidence"
        trail.at(AuditStep.EVIDENCE_HEAD)
        head = pinned_head(evidence, self._pins.evidence)
        see_heads((replayed.head, head), replayed.directory, self.coverage, trail)
        self._evidence(evidence, head, replayed, packs)

    def _evidence(self, source: LogSource, head: Head, replayed: Replayed, packs: PackSet) -> None:
        """Steps E2 to E5 for every leaf, O1 to O8 for those that are opened."""
        trail = self._trail
        trail.log = "evidence"
        leaves = CheckedLeaves(source, head, trail, AuditStep.EVIDENCE_ROOT, self._progress)
        entries = Entries(replayed.directory, head, leaves.tree, self.coverage, trail)
        anchors = _Anchors(replayed.roots, trail)
        try:
            for index, raw in enumerate(leaves):
                self._leaf(index, raw, entries, anchors, packs)
        finally:
            self.coverage.unplaced = entries.deliveries.unplaced
            self.coverage.deliveries = entries.deliveries.states()
        trail.at(AuditStep.SUBMISSION)
        entries.recipients.finish(head.size)
        trail.at(AuditStep.ANCHORED)
        anchors.finish(head, replayed.head)
        packs.finish(head.size)

    def _leaf(
        self, index: int, raw: bytes, entries: Entries, anchors: _Anchors, packs: PackSet
    ) -> None:
        self._trail.at(AuditStep.LEAF, index)
        leaf = parse_leaf(raw)
        self.coverage.logged[leaf.type.name.lower()] += 1
        anchors.take(index, leaf)
        self._trail.at(AuditStep.SUBMISSION, index)
        entries.recipients.see(index, leaf)
        shown = packs.at(index)
        if shown:
            entries.take(index, raw, shown, anchors.size)
        elif leaf.type not in CLEAR_LEAVES:
            entries.corridors.leave(index)
        self.coverage.evidence_leaves = index + 1


class _Anchors:
    """Steps E4 and E5: which size of the directory judges what follows."""

    def __init__(self, roots: list[bytes], trail: Trail) -> None:
        self._roots = roots
        self._trail = trail
        self._successor = False
        self.size = 0

    def take(self, index: int, leaf: Leaf) -> None:
        self._trail.at(AuditStep.ANCHOR, index)
        if leaf.type is LeafType.SUCCESSOR and index == 0:
            self._successor = True
        elif leaf.type is LeafType.SUCCESSOR:
            raise InvalidInput("leaf_malformed", "a successor leaf stands first or nowhere")
        elif leaf.size is not None and leaf.root is not None:
            self._anchor(leaf.size, leaf.root)
        elif index == int(self._successor):
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


def _silent(_log: LogName, _done: int, _size: int) -> None:
    """Progress for nobody."""
