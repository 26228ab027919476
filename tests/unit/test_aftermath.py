"""What may follow an outcome: every rule of the table, and that nothing happens twice."""

from __future__ import annotations

import itertools

import pytest
from saphan_protocol.aftermath import AFTERMATH, Aftermath, advance, follow
from saphan_protocol.delivery import HELD, TERMINAL, State, Step
from saphan_schemas.errors import Refused
from saphan_schemas.records import Event


def after(state: State, *events: Event) -> Aftermath:
    found = Aftermath()
    for event in events:
        state, found = advance(state, found, event)
    return found


def refused(code: str, state: State, *events: Event | Step) -> None:
    found = Aftermath()
    for event in events[:-1]:
        state, found = advance(state, found, event)
    with pytest.raises(Refused, match=code):
        advance(state, found, events[-1])


def test_a_recall_before_the_handover_ends_and_a_later_one_asks() -> None:
    assert advance(State.SUBMITTED, Aftermath(), Event.RECALLED) == (
        State.RECALLED,
        Aftermath(recalled=True),
    )
    for state in TERMINAL - {State.RECALLED} | HELD:
        assert advance(state, Aftermath(), Event.RECALLED) == (state, Aftermath(recalled=True))
        refused("recalled_before", state, Event.RECALLED, Event.RECALLED)
    refused("recalled_before", State.SUBMITTED, Event.RECALLED, Event.RECALLED)


def test_only_what_was_recalled_is_answered_and_who_declined_may_obey() -> None:
    for event in (Event.OBEYED, Event.DECLINED):
        refused("not_recalled", State.ACCEPTED, event)
        refused("answered_before", State.ACCEPTED, Event.RECALLED, event, event)
    refused("answered_before", State.READ, Event.RECALLED, Event.OBEYED, Event.DECLINED)
    found = after(State.READ, Event.RECALLED, Event.DECLINED, Event.OBEYED)
    assert found.answer is Event.OBEYED


def test_what_was_never_handed_over_is_not_erased_and_nothing_is_twice() -> None:
    for state in (State.SUBMITTED, State.UNOPENED):
        refused("order_illegal", state, Event.ERASED)
    for state in TERMINAL | HELD:
        assert after(state, Event.ERASED).erased
        refused("erased_before", state, Event.ERASED, Event.ERASED)


def test_the_broker_destroys_after_the_outcome_once_and_nothing_held() -> None:
    for state in State:
        if state in TERMINAL:
            assert after(state, Event.DESTROYED).destroyed
            refused("destroyed_before", state, Event.DESTROYED, Event.DESTROYED)
        else:
            refused("not_destroyable", state, Event.DESTROYED)
    refused("destroyed_held", State.READ, Event.HELD, Event.DESTROYED)
    held_twice = (Event.HELD, Event.HELD, Event.RELEASED)
    refused("destroyed_held", State.READ, *held_twice, Event.DESTROYED)
    assert after(State.READ, *held_twice, Event.RELEASED, Event.DESTROYED).destroyed
    refused("released_unheld", State.READ, Event.RELEASED)


def test_after_destruction_nothing_is_carried_or_held_and_the_rest_goes_on() -> None:
    for late in (Step.CONSIGN, Step.HANDOVER, Event.HANDOVER, Event.HELD):
        refused("after_destruction", State.ACCEPTED, Event.DESTROYED, late)
    destroyed = (Event.DESTROYED, Event.RECALLED, Event.DECLINED, Event.OBEYED, Event.ERASED)
    found = after(State.ACCEPTED, *destroyed)
    assert found == Aftermath(True, Event.OBEYED, True, True, 0)
    assert advance(State.ACCEPTED, found, Event.READ)[0] is State.READ


def test_every_order_of_all_events_keeps_to_the_rules() -> None:
    """Whatever is tried, in whatever state: no rule of the page is ever broken."""
    for state in State:
        for tried in itertools.product(AFTERMATH, repeat=4):
            found, done = Aftermath(), []
            for event in tried:
                try:
                    found = follow(found, state, event)
                except Refused:
                    continue
                done.append(event)
            for once in (Event.RECALLED, Event.OBEYED, Event.DECLINED, Event.ERASED):
                assert done.count(once) <= 1
            assert done.count(Event.DESTROYED) <= (state in TERMINAL)
            assert found.holds == done.count(Event.HELD) - done.count(Event.RELEASED) >= 0
            if Event.DESTROYED in done:
                at = done.index(Event.DESTROYED)
                before = done[:at]
                assert before.count(Event.HELD) == before.count(Event.RELEASED)
                assert Event.HELD not in done[at:]


def test_other_events_change_nothing() -> None:
    found = Aftermath(True, Event.DECLINED, True, False, 2)
    for event in set(Event) - set(AFTERMATH) - {Event.HANDOVER}:
        assert follow(found, State.ACCEPTED, event) == found
