"""Deadlines of a delivery: when time alone speaks, and what it says (design 4.6, receipts.md).

Undelivered at `expires`: `expired`. Handed over before `answer_by` and not answered then:
`unanswered`, a warning, once. No outcome at the broker's due-day: `expired`. The broker acts by
`next_deadline` and `said_by_time`, on witnessed time; who reads its log judges by `check_deadline`.
"""

from __future__ import annotations

from typing import NamedTuple

from saphan_schemas.errors import Refused
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Event

from saphan_protocol.delivery import HELD, TERMINAL, State


class Times(NamedTuple):
    """Deadlines that are fixed at admission: ms UTC, ms UTC, days since 1970-01-01."""

    expires: int
    answer_by: int | None
    due_day: int

    @property
    def due(self) -> int:
        """First instant of the due-day, ms UTC."""
        return self.due_day * DAY_MS

    @property
    def undelivered(self) -> int:
        """When what was not handed over ends, ms UTC."""
        return min(self.expires, self.due)


def next_deadline(state: State, times: Times, since: int) -> int | None:
    """The instant (ms UTC) at which time alone acts next; None after an outcome.

    Args:
        since: time of the entry that put the delivery into `state`, ms UTC.
    """
    if state in TERMINAL:
        return None
    if state not in HELD:
        return times.undelivered
    asked = times.answer_by
    if state is State.HANDED_OVER and asked is not None and since < asked < times.due:
        return asked
    return times.due


def said_by_time(state: State, times: Times, deadline: int) -> tuple[Event, str]:
    """The broker's statement, event and code, once `deadline` (`next_deadline`) has passed."""
    if state is State.HANDED_OVER and deadline < times.due:
        return Event.UNANSWERED, "no_answer"
    return Event.EXPIRED, "no_outcome" if state in HELD else "undelivered"


def check_deadline(
    event: Event, code: str | None, state: State | None, times: Times, since: int | None, now: int
) -> None:
    """Nothing is said before its time, and the code says which time it was.

    Args:
        event: `unanswered` or `expired`; any other passes.
        state: of the delivery before it; None if not all before it is known.
        since: time of its handover, if known, ms UTC.
        now: time of the broker's entry, ms UTC.

    Raises:
        Refused: `expired_code`, `expired_early`, `unanswered_unasked`, `unanswered_early`.
    """
    if event is Event.UNANSWERED:
        _check_asked(times, since)
        _check_early("unanswered_early", now, times.answer_by or 0)
    elif event is Event.EXPIRED:
        if state is not None and (code == "no_outcome") is not (state in HELD):
            raise Refused("expired_code", f"{code} does not fit a delivery that is {state}")
        _check_early("expired_early", now, times.due if state in HELD else times.undelivered)


def _check_asked(times: Times, since: int | None) -> None:
    if times.answer_by is None or (since is not None and since >= times.answer_by):
        raise Refused(
            "unanswered_unasked",
            "no answer was asked for by a time at which the bulletin was handed over",
            field="statement",
        )


def _check_early(code: str, now: int, deadline: int) -> None:
    if now + LIMITS.skew_ms < deadline:
        raise Refused(
            code,
            f"the broker said so {(deadline - now) // 1000} s before the deadline",
            field="entry.time",
        )
