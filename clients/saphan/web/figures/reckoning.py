"""Counting: by month, type and corridor; how long answers took. Pure."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from statistics import median

from saphan.web.figures.facts import RECEIVED, Answer, Moved

Counts = tuple[int, int]
"""Received, sent."""


@dataclass(frozen=True, slots=True)
class Months:
    """Calendar months of one zone, the last one under way.

    Args:
        names: "YYYY-MM", in order; starts: ms UTC of each, and of the end of the last.
    """

    names: tuple[str, ...]
    starts: tuple[int, ...]

    def of(self, millis: int) -> int | None:
        """Which month a time is in; None: none of these."""
        at = bisect.bisect_right(self.starts, millis) - 1
        return at if 0 <= at < len(self.names) else None


@dataclass(frozen=True, slots=True)
class Took:
    """How long answers took, ms; late: how many came after their deadline."""

    count: int
    middle: float | None = None
    longest: int | None = None
    late: int = 0


def last_months(now: int, count: int, zone: tzinfo) -> Months:
    """So many months up to the one of `now` (ms UTC)."""
    at = datetime.fromtimestamp(now / 1000, UTC).astimezone(zone)
    last = at.year * 12 + at.month - 1
    months = [divmod(number, 12) for number in range(last - count + 1, last + 2)]
    starts = [datetime(year, month + 1, 1, tzinfo=zone) for year, month in months]
    return Months(
        tuple(f"{year:04}-{month + 1:02}" for year, month in months[:-1]),
        tuple(round(start.timestamp()) * 1_000 for start in starts),
    )


def by_month(moved: Iterable[Moved], months: Months) -> list[Counts]:
    """Of each month."""
    counts: Counter[tuple[int, str]] = Counter()
    for one in moved:
        at = months.of(one.at)
        if at is not None:
            counts[at, one.direction] += 1
    return [(counts[at, RECEIVED], counts[at, "sent"]) for at in range(len(months.names))]


def by_type(moved: Iterable[Moved], months: Months) -> list[tuple[str, Counts]]:
    """Of each type, the most frequent first."""
    return _most((one.schema, one) for one in moved if months.of(one.at) is not None)


def by_corridor(moved: Iterable[Moved], months: Months) -> list[tuple[str, Counts]]:
    """With each other agency; a bulletin to two counts with both."""
    within = (one for one in moved if months.of(one.at) is not None)
    return _most((other, one) for one in within for other in one.others)


def took(answers: Iterable[Answer]) -> Took:
    """Of all of them."""
    found = list(answers)
    if not found:
        return Took(0)
    times = [one.took for one in found]
    return Took(len(found), median(times), max(times), sum(one.late for one in found))


def took_by_month(answers: Sequence[Answer], months: Months) -> list[Took]:
    """Of each month in which they were given."""
    groups: list[list[Answer]] = [[] for _ in months.names]
    for one in answers:
        at = months.of(one.at)
        if at is not None:
            groups[at].append(one)
    return [took(group) for group in groups]


def _most(named: Iterable[tuple[str, Moved]]) -> list[tuple[str, Counts]]:
    counts: dict[str, list[int]] = {}
    for name, one in named:
        counts.setdefault(name, [0, 0])[one.direction != RECEIVED] += 1
    pairs = [(name, (received, sent)) for name, (received, sent) in counts.items()]
    return sorted(pairs, key=lambda pair: (-sum(pair[1]), pair[0]))
