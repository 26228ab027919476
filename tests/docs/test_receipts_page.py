"""The page of receipts is made from the table that broker, node and auditor step through."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType

import pytest
from saphan_protocol.delivery import TERMINAL, TRANSITIONS, State, Step, begin
from saphan_protocol.etsi import CONSIGNMENTS, NAMES, URI, Read, etsi_name
from saphan_schemas.records import Event
from support.rooms import ROOT

PAGE = ROOT / "schemas/spec/receipts.md"
GENERATOR = ROOT / "schemas/spec/generate_receipts.py"
ARROW = re.compile(r"^    (\S+) --> (\S+?)(?:: (\w+))?$")


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_receipts", GENERATOR)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_the_page_is_what_the_program_s_table_makes(page: str) -> None:
    made = generator()
    made.check_names()
    assert made.written(page) == page


def test_a_page_that_was_edited_by_hand_is_noticed(page: str) -> None:
    edited = page.replace("accepted --> read: read", "accepted --> rejected: read")
    assert edited != page
    assert generator().written(edited) == page


def test_the_diagram_shows_every_step_and_no_other(page: str) -> None:
    """Read here by hand, not by who wrote it."""
    lines = page.partition("```mermaid\n")[2].partition("```")[0].splitlines()[1:]
    arrows = [matched.groups() for line in lines if (matched := ARROW.match(line))]
    assert len(arrows) == len(lines)
    steps = {(a, b, by) for a, b, by in arrows if "[*]" not in (a, b)}
    assert steps == {
        (state.value, after.value, one.value)
        for state, row in TRANSITIONS.items()
        for one, after in row.items()
    }
    assert ("[*]", begin().value, Step.CONSIGN.value) in arrows
    assert {a for a, b, _ in arrows if b == "[*]"} == {state.value for state in TERMINAL}
    assert {name for a, b, _ in arrows for name in (a, b)} == {"[*]", *State}


def test_every_event_has_a_name_of_the_standard_or_none_and_uris_only_for_the_same() -> None:
    assert {event for event, _ in NAMES} == {*CONSIGNMENTS, *Event}
    for name in filter(None, NAMES.values()):
        assert (name.uri is None) == bool(name.differs)
        assert name.uri in (None, URI + name.name)
    same = {event for (event, _), name in NAMES.items() if name is not None and name.uri}
    assert same == {"submitted", "refused"}


def test_names_are_found_by_event_and_code() -> None:
    undelivered, late = etsi_name("expired", "undelivered"), etsi_name("expired", "no_outcome")
    assert undelivered is not None
    assert late is not None
    assert (undelivered.name, undelivered.read) == ("ContentHandoverFailure", Read.INFERRED)
    assert (late.name, late.code) == ("AcceptanceRejectionExpiry", "C.5")
    refused = etsi_name("refused", "agreement_missing")
    assert refused is not None
    assert refused.uri == "http://uri.etsi.org/19522/Event/SubmissionRejection"
    assert etsi_name("recalled", "error") is None
    assert etsi_name("exported", "disclosed") is None
    with pytest.raises(KeyError):
        etsi_name("opened")
