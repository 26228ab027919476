"""What the model's log says, by the product's own tables: nothing of them is written down twice.

An entry is an event's word, with the number of the consignment it is about where there is one:
`consign1`, `handover2`. A handover that came after `answer_by` ends in `+`: nobody asked it for an
answer by a time that was over.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple, TypeAlias

from saphan_protocol.aftermath import Aftermath, advance, check_destruction
from saphan_protocol.deadlines import Times, check_deadline, next_deadline, said_by_time
from saphan_protocol.delivery import TERMINAL, State, Step, begin
from saphan_schemas.errors import Refused
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Event

Log: TypeAlias = tuple[str, ...]

OPEN, ASKED, EXPIRED, DUE = range(4)
"""The clock: nothing is over; `answer_by` is; `expires` is; the broker's day has come."""
_HOUR: Final = 60 * LIMITS.skew_ms
NOW: Final = (_HOUR, 3 * _HOUR, 5 * _HOUR, DAY_MS + _HOUR)
TIMES: Final = Times(expires=4 * _HOUR, answer_by=2 * _HOUR, due_day=1)
UNASKED: Final = TIMES._replace(answer_by=None)


class Stand(NamedTuple):
    """Where a delivery stands after a log.

    Args:
        state: None before its first consignment.
        since: the instant (ms) that counts for the next deadline.
        fault: what the tables say against the log's order; empty if nothing.
    """

    state: State | None = None
    after: Aftermath = Aftermath()
    since: int = 0
    fault: str = ""

    @property
    def over(self) -> bool:
        return self.state in TERMINAL


def word(entry: str) -> str:
    """What an entry or item says, without number and mark."""
    return entry.rstrip("+0123456789")


def event_of(entry: str) -> Event | Step:
    said = word(entry)
    return Step.CONSIGN if said == "consign" else Event(said)


def has(log: Log, item: str) -> bool:
    return item in log or f"{item}+" in log


@cache
def stand(log: Log) -> Stand:
    """Replay a log by `saphan_protocol.aftermath.advance`, which steps through both tables."""
    if not log:
        return Stand()
    before = stand(log[:-1])
    if before.fault:
        return before
    try:
        return judge(before, log[-1])
    except Refused as error:
        return before._replace(fault=f"{log[-1]}: {error.code}")


def judge(before: Stand, entry: str) -> Stand:
    """The delivery after one more entry.

    Raises:
        Refused: the tables do not allow it.
    """
    event = event_of(entry)
    if before.state is None:
        if event is not Step.CONSIGN:
            raise Refused("bulletin_unknown", f"{entry} before the bulletin")
        return Stand(begin())
    state, after = advance(before.state, before.after, event)
    since = before.since
    if state is not before.state:
        since = NOW[ASKED] if entry.endswith("+") else NOW[OPEN]
    return Stand(state, after, since)


@cache
def said_now(log: Log, clock: int, asked: bool) -> str:
    """What time alone says next (`expired`, `unanswered`), or the empty word."""
    at = stand(log)
    times = TIMES if asked else UNASKED
    if at.state is None or at.fault:
        return ""
    deadline = next_deadline(at.state, times, at.since)
    if deadline is None or deadline > NOW[clock]:
        return ""
    event, code = said_by_time(at.state, times, deadline)
    # The auditor's own check of the same words: it must agree with who says them.
    check_deadline(event, code, at.state, times, at.since, NOW[clock])
    return event.value


@cache
def destroyable(log: Log, clock: int) -> bool:
    """Whether the broker may destroy its copy."""
    at = stand(log)
    try:
        check_destruction(TIMES.due_day, NOW[clock])
        return at.state is not None and not judge(at, "destroyed").fault
    except Refused:
        return False


@cache
def outcomes(log: Log) -> tuple[str, ...]:
    """Terminal outcomes of a log, counted without the tables: the model's second opinion."""
    found: list[str] = []
    handed = False
    for entry in log:
        said = word(entry)
        if said in ("handover", "consign", "unopened"):
            handed = said == "handover"
        if said in ("accepted", "rejected", "expired") or (
            said == "recalled" and not handed and not found
        ):
            found.append(said)
    return tuple(found)
