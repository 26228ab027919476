"""Destruction under audit, from leaves and heads alone: step E6, which anyone can take.

A `submitted` leaf shows its due-day; a `destroyed`, `held` or `released` leaf, whose it is.
Heads bound when a leaf was written: one that covers it says by when, at the latest. What grows
here: 13 bytes for each submitted leaf, and two numbers for one that is held or was released.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import Final

import msgspec
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import DAY_MS, LIMITS, SECOND_MS
from saphan_schemas.records import TARGETED, Event, LeafType

from saphan_protocol.aftermath import Aftermath, follow
from saphan_protocol.audit.report import AuditStep, Coverage, Trail
from saphan_protocol.delivery import State
from saphan_protocol.evidence import Leaf

_KEPT, _DESTROYED, _LATE = range(3)
_EVENTS: Final = {LeafType[event.name]: event for event in TARGETED}


class DestructionsKept(msgspec.Struct, array_like=True):
    """All that `Destructions` knows; arrays as bytes of u64, u32 and u8, in this
    machine's order: a state does not travel."""

    leaves: bytes
    days: bytes
    ended: bytes
    holds: dict[int, int]
    released: dict[int, int]
    open: list[int]
    latest: tuple[int, int]
    head: int


class Destructions:
    """Step E6 for all leaves of a log, asked in order."""

    def __init__(self, coverage: Coverage, trail: Trail) -> None:
        self._coverage = coverage
        self._trail = trail
        self._leaves = array("Q")
        self._days = array("I")
        self._ended = bytearray()
        self._holds: dict[int, int] = {}
        self._released: dict[int, int] = {}
        """By when, in POSIX seconds, the last hold of it was released."""
        self._open: set[int] = set()
        """Released since the last head: when is not known yet."""
        self._head = 0
        """Time of the newest head so far: what comes now came later."""
        self._latest = (0, 0)
        """The latest due-day of what is destroyed, and the leaf that says so."""

    def take(self, index: int, leaf: Leaf) -> None:
        """The leaf at `index`, parsed; its target lies before it (E4).

        Raises:
            InvalidInput: `target_malformed`.
            Refused: what `aftermath.follow` raises of destruction and holds.
        """
        if leaf.due_day is not None:
            self._leaves.append(index)
            self._days.append(leaf.due_day)
            self._ended.append(0)
        elif leaf.target is not None:
            self._trail.at(AuditStep.DESTRUCTION, index)
            self._step(index, leaf.target, _EVENTS[leaf.type])

    def destroyed(self, submitted: int) -> bool:
        """Whether the delivery that began at this leaf was destroyed before the leaf at hand."""
        place = self._place(submitted)
        return place is not None and self._ended[place] != _KEPT

    def dated(self, submitted: int, time: int) -> None:
        """Its destruction was opened, and is of this time, ms."""
        place = self._place(submitted)
        if place is not None and place not in self._open and self._late(place, time):
            self._ended[place] = _LATE

    def due_day(self, submitted: int) -> int:
        """The due-day that a `submitted` leaf shows."""
        return self._days[bisect_left(self._leaves, submitted)]

    def covered(self, time: int) -> None:
        """A head of this time (POSIX seconds) covers all leaves so far.

        Raises:
            Refused: `destroyed_early`, certain from leaves and heads.
        """
        after = (time + 1) * SECOND_MS  # a head's time has no fractions
        day, index = self._latest
        if after + LIMITS.skew_ms < day * DAY_MS:
            self._trail.at(AuditStep.DESTRUCTION, index)
            raise Refused(
                "destroyed_early",
                f"a head signed {(day * DAY_MS - after) // SECOND_MS} s before its day covers it",
                field="leaf",
            )
        self._head = max(self._head, time)
        self._released.update(dict.fromkeys(self._open, time + 1))
        self._open.clear()

    def finish(self, time: int) -> None:
        """The log is over; its head is of this time, POSIX seconds.

        Raises:
            Refused: `destruction_missing`, at the first leaf of which it is so.
        """
        now, late, seen = time * SECOND_MS, None, self._coverage
        today = now // DAY_MS
        for place, (index, day, ended) in enumerate(
            zip(self._leaves, self._days, self._ended, strict=True)
        ):
            if ended != _KEPT or day > today:
                continue
            if place in self._holds:
                seen.destruction_held += 1
                continue
            seen.destruction_waits += 1
            if late is None and self._late(place, now):
                late = index, (now - self._due(place)) // DAY_MS
        seen.destruction_late = self._ended.count(_LATE)
        if late is not None:
            self._trail.at(AuditStep.DESTRUCTION, late[0])
            raise Refused(
                "destruction_missing",
                f"{late[1]} days after it was due, no leaf says that it was destroyed or is held",
                field="leaf",
            )

    def keep(self) -> DestructionsKept:
        """What `again` takes."""
        return DestructionsKept(
            self._leaves.tobytes(),
            self._days.tobytes(),
            bytes(self._ended),
            dict(self._holds),
            dict(self._released),
            list(self._open),
            self._latest,
            self._head,
        )

    def again(self, kept: DestructionsKept) -> None:
        """Go on where an earlier run was."""
        self._leaves, self._days = array("Q", kept.leaves), array("I", kept.days)
        self._ended = bytearray(kept.ended)
        self._holds, self._released = dict(kept.holds), dict(kept.released)
        self._open, self._latest, self._head = set(kept.open), kept.latest, kept.head

    def _step(self, index: int, target: int, event: Event) -> None:
        place = self._place(target)
        if place is None:
            raise InvalidInput(
                "target_malformed", f"leaf {target} is no submitted leaf", field="leaf.target"
            )
        gone = self._ended[place] != _KEPT
        before = Aftermath(destroyed=gone, holds=self._holds.get(place, 0))
        # That there was an outcome, only the entries show (O8).
        after = follow(before, State.ACCEPTED, event)
        if after.destroyed and not before.destroyed:
            late = place not in self._open and self._late(place, self._head * SECOND_MS)
            self._ended[place] = _LATE if late else _DESTROYED
            self._latest = max(self._latest, (self._days[place], index))
        if after.holds:
            self._holds[place] = after.holds
        elif self._holds.pop(place, 0):
            self._open.add(place)

    def _due(self, place: int) -> int:
        """From when on, in ms, it was to be destroyed."""
        return max(self._days[place] * DAY_MS, self._released.get(place, 0) * SECOND_MS)

    def _late(self, place: int, time: int) -> bool:
        return self._due(place) + LIMITS.destruction_grace_ms < time

    def _place(self, index: int) -> int | None:
        place = bisect_left(self._leaves, index)
        there = place < len(self._leaves) and self._leaves[place] == index
        return place if there else None
