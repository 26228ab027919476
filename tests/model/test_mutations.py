"""Each property of the model can fail: without its defence the search finds the way to it."""

from __future__ import annotations

import pytest

from model.cases import searched
from model.mutations import BROKEN, SPARE, STUCK, Mutation
from model.properties import both_told
from model.search import stuck
from model.world import STEP


def named(mutation: Mutation) -> str:
    return mutation.what.replace(" ", "_").replace("'", "")


@pytest.mark.parametrize("mutation", BROKEN, ids=named)
def test_without_it_the_search_finds_what_must_not_happen(mutation: Mutation) -> None:
    found = searched(mutation.sizes)
    assert mutation.says in found.broken
    trace = found.trace()
    assert trace[0] == " 1 a process takes over the lease"
    assert len(trace) == len(set(trace)), "each line is a step, with its number"


@pytest.mark.parametrize("mutation", STUCK, ids=named)
def test_without_it_there_are_states_that_lead_nowhere(mutation: Mutation) -> None:
    found = searched(mutation.sizes)
    assert not found.broken
    places = stuck(found, (STEP,), both_told)
    assert places
    assert found.trace(places[0])


@pytest.mark.parametrize("mutation", SPARE, ids=named)
def test_one_of_two_defences_is_enough(mutation: Mutation) -> None:
    found = searched(mutation.sizes)
    assert not found.broken, found.trace()
    assert not stuck(found, (STEP,), both_told)
