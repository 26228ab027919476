"""By when an answer is wanted: a day as the one who answers counts it, and days that are usual."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Final

from saphan.threads.clock import Basis, Unit, end_of, end_of_day
from saphan.web.rendering.zones import countries, zone

USUAL: Final[tuple[tuple[int, Unit], ...]] = (
    (1, "working_days"),
    (3, "working_days"),
    (5, "working_days"),
    (14, "calendar_days"),
    (30, "calendar_days"),
)
"""Times that are offered; the table of legal times is the node's (T6 of threads.md)."""


@dataclass(frozen=True, slots=True)
class Usual:
    """A day that is offered: as `<input type=date>` has it, and how it was counted."""

    day: str
    count: int
    unit: Unit


def zone_of(to: Sequence[str]) -> tzinfo:
    """The zone of the first recipient's country; UTC where it is not known."""
    first = to[0] if to else ""
    country = countries(first)[0]
    return zone(country) if first.startswith(f"{country}.") else UTC


def deadline(text: str, where: tzinfo) -> int | None:
    """The end of a day in a zone, ms UTC, as `<input type=date>` gives the day; None: not said.

    Raises:
        ValueError: it is no day; OverflowError: no day comes after it.
    """
    return end_of_day(date.fromisoformat(text.strip()), where) if text.strip() else None


def day_of(moment: int, where: tzinfo) -> str:
    """The day of which a deadline is the end."""
    return datetime.fromtimestamp((moment - 1) / 1000, UTC).astimezone(where).date().isoformat()


def usual_days(now: int, where: tzinfo) -> tuple[Usual, ...]:
    """Days to choose from; holidays are not known at a desk, and count as working days."""
    return tuple(
        Usual(day_of(end_of(now, Basis(count, unit), where, None).moment, where), count, unit)
        for count, unit in USUAL
    )
