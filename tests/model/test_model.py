"""Every state of the small worlds is safe, and from every one of them the delivery can end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from saphan_protocol.delivery import TERMINAL, TRANSITIONS, State, Step

from model.cases import SMALL, small
from model.life import NOW, TIMES, UNASKED, Log, outcomes, stand
from model.properties import both_told, gone
from model.search import Searched, stuck
from model.world import CHOICE, STEP, TIME, Sizes


@pytest.fixture(scope="module", params=SMALL, ids=lambda sizes: sizes.name.replace(" ", "_"))
def case(request: pytest.FixtureRequest) -> tuple[Sizes, Searched]:
    """A small world, searched whole."""
    return request.param, small(request.param)


def told(found: Searched, place: int) -> str:
    return "\n".join((*found.trace(place), str(found.worlds[place])))


def test_nothing_that_must_not_happen_happens(case: tuple[Sizes, Searched]) -> None:
    _, found = case
    assert not found.broken, f"{found.broken}\n{told(found, -1)}"


def test_both_ends_can_always_learn_an_outcome_by_steps_of_programs_alone(
    case: tuple[Sizes, Searched],
) -> None:
    _, found = case
    places = stuck(found, (STEP,), both_told)
    assert not places, told(found, places[0])


def test_what_is_held_can_always_be_released_and_destroyed(case: tuple[Sizes, Searched]) -> None:
    sizes, found = case
    if sizes.holds:
        places = stuck(found, (STEP, TIME, CHOICE), gone)
        assert not places, told(found, places[0])


def logs() -> set[Log]:
    """Every log that any of the small worlds reaches."""
    return {world.log for sizes in SMALL for world in small(sizes).worlds}


def test_the_small_worlds_reach_every_state_and_every_step_of_the_table() -> None:
    """A model in which something never happens proves nothing about it."""
    steps = {(stand(log[:-1]).state, stand(log).state) for log in logs() if log}
    assert {after for _, after in steps} == set(State)
    allowed = {
        (state, after)
        for state, row in TRANSITIONS.items()
        for after in row.values()
        if after is not state
    }
    assert allowed - steps == set()


def test_the_count_of_outcomes_agrees_with_the_table() -> None:
    """Two opinions on one log: the product's tables, and the model's own count."""
    assert {len(outcomes(log)) for log in logs()} == {0, 1}
    for log in logs():
        assert (stand(log).state in TERMINAL) is (len(outcomes(log)) == 1), log


def test_the_clock_of_the_model_passes_every_deadline() -> None:
    asked, expires = TIMES.answer_by, TIMES.expires
    assert asked is not None
    assert NOW[0] < asked < NOW[1] < expires < NOW[2] < TIMES.due < NOW[3]
    assert UNASKED.answer_by is None


# --- the page that describes it -------------------------------------------------------------------

PAGE = (Path(__file__).parents[2] / "docs/model.md").read_text(encoding="utf-8")


def test_the_page_has_the_numbers_of_this_search() -> None:
    rows = re.findall(r"^\| ([\w ,]+) \| ([\d,]+) \| ([\d,]+) \|$", PAGE, re.MULTILINE)
    printed = {(name, int(worlds.replace(",", ""))) for name, worlds, _ in rows}
    assert printed == {(sizes.name, len(small(sizes).worlds)) for sizes in SMALL}
    moves = {(name, int(count.replace(",", ""))) for name, _, count in rows}
    assert moves == {(sizes.name, small(sizes).moves) for sizes in SMALL}


def test_the_picture_of_the_table_is_the_table() -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+)", PAGE, re.MULTILINE))
    allowed = {
        (state.value, after.value)
        for state, row in TRANSITIONS.items()
        for step, after in row.items()
        if after is not state or step is Step.CONSIGN
    }
    assert drawn == allowed
