"""The audit of a broker's two logs: everything that can be proven without any private key.

Pure: logs and packs come as iterables, nothing is read or written here. The first thing wrong ends
the audit and is named; entries that no pack opens are counted. Leaves are read once, in order; in
memory stay the directory, one bit per leaf, corridors, deliveries (`corridors`,
`deliveries`), 1,024 verified roots, per pack 4,096 signatures, and `statistics`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final

from saphan_schemas.errors import InvalidInput, OperatorError, Refused, SaphanError
from saphan_schemas.limits import SECOND_MS
from saphan_schemas.messages import error_hint

from saphan_protocol.audit.ahead import AHEAD_ITEMS, Begin, Beside, RootsBeside, begin_by
from saphan_protocol.audit.anchors import Anchors
from saphan_protocol.audit.before import Before, OldLogs
from saphan_protocol.audit.destruction import Destructions
from saphan_protocol.audit.directory import Agreements, Replayed, replay_directory, see_heads
from saphan_protocol.audit.entries import Entries
from saphan_protocol.audit.heads import Heads
from saphan_protocol.audit.log import CheckedLeaves, LogSource, pinned_head, pinned_keys
from saphan_protocol.audit.packs import PackSet, PackSource
from saphan_protocol.audit.report import (
    CLEAR_LEAVES,
    LEAF_NAMES,
    AuditStep,
    Coverage,
    Finding,
    Progress,
    Report,
    Trail,
)
from saphan_protocol.audit.report import LogName as LogName
from saphan_protocol.audit.resuming import Continuation, Judged, Resuming
from saphan_protocol.audit.states import OF_STATES
from saphan_protocol.audit.statistics import Statistics
from saphan_protocol.batch import VerifiedRoots
from saphan_protocol.checkpoint import Head
from saphan_protocol.evidence import parse_leaf
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
    *,
    beside: Beside | None = None,
    resuming: Resuming | None = None,
    old: OldLogs | None = None,
) -> Report:
    """Check both logs and everything that the packs open of them.

    Args:
        pins: which logs, signed by which keys.
        packs: record packs under the names that the report shall use.
        known_types: schemas of this program, name to digest.
        beside: checks signatures meanwhile; None: each in its turn.
        resuming: the state of an earlier run to go on from, and where to keep new ones.
        old: what is in hand of the log that this one follows.

    Raises:
        InvalidInput: `vkey_*`, the pin file's keys are none; `state_*`, the state does not fit;
            `log_first`, nothing came before this log.
        OperatorError: a source cannot be read on this machine; whatever is wrong with the logs
            or the packs themselves is the report's finding.
    """
    for pin in (pins.directory, pins.evidence):
        pinned_keys(pin)  # a pin file that is wrong says nothing about the log
    work = _Audit(pins, known_types, progress or _silent, beside, resuming, old)
    try:
        work.run(directory, evidence, packs)
    except (InvalidInput, Refused, OperatorError) as error:
        foreign = isinstance(error, OperatorError) and error.code not in _OF_TILES
        if foreign or error.code in OF_STATES:
            raise
        return Report(work.coverage, work.finding(error), work.statistics)
    return Report(work.coverage, None, work.statistics)


class _Audit:
    def __init__(
        self,
        pins: Pins,
        known_types: Mapping[str, bytes],
        progress: Progress,
        beside: Beside | None,
        resuming: Resuming | None,
        old: OldLogs | None,
    ) -> None:
        self._pins = pins
        self._known = known_types
        self._progress = progress
        self._beside = beside
        self._course = Continuation(resuming, pins, known_types)
        self._trail = Trail()
        self._near = self._course.fresh
        """Signatures that come by may be asked for: what was judged before begins none."""
        self.coverage = Coverage()
        self._before = Before(pins, old, self.coverage, self._trail)
        self.statistics = Statistics()

    def finding(self, error: SaphanError) -> Finding:
        """Where the trail stands; a pack that cannot be read is wrong as a whole, not at a leaf."""
        trail, whole = self._trail, _OF_PACKS.get(error.code)
        said = error.code, error.message, trail.pack, error_hint(error)
        if whole is not None:
            return Finding("evidence", None, whole, *said)
        return Finding(trail.log, trail.index, trail.step, *said)

    def run(self, directory: LogSource, evidence: LogSource, sources: Iterable[PackSource]) -> None:
        trail = self._trail
        replayed = replay_directory(
            directory, self._pins, self._known, self.coverage, trail, self._progress
        )
        trail.log = "evidence"
        packs = PackSet(sources, self._pins, trail, self._begin(replayed))
        trail.log = "directory"
        trail.at(AuditStep.DIRECTORY_ROOT)
        self._course.begin(packs.places(), replayed)
        self.coverage.packs = len(self._course.packs)
        self._agreements(replayed, packs)
        self._before.read(replayed, self._progress)
        trail.log = "evidence"
        trail.at(AuditStep.EVIDENCE_HEAD)
        head = pinned_head(evidence, self._pins.evidence)
        self._course.check_size(head.size)
        see_heads((replayed.head, head), replayed.directory, self.coverage, trail)
        heads = self._heads(head, replayed, packs)
        self._evidence(evidence, head, replayed, packs, heads)

    def _begin(self, replayed: Replayed) -> Begin | None:
        if self._beside is None:
            return None
        begin = begin_by(self._beside, replayed.directory)
        return lambda batch: begin(batch) if self._near else None

    def _agreements(self, replayed: Replayed, packs: PackSet) -> None:
        """Step D4, first for what an earlier run was shown."""
        agreements = Agreements(replayed.directory, self._pins, self.coverage)
        self._trail.log = "directory"
        for name, package in chain(self._course.agreements(), packs.agreements()):
            self._trail.at(AuditStep.AGREEMENTS, pack=name)
            agreements.open(package)
            self._course.opened(package)

    def _heads(self, head: Head, replayed: Replayed, packs: PackSet) -> Heads:
        """Step W2, but for the roots, which the leaves tell."""
        keys = pinned_keys(self._pins.evidence)
        heads = Heads(keys, replayed.directory, self.coverage, self._trail)
        heads.again(self._course.heads())
        heads.own(head)
        for name, note in packs.notes():
            heads.show(name, note)
        heads.begin(head.size)
        return heads

    def _evidence(
        self, source: LogSource, head: Head, replayed: Replayed, packs: PackSet, heads: Heads
    ) -> None:
        """Steps E2 to E6 for every leaf, O1 to O9 for those that are opened."""
        trail = self._trail
        trail.log = "evidence"
        leaves = CheckedLeaves(source, head, trail, AuditStep.EVIDENCE_ROOT, self._progress)
        roots = VerifiedRoots() if self._beside is None else RootsBeside(self._beside)
        ends = Destructions(self.coverage, trail)
        heads.told = ends.covered
        entries = Entries(
            replayed.directory, head, leaves.tree, heads, ends, roots, self.coverage, trail
        )
        anchors = Anchors(replayed.roots, trail, self._before)
        judged = Judged(entries, self._before, anchors, heads, ends, self.coverage)
        start = self._course.go_on(judged)
        self.statistics = entries.statistics
        try:
            for index, raw in enumerate(leaves):
                self._near = index + AHEAD_ITEMS >= start
                if index >= start:
                    self._leaf(index, raw, judged, packs)
                else:
                    packs.at(index)  # judged before; read again to come to what was not
                heads.see(leaves.frontier)
                trail.at(AuditStep.EVIDENCE_ROOT)
                self._course.passed(judged, leaves.frontier)
            entries.statistics.reach(head.time * SECOND_MS)
        finally:
            self.coverage.unplaced = entries.deliveries.unplaced
            self.coverage.deliveries = entries.deliveries.states()
            heads.count(entries.statistics)
            entries.statistics.finish()
        trail.at(AuditStep.SUBMISSION)
        entries.recipients.finish(head.size)
        trail.at(AuditStep.ANCHORED)
        anchors.finish(head, replayed.head)
        ends.finish(head.time)
        packs.finish(head.size)
        self._course.ended(judged, leaves.frontier)

    def _leaf(self, index: int, raw: bytes, judged: Judged, packs: PackSet) -> None:
        entries = judged.entries
        self._trail.at(AuditStep.LEAF, index)
        leaf = parse_leaf(raw)
        self.coverage.logged[LEAF_NAMES[leaf.type]] += 1
        judged.anchors.take(index, leaf)
        judged.ends.take(index, leaf)
        self._trail.at(AuditStep.SUBMISSION, index)
        entries.recipients.see(index, leaf)
        shown = packs.at(index)
        if shown:
            entries.take(index, leaf, shown, judged.anchors.size)
        elif leaf.type not in CLEAR_LEAVES:
            entries.corridors.leave(index)
        self.coverage.evidence_leaves = index + 1


def _silent(_log: LogName, _done: int, _size: int) -> None:
    """Progress for nobody."""
