"""When time alone speaks about a delivery, and what it may say."""

from __future__ import annotations

import itertools

import pytest
from saphan_protocol.deadlines import Times, check_deadline, next_deadline, said_by_time
from saphan_protocol.delivery import HELD, TERMINAL, State, Step, begin, step
from saphan_schemas.errors import Refused
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Event

SKEW = LIMITS.skew_ms
CREATED = 1_752_624_000_000
DUE_DAY = CREATED // DAY_MS + 40
TIMES = Times(CREATED + 5 * DAY_MS, CREATED + 10 * DAY_MS, DUE_DAY)
UNASKED = TIMES._replace(answer_by=None)


@pytest.mark.parametrize(
    ("state", "times", "since", "wanted"),
    [
        (State.SUBMITTED, TIMES, CREATED, TIMES.expires),
        (State.UNOPENED, TIMES, CREATED, TIMES.expires),
        (State.SUBMITTED, TIMES._replace(expires=TIMES.due + 1), CREATED, TIMES.due),
        (State.HANDED_OVER, TIMES, TIMES.expires + 1, TIMES.answer_by),
        (State.HANDED_OVER, TIMES, TIMES.answer_by, TIMES.due),
        (State.HANDED_OVER, TIMES._replace(answer_by=TIMES.due), CREATED, TIMES.due),
        (State.HANDED_OVER, UNASKED, CREATED, TIMES.due),
        (State.UNANSWERED, TIMES, CREATED, TIMES.due),
        *((state, TIMES, CREATED, None) for state in sorted(TERMINAL)),
    ],
)
def test_the_next_deadline(state: State, times: Times, since: int, wanted: int | None) -> None:
    assert next_deadline(state, times, since) == wanted


def test_what_time_says_is_what_a_reader_accepts_at_that_instant_and_not_before() -> None:
    """Every state that can be reached, with and without a date for an answer."""
    for times, handed in itertools.product((TIMES, UNASKED), (CREATED, CREATED + 11 * DAY_MS)):
        for state in set(State) - TERMINAL:
            deadline = next_deadline(state, times, handed)
            assert deadline is not None
            event, code = said_by_time(state, times, deadline)
            step(state, Step(event.value))
            check_deadline(event, code, state, times, handed, deadline - SKEW)
            with pytest.raises(Refused, match=f"{event}_early"):
                check_deadline(event, code, state, times, handed, deadline - SKEW - 1)


def test_time_alone_leads_every_delivery_to_one_outcome_and_warns_once() -> None:
    for handed in (None, CREATED + 1, CREATED + 11 * DAY_MS):
        state, said = begin(), []
        if handed is not None:
            state = step(state, Step.HANDOVER)
        since = CREATED if handed is None else handed
        while (deadline := next_deadline(state, TIMES, since)) is not None:
            event, code = said_by_time(state, TIMES, deadline)
            said.append((event, code))
            state, since = step(state, Step(event.value)), deadline
        last = (Event.EXPIRED, "undelivered" if handed is None else "no_outcome")
        warned = [(Event.UNANSWERED, "no_answer")] if handed == CREATED + 1 else []
        assert said == [*warned, last]


@pytest.mark.parametrize(
    ("times", "handed"), [(UNASKED, CREATED), (TIMES, TIMES.answer_by), (UNASKED, None)]
)
def test_nobody_is_called_unanswered_who_owed_no_answer(times: Times, handed: int | None) -> None:
    with pytest.raises(Refused, match="unanswered_unasked"):
        check_deadline(Event.UNANSWERED, "no_answer", State.HANDED_OVER, times, handed, TIMES.due)


@pytest.mark.parametrize("state", sorted(set(State) - TERMINAL))
def test_the_code_of_an_expiry_is_that_of_its_state(state: State) -> None:
    right, wrong = "undelivered", "no_outcome"
    if state in HELD:
        right, wrong = wrong, right
    check_deadline(Event.EXPIRED, right, state, TIMES, CREATED, TIMES.due)
    with pytest.raises(Refused, match="expired_code"):
        check_deadline(Event.EXPIRED, wrong, state, TIMES, CREATED, TIMES.due)


def test_who_does_not_know_the_state_judges_by_the_earliest_deadline() -> None:
    for code in ("undelivered", "no_outcome"):
        check_deadline(Event.EXPIRED, code, None, TIMES, None, TIMES.expires - SKEW)
        with pytest.raises(Refused, match="expired_early"):
            check_deadline(Event.EXPIRED, code, None, TIMES, None, TIMES.expires - SKEW - 1)
