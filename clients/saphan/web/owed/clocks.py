"""Requests that wait for an answer, in the order of their clocks: ours to answer, and theirs. Pure.

The node counted the time (threads.md, T6 to T9); that it is over says the clock of this machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from saphan.desk.owed import OpenRequest
from saphan.desk.thread_answers import Owed
from saphan.threads.owing import OWING

OVERDUE: Final = "overdue"
UNDELIVERED: Final = "undelivered"
FAR: Final = 2**53
"""Behind every deadline."""


@dataclass(frozen=True, slots=True)
class Clock:
    """One request and one of those who were asked.

    Args:
        state: of `Owed`, as it is now; open: questions that wait still, of how many.
    """

    request: OpenRequest
    owed: Owed
    state: str
    open: int

    @property
    def until(self) -> int | None:
        """When it is, or was, overdue, ms UTC; None: its time does not run yet."""
        return self.owed.until

    @property
    def key(self) -> str:
        """Of what is said of it: what is owed, and how it stands."""
        if self.owed.what != "reply" and self.state in OWING:
            return f"{self.owed.what}_{self.state}"
        return self.state


def clocks(requests: Iterable[OpenRequest], direction: str, now: int) -> list[Clock]:
    """Those of one direction ("sent", "received"), the nearest deadline first; `now` in ms UTC."""
    found = [
        Clock(request, one, _state(one, now), sum(q.state in OWING for q in one.questions))
        for request in requests
        if request.direction == direction
        for one in request.owed
        if one.state in OWING or one.state == UNDELIVERED
    ]
    return sorted(found, key=lambda clock: clock.until or FAR)


def _state(one: Owed, now: int) -> str:
    over = one.state in OWING and one.until is not None and one.until < now
    return OVERDUE if over else one.state
