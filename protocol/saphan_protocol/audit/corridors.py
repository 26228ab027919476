"""Corridors under audit: numbers and predecessors, also where some entries were not opened.

Who does not open an entry leaves a hole in its corridor. A hole is believed only while there are
leaves that nobody opened to fill it: a broker that opens everything cannot have dropped anything.
What grows here: one bit per leaf and one small object per corridor.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
from saphan_schemas.errors import Refused
from saphan_schemas.records import Entry

from saphan_protocol.audit.report import CorridorSeen, Coverage
from saphan_protocol.corridor import Tail, follow


@dataclass(slots=True)
class Course:
    """One corridor so far; `holes` counts the places where entries were not opened."""

    seen: CorridorSeen
    tail: Tail = field(default_factory=Tail)
    hidden: int = 0
    holes: int = 0

    @property
    def whole(self) -> bool:
        """Whether every entry from number 1 on was opened."""
        return self.holes == 0


class CorridorsKept(msgspec.Struct, array_like=True):
    """All that `Corridors` knows."""

    courses: list[tuple[tuple[str, str], Course]]
    unopened: bytes
    hidden: int
    missing: int


class Corridors:
    """Step O3 for all corridors of a log."""

    def __init__(self, coverage: Coverage) -> None:
        self._coverage = coverage
        self._courses: dict[tuple[str, str], Course] = {}
        self._unopened = bytearray()
        self._hidden = 0
        self._missing = 0

    def leave(self, index: int) -> None:
        """The entry at `index` was not opened: it may belong to any corridor."""
        place = index >> 3
        if place >= len(self._unopened):
            self._unopened.extend(bytes(place + 1 - len(self._unopened)))
        self._unopened[place] |= 1 << (index & 7)
        self._hidden += 1

    def follow(self, index: int, entry: Entry) -> Course:
        """The corridor after an opened entry.

        Raises:
            Refused: `corridor_gap`, `corridor_fork`.
        """
        pair = (entry.sender, entry.recipient)
        course = self._courses.get(pair)
        if course is None:
            course = self._courses[pair] = Course(CorridorSeen())
            self._coverage.corridors[pair] = course.seen
        missing = entry.number - course.tail.number - 1
        if missing > 0:
            self._cross(course, missing, index, entry)
            course.tail = Tail(entry.number, index)
        else:
            course.tail = follow(course.tail, index, entry)
        course.hidden = self._hidden
        course.seen.first = course.seen.first or entry.number
        course.seen.opened += 1
        course.seen.last = entry.number
        return course

    def keep(self) -> CorridorsKept:
        """What `again` takes."""
        courses = list(self._courses.items())
        return CorridorsKept(courses, bytes(self._unopened), self._hidden, self._missing)

    def again(self, kept: CorridorsKept) -> None:
        """Go on where an earlier run was."""
        self._courses = dict(kept.courses)
        for pair, course in self._courses.items():
            self._coverage.corridors[pair] = course.seen
        self._unopened = bytearray(kept.unopened)
        self._hidden, self._missing = kept.hidden, kept.missing

    def _cross(self, course: Course, missing: int, index: int, entry: Entry) -> None:
        """Believe a hole: enough unopened leaves in it, and the predecessor is one of them."""
        pair = f"{entry.sender} to {entry.recipient}"
        room = min(self._hidden - course.hidden, self._hidden - self._missing)
        if missing > room:
            raise Refused(
                "corridor_gap",
                f"{pair}: entry {entry.number} follows {course.tail.number}, and no unopened "
                f"leaf can hold what is missing",
            )
        before, last = entry.previous, course.tail.index
        known = before is not None and (last is None or before > last) and before < index
        if before is None or not known or not self._claim(before):
            raise Refused(
                "corridor_fork",
                f"{pair}: entry {entry.number} names leaf {before} before it, which is no "
                f"unopened entry",
            )
        self._missing += missing
        course.holes += 1

    def _claim(self, index: int) -> bool:
        """An unopened leaf can be the predecessor of one entry only."""
        place, bit = index >> 3, 1 << (index & 7)
        if place >= len(self._unopened) or not self._unopened[place] & bit:
            return False
        self._unopened[place] &= ~bit
        return True
