"""What is owed to a request for legal assistance: acknowledgement, then how it stands (T12).

Pure. A word is whatever the requested agency sends in reply to the request; it ends the matter when
it says that the request was refused, carried out or returned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from saphan.threads.owing import Owing, OwingState

What = Literal["reply", "acknowledgement", "status"]
Counting = Callable[[int, Literal["mla_acknowledge", "mla_status"]], int]
"""When the time of a line of the table ends that begins at a moment (ms UTC)."""


@dataclass(frozen=True, slots=True)
class Word:
    """A reply to the request, in the order of `first`.

    Args:
        at: when the log took it, ms UTC; state: of the execution, if it says one.
        expected: for when the next step is announced, ms UTC.
        earlier: when the log took what it took the place of, ms UTC.
    """

    bulletin: bytes
    at: int
    state: str | None = None
    expected: int | None = None
    earlier: int | None = None

    @property
    def first(self) -> int:
        """When it counts from, ms UTC."""
        return self.at if self.earlier is None else min(self.at, self.earlier)


@dataclass(frozen=True, slots=True)
class Legal:
    """What is owed; `since` is when its time began, ms UTC."""

    what: What
    since: int
    owing: Owing


ENDS: dict[str, OwingState] = {
    "refused": "refused",
    "executed": "answered",
    "returned": "answered",
}
"""States of an execution after which nothing is owed, and how the request stands then."""


def legal(words: Sequence[Word], accepted: int, count: Counting, now: int) -> Legal:
    """How it stands `now` (ms UTC), for a request that its node has accepted."""
    first = count(accepted, "mla_acknowledge")
    late = bool(words) and words[0].first > first
    replies = tuple(one.bulletin for one in words)
    last = words[-1] if words else None
    if last is None:
        what: What = "acknowledgement"
        since, due, expected = accepted, first, None
    else:
        what, since, expected = "status", max(one.at for one in words), last.expected
        due = count(since, "mla_status")
    ended = None if last is None else ENDS.get(last.state or "")
    until = due if expected is None else max(due, expected)
    state: OwingState = ended or ("overdue" if now > until else "waiting")
    found = Owing(
        state=state,
        questions=(),
        due=None if ended else due,
        expected=None if ended else expected,
        late=late,
        replies=replies,
    )
    return Legal(what, since, found)
