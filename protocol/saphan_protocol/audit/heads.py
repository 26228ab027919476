"""Step W2: heads that packs show. They bound the times of entries, and tell how far witnesses lag.

A head of n leaves that was signed at time T says that leaves below n were there at T, and that what
follows was not. A witness cosigns only while T is its own time, give or take 60 s. What grows here:
a few numbers for each head, of which a pack shows at most 4,096.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import msgspec
from saphan_schemas.errors import Refused
from saphan_schemas.limits import LIMITS, SECOND_MS
from saphan_schemas.records import Entry, Role

from saphan_protocol.audit.directory import witness_pair
from saphan_protocol.audit.report import AuditStep, Coverage, Trail
from saphan_protocol.audit.statistics import Statistics
from saphan_protocol.checkpoint import Head, KeyPair, verify_cosignatures, verify_head
from saphan_protocol.directory import Directory
from saphan_protocol.identity import sha256
from saphan_protocol.merkle import Frontier


class ShownHead(msgspec.Struct, array_like=True):
    """A verified head; times in POSIX seconds; `witnesses` by name, when each cosigned it."""

    size: int
    root: bytes
    time: int
    witnesses: dict[str, int]
    pack: str | None


class PassedKept(msgspec.Struct, array_like=True):
    """The last opened entry, and how many lie between a witnessed head and the one to come.

    Args:
        size: leaves that an earlier run has judged.
    """

    size: int = 0
    index: int = 0
    time: int = 0
    waiting: int = 0


class Heads:
    """All heads shown of the evidence log, by rising size.

    Args:
        log_keys: of the evidence log, as pinned.
        directory: replayed whole: witness keys that were ever enrolled.
    """

    def __init__(
        self, log_keys: KeyPair, directory: Directory, coverage: Coverage, trail: Trail
    ) -> None:
        self._keys = log_keys
        self._witnesses = witness_keys(directory)
        self._coverage = coverage
        self._trail = trail
        self._notes: set[bytes] = set()
        self._known: dict[tuple[int, int, bytes], ShownHead] = {}
        self._rising: list[ShownHead] = []
        self._next = 0
        self._lower = 0
        self._witnessed = False
        self._passed = PassedKept()
        self.told: Callable[[int], None] = _nobody
        """Is told the time of every head, in seconds, once all leaves that it covers are read."""

    def show(self, pack: str, note: bytes) -> None:
        """A pack's head.

        Raises:
            InvalidInput: it is not the log's, or a line of a known key does not hold (log.md).
        """
        self._trail.at(AuditStep.HEADS, pack=pack)
        if (name := sha256(note)) in self._notes:
            return  # several packs show it
        self._notes.add(name)
        self._take(verify_head(note, self._keys, self._witnesses), pack)

    def own(self, head: Head) -> None:
        """The log's own head, which is verified."""
        lines = verify_cosignatures(head.note, self._witnesses)
        self._take(replace(head, cosignatures=lines), None)

    def _take(self, head: Head, pack: str | None) -> None:
        fresh = ShownHead(head.size, head.root, head.time, {}, pack)
        known = self._known.setdefault((head.size, head.time, head.root), fresh)
        for name, time in head.cosignatures:
            known.witnesses[name] = min(time, known.witnesses.get(name, time))

    def keep(self) -> list[ShownHead]:
        """What `again` takes."""
        return list(self._known.values())

    def again(self, heads: Iterable[ShownHead]) -> None:
        """Heads that an earlier run has verified."""
        for head in heads:
            self._known[head.size, head.time, head.root] = head

    def begin(self, size: int) -> None:
        """All are shown; those beyond the log's `size` leaves are counted and set aside."""
        heads = sorted(self._known.values(), key=lambda head: (head.size, head.time))
        self._rising = [head for head in heads if head.size <= size]
        self._coverage.heads_shown = len(self._rising)
        self._coverage.heads_beyond = len(heads) - len(self._rising)
        self._coverage.heads_witnessed = sum(bool(head.witnesses) for head in self._rising)

    def go_on(self, kept: PassedKept) -> None:
        """What lies below `kept.size` was judged by an earlier run, up to this."""
        self._passed = kept

    def passed(self) -> PassedKept:
        """What `go_on` takes."""
        return self._passed

    def see(self, frontier: Frontier) -> None:
        """All leaves of `frontier` are read; asked after every leaf.

        Raises:
            Refused: `head_differs`, a head shown is none of this log's; `time_after_head`.
        """
        while self._next < len(self._rising) and self._rising[self._next].size <= frontier.size:
            head = self._rising[self._next]
            shown = head.pack is not None  # the log's own head is compared in step E2
            if shown and head.size == frontier.size and head.root != frontier.root():
                self._trail.at(AuditStep.HEADS, pack=head.pack)
                raise Refused(
                    "head_differs",
                    f"a signed head of {head.size} leaves has another root than this log has there",
                    field="pack.note",
                    hint="two histories were shown: keep the pack and this log, both are proof",
                )
            if frontier.size >= self._passed.size:
                self._check_before(head)
                self.told(head.time)
            self._lower = max(self._lower, head.time)
            self._witnessed = self._witnessed or bool(head.witnesses)
            self._next += 1

    def _check_before(self, head: ShownHead) -> None:
        """No entry before a head is dated after it: the last one is the latest (O4)."""
        known = self._passed
        after = (head.time + 1) * SECOND_MS  # a head's time has no fractions
        if known.time > after + LIMITS.skew_ms:
            self._trail.at(AuditStep.TIME, known.index, head.pack)
            raise Refused(
                "time_after_head",
                f"the entry is dated {known.time - after} ms after a head that has it already",
                field="entry.time",
            )
        if head.witnesses:
            self._coverage.bounded += known.waiting
            known.waiting = 0

    def check(self, index: int, entry: Entry) -> None:
        """Step O4: no entry is dated before the last head that had it not; asked before `see`.

        Raises:
            Refused: `time_before_head`.
        """
        if entry.time + LIMITS.skew_ms < self._lower * SECOND_MS:
            raise Refused(
                "time_before_head",
                f"the entry is dated {self._lower * SECOND_MS - entry.time} ms before a head that "
                "did not have it yet",
                field="entry.time",
            )
        self._passed.index, self._passed.time = index, entry.time
        self._passed.waiting += self._witnessed

    def count(self, statistics: Statistics) -> None:
        """How far witnesses lagged behind the heads that are shown, counted anew."""
        statistics.lags.clear()
        statistics.lags_by_day.clear()
        for head in self._rising:
            statistics.see_head(head.time, head.witnesses.items())


def _nobody(_time: int) -> None:
    """Told by heads of which nobody asks."""


def witness_keys(directory: Directory) -> list[KeyPair]:
    """Verifier keys of all witness keys that were ever enrolled."""
    return [
        witness_pair(agency, key.public)
        for agency in directory.agencies()
        for key in directory.all_keys(agency)
        if key.role is Role.WITNESS
    ]
