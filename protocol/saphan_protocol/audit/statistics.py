"""Figures of an audit, day by day and pair by pair: volumes, times, what is open and overdue.

Only opened entries count; days and times are those of the entries, which O4 and W2 have judged.
What grows here: one row per day, one per pair, and a few numbers per delivery that is open.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from saphan_schemas.limits import DAY_MS, HOUR_MS, LIMITS, MINUTE_MS, SECOND_MS
from saphan_schemas.records import Entry, Header, LeafType

from saphan_protocol.admission_steps import due_day

EDGES_MS: Final = (
    *(n * SECOND_MS for n in (1, 2, 5, 10, 20, 30)),
    *(n * MINUTE_MS for n in (1, 2, 5, 10, 20, 30)),
    *(n * HOUR_MS for n in (1, 2, 4, 8, 12)),
    *(n * DAY_MS for n in (1, 2, 3, 5, 7, 14, 30, 60)),
)
"""Upper edges of the classes that durations are counted in; one more class lies beyond them."""

OUTCOMES: Final = frozenset(
    {LeafType.ACCEPTED, LeafType.REJECTED, LeafType.RECALLED, LeafType.EXPIRED}
)
_ANSWERS: Final = frozenset({LeafType.ACCEPTED, LeafType.REJECTED})
_NAMES: Final = {kind: kind.name.lower() for kind in LeafType}
LEAP_DAYS: Final = 400
Key = tuple[bytes, str]
"""A delivery: bulletin id and recipient."""


@dataclass(slots=True)
class Spread:
    """How long something took: `classes[i]` durations up to EDGES_MS[i] and above the one before.

    Args:
        longest: ms; 0 while nothing was counted.
    """

    count: int = 0
    longest: int = 0
    classes: list[int] = field(default_factory=lambda: [0] * (len(EDGES_MS) + 1))

    def add(self, duration: int) -> None:
        """Count one duration in ms; a negative one counts as none."""
        self.count += 1
        self.longest = max(self.longest, duration)
        self.classes[bisect_left(EDGES_MS, duration)] += 1

    def within(self, hundredths: int) -> int | None:
        """So many of a hundred took at most this long, in ms: an edge, or the longest of all."""
        need, seen = -(-self.count * hundredths // 100), 0
        for edge, found in zip(EDGES_MS, self.classes, strict=False):
            seen += found
            if seen >= need > 0:
                return min(edge, self.longest)
        return self.longest if self.count else None


@dataclass(slots=True)
class DayRow:
    """One day, UTC.

    Args:
        day: days since 1970-01-01.
        events: opened entries by type, in lower case; `submitted` counts deliveries begun.
        handover: from a delivery's first admission to its handover, of handovers on this day.
        answer: from its handover to accepted or rejected, of answers on this day.
        open, overdue: deliveries without outcome at the day's end; those of them whose next
            deadline had passed (`expires` until handover, then `answer_by` or the due-day).
    """

    day: int
    events: dict[str, int] = field(default_factory=dict)
    handover: Spread = field(default_factory=Spread)
    answer: Spread = field(default_factory=Spread)
    open: int = 0
    overdue: int = 0


@dataclass(slots=True)
class PairRow:
    """One corridor: opened entries by type, and how long its deliveries took."""

    events: dict[str, int] = field(default_factory=dict)
    handover: Spread = field(default_factory=Spread)
    answer: Spread = field(default_factory=Spread)


@dataclass(slots=True)
class OpenDelivery:
    """Times in ms; `deadlines` are days: `expires`, and what counts after handover."""

    begun: int
    deadlines: tuple[int, int]
    taken: int | None = None

    @property
    def deadline(self) -> int:
        """The day whose end is waited for now."""
        return self.deadlines[self.taken is not None]


@dataclass(slots=True)
class Statistics:
    """All figures. `days` by rising day, up to the head's; without holes, unless the log's clock
    leapt by a year.

    Args:
        lags, lags_by_day: from a head's time to each cosignature of it, by witness and by day.
        waiting: deliveries without outcome; due: how many of them by the day of their deadline.
    """

    days: list[DayRow] = field(default_factory=list)
    pairs: dict[tuple[str, str], PairRow] = field(default_factory=dict)
    lags: dict[str, Spread] = field(default_factory=dict)
    lags_by_day: dict[int, Spread] = field(default_factory=dict)
    waiting: dict[Key, OpenDelivery] = field(default_factory=dict)
    due: dict[int, int] = field(default_factory=dict)

    def take(self, kind: LeafType, entry: Entry, bulletin: bytes, header: Header | None) -> None:
        """Count an opened entry that holds; asked in log order.

        Args:
            header: of a submission, None with everything else.
        """
        row = self._row(entry.time // DAY_MS)
        pair = self.pairs.get((entry.sender, entry.recipient))
        if pair is None:
            pair = self.pairs[entry.sender, entry.recipient] = PairRow()
        name = _NAMES[kind]
        for events in (row.events, pair.events):
            events[name] = events.get(name, 0) + 1
        key = (bulletin, entry.recipient)
        if kind is LeafType.SUBMITTED and header is not None:
            self._begin(key, entry.time, header)
            return
        known = self.waiting.get(key)
        if known is None:
            return  # its beginning was not shown, or it has its outcome
        if kind is LeafType.HANDOVER:
            self._move(known, entry.time)
            for spread in (row.handover, pair.handover):
                spread.add(entry.time - known.begun)
        elif kind is LeafType.UNOPENED:
            self._move(known, None)
        elif kind is LeafType.RECALLED and known.taken is not None:
            return  # too late to be the outcome: a request
        elif kind in OUTCOMES:
            if kind in _ANSWERS and known.taken is not None:
                for spread in (row.answer, pair.answer):
                    spread.add(entry.time - known.taken)
            self._count(known.deadline, -1)
            del self.waiting[key]

    def see_head(self, time: int, witnessed: Iterable[tuple[str, int]]) -> None:
        """A head of `time`, and (witness, time of its cosignature); POSIX seconds."""
        for name, then in witnessed:
            lag = (then - time) * SECOND_MS
            self.lags.setdefault(name, Spread()).add(lag)
            self.lags_by_day.setdefault(time * SECOND_MS // DAY_MS, Spread()).add(lag)

    def reach(self, time: int) -> None:
        """The head is of this time, in ms: days without entries have passed, and deadlines."""
        if self.days:  # an entry of a later audit may be dated so much before the head
            self._row((time - LIMITS.skew_ms) // DAY_MS)

    def finish(self) -> None:
        """The audit is over: the last day's figures are those after what was judged last."""
        if self.days:
            self._settle(self.days[-1], over=False)

    def _row(self, day: int) -> DayRow:
        """The row of a day, which is the last one's or a later one (O4)."""
        days = self.days
        while not days or days[-1].day < day:
            if days:
                self._settle(days[-1])
            # A clock that leaps by decades shall not make a row for each of their days.
            leap = not days or day - days[-1].day > LEAP_DAYS
            days.append(DayRow(day if leap else days[-1].day + 1))
        return days[-1]

    def _settle(self, row: DayRow, over: bool = True) -> None:
        """What stood open at the end of a day; of one that is not over, at its last entry."""
        row.open = len(self.waiting)
        last = row.day if over else row.day - 1
        row.overdue = sum(count for day, count in self.due.items() if day <= last)

    def _begin(self, key: Key, time: int, header: Header) -> None:
        due = due_day(header) - 1  # due at a day's first instant: the day before is its last one
        answer = due if header.answer_by is None else min(due, header.answer_by // DAY_MS)
        made = OpenDelivery(time, (min(due, header.expires // DAY_MS), answer))
        self.waiting[key] = made
        self._count(made.deadline, 1)

    def _move(self, known: OpenDelivery, taken: int | None) -> None:
        self._count(known.deadline, -1)
        known.taken = taken
        self._count(known.deadline, 1)

    def _count(self, day: int, change: int) -> None:
        count = self.due.pop(day, 0) + change
        if count:
            self.due[day] = count
