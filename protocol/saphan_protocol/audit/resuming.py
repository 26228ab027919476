"""An audit that goes on where it was: after it was cut off, or with a log that has grown since.

Logs and packs are read anew from their beginning, which costs little: the leaves must make the root
that was kept, or the log was rewritten. What was judged is not judged again. A state is a plain
record of the auditor's own; whoever keeps it guards it as what it says is believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import msgspec

from saphan_protocol.audit.anchors import Anchors
from saphan_protocol.audit.before import Before
from saphan_protocol.audit.delivered import DeliveriesKept
from saphan_protocol.audit.destruction import Destructions
from saphan_protocol.audit.directory import Replayed
from saphan_protocol.audit.entries import Entries
from saphan_protocol.audit.heads import Heads, ShownHead
from saphan_protocol.audit.report import Coverage
from saphan_protocol.audit.states import (
    STATE_FORMAT,
    Counted,
    PackKept,
    State,
    bound_to,
    check_ahead,
    check_packs,
    parse_piece,
    parse_state,
    rewritten,
)
from saphan_protocol.merkle import Frontier
from saphan_protocol.pins import Pins


class Keeper(Protocol):
    """Where states are kept."""

    def due(self) -> bool:
        """Whether a state is wanted now; asked every 1,024 leaves."""

    def keep(self, pieces: Iterable[bytes]) -> None:
        """Keep these, in order, in the place of those before."""


@dataclass(frozen=True, slots=True)
class Resuming:
    """How an audit can go on, or be gone on with.

    Args:
        program: who judges; a state of another program is not gone on with.
        identities: packs by the names that the audit is given; such as their SHA-256.
        state: pieces that an earlier run gave to be kept; None begins anew.
        keeper: takes states; None keeps none.
    """

    program: str
    identities: Mapping[str, bytes] = field(default_factory=dict)
    state: Iterable[bytes] | None = None
    keeper: Keeper | None = None


KEEP_LEAVES: Final = 1_024
"""Leaves between two questions whether a state is wanted."""


@dataclass(frozen=True, slots=True)
class Judged:
    """All parts of an audit that know what came before."""

    entries: Entries
    before: Before
    anchors: Anchors
    heads: Heads
    ends: Destructions
    coverage: Coverage

    def keep(self) -> dict[str, Any]:
        """The fields of a state that they give."""
        entries, seen = self.entries, self.coverage
        return {
            "heads": self.heads.keep(),
            "anchor": self.anchors.size,
            "successor": self.before.keep(),
            "time": entries.time,
            "passed": self.heads.passed(),
            "unplaced": entries.deliveries.unplaced,
            "corridors": entries.corridors.keep(),
            "recipients": entries.recipients.keep(),
            "statistics": entries.statistics,
            "ends": self.ends.keep(),
            "holding": entries.holding.keep(),
            "counted": Counted(
                seen.logged,
                seen.opened,
                seen.signatures,
                seen.unseen,
                seen.bounded,
                seen.holds_closed,
            ),
        }

    def again(self, state: State, pieces: Iterable[DeliveriesKept]) -> None:
        """Go on where an earlier run was; heads are given apart, and before."""
        entries, seen, counted = self.entries, self.coverage, state.counted
        self.anchors.size = state.anchor
        self.before.again(state.successor)
        entries.time, entries.statistics = state.time, state.statistics
        entries.corridors.again(state.corridors)
        entries.deliveries.unplaced = state.unplaced
        for piece in pieces:
            entries.deliveries.again(piece)
        self.heads.go_on(state.passed)
        entries.recipients.again(state.recipients)
        seen.logged.update(counted.logged)
        seen.opened.update(counted.opened)
        seen.signatures, seen.unseen = counted.signatures, counted.unseen
        self.ends.again(state.ends)
        entries.holding.again(state.holding)
        seen.holds_closed = counted.holds_closed
        seen.bounded, seen.evidence_leaves = counted.bounded, state.index


class Continuation:
    """Where an audit begins, and what it leaves behind for the next one."""

    def __init__(
        self, resuming: Resuming | None, pins: Pins, known_types: Mapping[str, bytes]
    ) -> None:
        self._given = resuming
        self._state: State | None = None
        self._packages: dict[bytes, None] = {}
        self._directory = (0, b"")
        self.packs: list[PackKept] = []
        if resuming is not None:
            self._bound = bound_to(pins, known_types, resuming.program)
            if resuming.state is not None:
                self._pieces = iter(resuming.state)
                self._state = parse_state(next(self._pieces, b""), self._bound)

    @property
    def fresh(self) -> bool:
        """Whether nothing was judged before."""
        return self._state is None

    def begin(self, packs: Sequence[tuple[str, int, int]], replayed: Replayed) -> None:
        """The directory is replayed, and the packs are open: (name, start, stop).

        Raises:
            InvalidInput: `state_packs`, `state_ahead`; Refused: `history_differs`.
        """
        given, state = self._given, self._state
        names = {} if given is None else given.identities
        here = [PackKept(names.get(name, name.encode()), *span) for name, *span in packs]
        size = len(replayed.roots) - 1
        self._directory = (size, replayed.roots[size])
        self.packs = list(dict.fromkeys([*(state.packs if state else ()), *here]))
        if state is not None:
            check_packs(state, here)
            check_ahead(state.directory, size)
            if replayed.roots[state.directory] != state.directory_root:
                raise rewritten(state.directory)

    def check_size(self, size: int) -> None:
        """The evidence log's head is read.

        Raises:
            InvalidInput: `state_ahead`.
        """
        if self._state is not None:
            check_ahead(self._state.index, size)

    def agreements(self) -> Iterator[tuple[str | None, bytes]]:
        """What packs have opened before: (None, package)."""
        for package in self._state.packages if self._state else ():
            yield None, package

    def opened(self, package: bytes) -> None:
        """A package holds."""
        self._packages[package] = None

    def heads(self) -> list[ShownHead]:
        """Heads that packs have shown before."""
        return self._state.heads if self._state else []

    def go_on(self, judged: Judged) -> int:
        """Put everything where it was; gives the first leaf that is still to be judged."""
        if self._state is None:
            return 0
        judged.again(self._state, map(parse_piece, self._pieces))
        return self._state.index

    def passed(self, judged: Judged, frontier: Frontier) -> None:
        """All leaves of `frontier` are judged.

        Raises:
            Refused: `history_differs`.
        """
        state, size = self._state, frontier.size
        if state is not None and size <= state.index:
            if size == state.index and frontier.root() != state.root:
                raise rewritten(size)
            return
        keeper = None if self._given is None else self._given.keeper
        if keeper is not None and size % KEEP_LEAVES == 0 and keeper.due():
            keeper.keep(self._made(judged, frontier, ended=False))

    def ended(self, judged: Judged, frontier: Frontier) -> None:
        """Nothing is wrong in the whole log."""
        if self._given is not None and self._given.keeper is not None:
            self._given.keeper.keep(self._made(judged, frontier, ended=True))

    def _made(self, judged: Judged, frontier: Frontier, ended: bool) -> Iterator[bytes]:
        judged.heads.passed().size = frontier.size
        state = State(
            format=STATE_FORMAT,
            bound=self._bound,
            index=frontier.size,
            root=frontier.root(),
            directory=self._directory[0],
            directory_root=self._directory[1],
            ended=ended,
            packs=self.packs,
            packages=list(self._packages),
            **judged.keep(),
        )
        yield msgspec.msgpack.encode(state)
        yield from map(msgspec.msgpack.encode, judged.entries.deliveries.keep())
