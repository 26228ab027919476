"""What an audit says: what was checked, in numbers, and the first thing that is wrong.

Steps are those of `schemas/spec/audit.md`: P packs, D directory log, W witnesses, E evidence log,
O opened entries. An entry that nobody opened is counted and is no fault.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from saphan_schemas.records import LeafType

from saphan_protocol.audit.statistics import Statistics

LogName = Literal["directory", "evidence", "before"]
"""`before`: the evidence log that a successor follows."""
Progress = Callable[[LogName, int, int], None]
"""progress(log, leaves done, leaves in all): for who waits; it changes nothing."""

CLEAR_LEAVES: Final = frozenset({LeafType.ANCHOR, LeafType.SUCCESSOR})
"""Evidence leaves that say all they hold: nothing of them is opened."""


LEAF_NAMES: Final = {kind: kind.name.lower() for kind in LeafType}


class AuditStep(enum.StrEnum):
    """Numbered steps of `schemas/spec/audit.md`."""

    PACK_FORM = "P1"
    PACK_HEAD = "P2"
    PACK_ORDER = "P3"
    PACK_END = "P4"
    DIRECTORY_HEAD = "D1"
    DIRECTORY_ROOT = "D2"
    DIRECTORY_REPLAY = "D3"
    AGREEMENTS = "D4"
    WITNESSES = "W1"
    HEADS = "W2"
    EVIDENCE_HEAD = "E1"
    EVIDENCE_ROOT = "E2"
    LEAF = "E3"
    ANCHOR = "E4"
    ANCHORED = "E5"
    DESTRUCTION = "E6"
    OLD_HEAD = "L1"
    OLD_ROOT = "L2"
    SUCCESSOR = "L3"
    OLD_DIRECTORY = "L4"
    OPENING = "O1"
    STATEMENT = "O2"
    CORRIDOR = "O3"
    TIME = "O4"
    SUBMISSION = "O5"
    SIGNED = "O6"
    BROKER = "O7"
    DELIVERY = "O8"
    RETENTION = "O9"


@dataclass(frozen=True, slots=True)
class Finding:
    """The first thing wrong: where, at which step, under which code.

    Args:
        index: leaf of the log; None where it concerns the log, or a pack, as a whole.
        pack: name of the pack that showed it, if one did.
        hint: what to do next.
    """

    log: LogName
    index: int | None
    step: AuditStep
    code: str
    message: str
    pack: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class HeadSeen:
    """A verified head; `time` in POSIX seconds, `witnesses` the agencies that cosigned it."""

    origin: str
    size: int
    root: bytes
    time: int
    witnesses: tuple[str, ...]


@dataclass(slots=True)
class SuccessorSeen:
    """What the first leaf says of the log before, and what is in hand of that one.

    Args:
        origin: of the log before; size, root: its largest head that anybody reported (no root: the
            first leaf is not judged yet).
        head: its newest head that is in hand with all its leaves; None: no such log was given.
        heads: signed heads of it that were compared; signed: one of them is of just that size.
        doubted: consignments whose sender had seen a larger head of it, or another of that size:
            their word, and no proof.
    """

    origin: str
    size: int = 0
    root: bytes = b""
    head: HeadSeen | None = None
    heads: int = 0
    signed: bool = False
    doubted: int = 0

    def covers(self, size: int, root: bytes) -> bool:
        """Whether a head of it may have been before the one that is named, or is that one."""
        return size < self.size or (size, root) == (self.size, self.root)

    @property
    def gap(self) -> int | None:
        """Leaves that were signed and are not in hand; None: nothing of that log was given."""
        return None if self.head is None else self.size - self.head.size


@dataclass(slots=True)
class CorridorSeen:
    """A corridor's entries: how many were opened, the first and the last running number of them."""

    opened: int = 0
    last: int = 0
    first: int = 0


@dataclass(slots=True)
class Coverage:
    """How much was there, and how much of it was checked.

    Args:
        logged, opened: evidence leaves by type, in lower case.
        signatures: items of statements and consignments whose signature holds.
        unplaced: events whose delivery's beginning was not shown: signed, but not in the table.
        unseen: consignments naming an earlier head that could not be compared (no tiles).
        heads_shown, heads_witnessed, heads_beyond: of the evidence log, by packs and its newest;
            cosigned by at least one witness; of more leaves than this log has, not compared.
        bounded: opened entries dated between two witnessed heads.
        destruction_waits, destruction_held: deliveries whose due-day has come by the head and that
            are not destroyed, within the grace time or held.
        destruction_late: deliveries destroyed after the grace time, as far as a head or an opened
            entry tells: a broker that was down for long is no liar.
        successor: what the log follows; None: it is the first of its name.
        holds_closed: opened `held` and `released` entries whose order nobody opened.
    """

    heads: list[HeadSeen] = field(default_factory=list)
    packs: int = 0
    directory_leaves: int = 0
    operations: int = 0
    types: int = 0
    agreements_logged: int = 0
    agreements_opened: int = 0
    evidence_leaves: int = 0
    logged: Counter[str] = field(default_factory=Counter)
    opened: Counter[str] = field(default_factory=Counter)
    corridors: dict[tuple[str, str], CorridorSeen] = field(default_factory=dict)
    signatures: int = 0
    operation_signatures: int = 0
    deliveries: Counter[str] = field(default_factory=Counter)
    unplaced: int = 0
    unseen: int = 0
    heads_shown: int = 0
    heads_witnessed: int = 0
    heads_beyond: int = 0
    bounded: int = 0
    destruction_waits: int = 0
    destruction_held: int = 0
    destruction_late: int = 0
    holds_closed: int = 0
    successor: SuccessorSeen | None = None

    @property
    def entries(self) -> int:
        """Evidence leaves that commit to an entry."""
        clear = {kind.name.lower() for kind in CLEAR_LEAVES}
        return sum(count for name, count in self.logged.items() if name not in clear)

    @property
    def entries_opened(self) -> int:
        """Those of them that a pack opened and that passed every step."""
        return sum(self.opened.values())


@dataclass(frozen=True, slots=True)
class Report:
    """The result: nothing is wrong in what was checked when `finding` is None.

    Args:
        statistics: of the opened entries; where there is a finding, of those before it.
    """

    coverage: Coverage
    finding: Finding | None = None
    statistics: Statistics = field(default_factory=Statistics)


@dataclass(slots=True)
class Trail:
    """Where the work stands: whatever is refused next is refused here."""

    log: LogName = "directory"
    index: int | None = None
    step: AuditStep = AuditStep.DIRECTORY_HEAD
    pack: str | None = None

    def at(self, step: AuditStep, index: int | None = None, pack: str | None = None) -> None:
        """Begin a step."""
        self.step, self.index, self.pack = step, index, pack
