"""The form as pure logic: what it asks, what it takes, what it makes."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from saphan.form.filling import Filling
from saphan.form.question import Question
from saphan.form.reading import Several, chosen
from saphan.form.sheet import usual
from saphan.form.words import help_of, right_of, title_of
from saphan_schemas.body_types import BUILT_IN
from saphan_schemas.errors import InvalidInput
from saphan_schemas.faults import Fault
from saphan_schemas.fields import choice_of, root_of
from saphan_schemas.limits import LIMITS
from saphan_schemas.messages import LANGUAGES, text
from saphan_schemas.samples import SAMPLES, wish
from support.forms import MOST, filled, typed_for
from support.own_types import OWN, bundle, content

TODAY = datetime.date(2025, 10, 14)


def form_of(schema: str, lang: str = "en") -> Filling:
    return Filling(BUILT_IN.get(schema), lang, usual(lang, TODAY))


def pruned(value: Any) -> Any:
    """Without empty lists of parts that may be left out: a form leaves them out."""
    if isinstance(value, dict):
        return {k: pruned(v) for k, v in value.items() if v != []}
    return [pruned(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_can_be_typed_and_every_question_has_its_words(name: str) -> None:
    whole = wish(name) | {"to": ["kh.gpo"]}
    whole.setdefault("marking", {"tlp": "amber", "codes": ["H1"]})
    whole.setdefault("urgency", "routine")
    form = form_of(whole["schema"], whole["about"]["source_language"])
    while (question := form.question) is not None:
        for form.lang in LANGUAGES:
            assert title_of(form, question), question.pointer
            assert right_of(form, question), question.pointer
            assert help_of(form, question), question.pointer
        assert form.give(typed_for(question, whole)) is None, question
    expected = {key: value for key, value in whole.items() if key != "attachments"}
    assert pruned(form.wish) == pruned(expected)


def test_everything_that_can_be_left_out_can_be_left_out() -> None:
    """An officer in a hurry answers what has a star, and Enter for all else."""
    form = form_of("saphan/drug_seizure/1", "lo")
    whole = wish("drug_seizure") | {"to": ["kh.gpo"]}
    asked = 0
    while (question := form.question) is not None:
        typed = "" if not question.required else typed_for(question, whole)
        assert form.give(typed) is None, question
        asked += 1
        assert asked < MOST
    BUILT_IN.get(form.name).check(*checked(form))
    assert set(form.wish["body"]) == set(root_of(form.name)["properties"]["body"]["required"])


def checked(form: Filling) -> tuple[dict[str, Any], dict[str, Any]]:
    facts = form.facts()
    header = facts.pop("header")
    return facts, header


def asked_now(form: Filling) -> str | None:
    return None if form.question is None else form.question.pointer


def until(form: Filling, whole: dict[str, Any], pointer: str) -> Question:
    """Answer as the sample does until a place is asked for."""
    for _ in range(MOST):
        question = form.question
        assert question is not None, f"{pointer} is never asked"
        if question.pointer == pointer:
            return question
        refused = form.give(typed_for(question, whole))
        assert refused is None, (question.pointer, refused)
    raise AssertionError(pointer)


@pytest.fixture
def seizure() -> dict[str, Any]:
    return wish("drug_seizure") | {"to": ["kh.gpo"]}


@pytest.mark.parametrize(
    ("typed", "taken"),
    (
        ("GRM", "GRM"),  # itself
        ("gra", "GRM"),  # the beginning of its word in English
        ("ກຣາມ", "GRM"),  # in Lao
        ("2", "GRM"),  # the number in the list
        ("໒", "GRM"),  # in Lao digits
        ("KILO", "KGM"),  # letters of any case
        ("0", None),
        ("11111", None),
        ("nothing", None),
        ("m", None),  # of several
    ),
)
def test_codes_are_found_by_their_beginning_in_any_language(typed: str, taken: str | None) -> None:
    unit = choice_of({"$codes": "unit"})
    assert unit is not None
    found = chosen(unit, typed)
    assert found == taken if taken is not None else isinstance(found, Several)


def test_a_beginning_of_several_codes_shows_them(seizure: dict[str, Any]) -> None:
    form = form_of("saphan/drug_seizure/1")
    until(form, seizure, "/body/substances/0/substance")
    refused = form.give("meth")
    assert refused is not None
    assert {"methamphetamine_tablet", "methamphetamine_crystal"} <= set(refused.codes)
    assert form.give("methamphetamine_t") is None


@pytest.mark.parametrize(
    ("typed", "taken"),
    (
        ("2025-10-14 06:40", "2025-10-13T23:40:00Z"),
        ("໒໐໒໕-໑໐-໑໔ ໐໖:໔໐", "2025-10-13T23:40:00Z"),
        ("២០២៥-១០-១៤ ០៦:៤០", "2025-10-13T23:40:00Z"),
        ("2025-10-13T23:40:00Z", "2025-10-13T23:40:00Z"),
        ("2025-02-30 06:40", None),
        ("14/10/2025 06:40", None),
        ("9999-12-31 23:59", None),
    ),
)
def test_times_are_typed_by_the_clock_on_the_wall(
    seizure: dict[str, Any], typed: str, taken: str | None
) -> None:
    form = form_of("saphan/drug_seizure/1", "lo")
    until(form, seizure, "/body/seized_at/value")
    refused = form.give(typed)
    assert (refused is None) == (taken is not None)
    if taken is not None:
        assert form.answers["/body/seized_at/value"] == taken


@pytest.mark.parametrize(
    ("pointer", "typed", "says"),
    (
        ("/body/substances/0/amount", "-1", "3240.5"),
        ("/body/substances/0/amount", "118,000", "3240.5"),
        ("/body/substances/0/amount", "NaN", "3240.5"),
        ("/body/substances/0/packages", "many", "whole number"),
        ("/body/substances/0/packages", "9007199254740993", "number"),
        ("/body/place/country", "Nowhere", "No code"),
        ("/body/arrests/0/count", "2.5", "whole number"),
        ("/body/place/lat", "up", "13.9432"),
        ("/body/operation", "x" * 81, "80"),
        ("/body/operation", "a\u202eb", "character"),
        ("/body/operation", "a\udc80b", "character"),
        ("/body/operation", "a\tb", ""),
    ),
)
def test_a_wrong_answer_is_refused_at_once_and_nothing_is_kept_of_it(
    seizure: dict[str, Any], pointer: str, typed: str, says: str
) -> None:
    form = form_of("saphan/drug_seizure/1")
    question = until(form, seizure, pointer)
    before = dict(form.answers)
    refused = form.give(typed)
    assert refused is not None
    assert says in refused.why
    assert typed not in refused.why
    assert form.answers == before
    assert form.question == question


def test_answers_that_do_not_go_together_are_refused_at_the_later_one() -> None:
    whole = wish("case_statistics") | {"to": ["kh.gpo"], "urgency": "routine"}
    whole.setdefault("marking", {"tlp": "green", "codes": ["H1"]})
    form = form_of("saphan/case_statistics/1")
    until(form, whole, "/body/period/to")
    refused = form.give("2001-01-01")
    assert refused is not None
    assert "Period" in refused.why
    assert form.give(str(whole["body"]["period"]["to"])) is None


def test_what_another_answer_makes_necessary_is_asked_for() -> None:
    """No warrant, no wanted notice."""
    whole = wish("subject_notice") | {"to": ["la.ospp"]}
    assert whole["body"]["notice_kind"] == "wanted"
    form = form_of("saphan/subject_notice/1")
    for _ in range(MOST):
        question = form.question
        assert question is not None
        if question.place.startswith("/body/judicial_doc"):
            assert question.required
            return
        assert form.give(typed_for(question, whole)) is None
    raise AssertionError("the warrant is never asked for")


def test_going_back_forgets_one_answer_at_a_time(seizure: dict[str, Any]) -> None:
    form = form_of("saphan/drug_seizure/1")
    assert not form.back()
    until(form, seizure, "/body/place/kind")
    count = len(form.answers)
    assert form.give("river") is None
    assert form.back()
    assert form.question is not None
    assert form.question.pointer == "/body/place/kind"
    assert len(form.answers) == count


def test_a_finished_form_asks_again_only_for_what_is_to_be_changed(
    seizure: dict[str, Any],
) -> None:
    form = form_of("saphan/drug_seizure/1", "lo")
    filled(form, seizure)
    form.forget("/body/place/kind")
    assert asked_now(form) == "/body/place/kind"
    assert form.give("river") is None
    assert asked_now(form) is None
    assert form.wish["body"]["place"]["kind"] == "river"


def test_a_draft_goes_on_where_it_stopped(seizure: dict[str, Any]) -> None:
    first = form_of("saphan/drug_seizure/1", "lo")
    until(first, seizure, "/body/substances/1?")
    again = Filling(first.kind, "lo", usual("lo", TODAY), first.answers)
    again.repair()
    assert again.question == first.question
    filled(again, seizure)
    whole = form_of("saphan/drug_seizure/1", "lo")
    filled(whole, seizure)
    assert again.wish == whole.wish


def test_a_damaged_draft_is_asked_again_where_it_is_wrong(seizure: dict[str, Any]) -> None:
    form = form_of("saphan/drug_seizure/1", "lo")
    filled(form, seizure)
    answers = form.answers | {"/body/substances/0/amount": "-1", "/body/place/kind": 7}
    mended = Filling(form.kind, "lo", usual("lo", TODAY), answers)
    mended.repair()
    asked = set()
    while (question := mended.question) is not None:
        asked.add(question.pointer)
        assert mended.give(typed_for(question, seizure)) is None
    assert {"/body/substances/0/amount", "/body/place/kind"} <= asked
    assert mended.wish == form.wish


def test_a_fault_of_the_whole_is_asked_for_though_it_was_left_out() -> None:
    """A total that is missing is one more entry; what is there stays."""
    whole = wish("case_statistics") | {"to": ["kh.gpo"], "urgency": "routine"}
    whole.setdefault("marking", {"tlp": "green", "codes": ["H1"]})
    form = form_of("saphan/case_statistics/1", whole["about"]["source_language"])
    filled(form, whole)
    count = len(whole["body"]["totals_check"])
    form.ask_again(Fault("sum", "/body/totals_check", {"holds": "cases", "sum": "5"}))
    assert form.question is not None
    assert form.question.pointer == f"/body/totals_check/{count}?"
    assert form.give("n") is None


@pytest.mark.parametrize(
    ("fault", "forgotten", "proposed"),
    (
        # a role that is not declared is added to the list; what was said of the person stays
        (
            Fault(
                "listed", "/body/persons/0/roles/0", {"list": "/about/personal_data/subject_roles"}
            ),
            "/about/personal_data/subject_roles",
            None,
        ),
        # a marking that the type does not allow is asked where the form asks for it
        (Fault("must_be", "/header/tlp", {"allowed": ["red"]}), "/marking/tlp", None),
        # a number that follows from others is proposed
        (
            Fault("product", "/body/substances/0/kg_equivalent/amount", {"value": "10.62"}),
            "/body/substances/0/kg_equivalent/amount",
            "10.62",
        ),
    ),
)
def test_a_fault_is_mended_where_its_cause_is(
    seizure: dict[str, Any], fault: Fault, forgotten: str, proposed: str | None
) -> None:
    form = form_of("saphan/drug_seizure/1", "lo")
    filled(form, seizure)
    before = dict(form.answers)
    form.ask_again(fault)
    question = form.question
    assert question is not None
    assert question.place.startswith(forgotten)
    assert proposed is None or form.default(question) == proposed
    left = {given for given in before if given not in form.answers}
    assert all(given.startswith(forgotten) for given in left)


def test_what_every_bulletin_of_a_type_must_be_is_proposed_from_the_start() -> None:
    """Controlled deliveries are red, and go with H1 and H2."""
    form = form_of("saphan/controlled_delivery/1")
    whole = wish("controlled_delivery") | {"to": ["la.ospp"], "urgency": "routine"}
    question = until(form, whole, "/marking/tlp")
    assert form.default(question) == "red"


def test_one_language_of_a_text_is_enough(seizure: dict[str, Any]) -> None:
    form = form_of("saphan/drug_seizure/1", "lo")
    until(form, seizure, "/body/place/name/lo")
    assert form.give("-") is None  # not in Lao
    assert asked_now(form) == "/body/place/name/km"
    assert form.back()
    assert form.give("") is None  # in no language
    asked = [question.pointer for question in form.asked]
    assert "/body/place/name/en" in asked
    assert form.answers["/body/place/name/en"] is None


def test_a_file_that_goes_with_it_is_named_by_its_number() -> None:
    """A warrant's scan; without the file the number is refused."""
    whole = wish("subject_notice") | {"to": ["la.ospp"]}
    scan = {"media_type": "application/pdf", "name": "warrant.pdf", "role": "warrant"}
    kind = BUILT_IN.get("saphan/subject_notice/1")
    form = Filling(kind, "km", usual("km", TODAY), attachments=[scan])
    whole["body"]["judicial_doc"]["attachment"] = 0
    filled(form, whole)
    kind.check(*checked(form))
    without = Filling(kind, "km", usual("km", TODAY), form.answers)
    with pytest.raises(InvalidInput):
        kind.check(*checked(without))


def test_a_form_has_an_end(seizure: dict[str, Any]) -> None:
    form = form_of("saphan/drug_seizure/1")
    until(form, seizure, "/body/seized_at/value")
    form.answers |= {f"/x/{number}": "y" for number in range(LIMITS.form_answers)}
    refused = form.give("2025-10-14 06:40")
    assert refused is not None
    assert refused.why == text("form.too_many")


def test_a_type_of_an_agency_is_asked_by_its_bundle_alone() -> None:
    kind = BUILT_IN.with_own(OWN, bundle()).get(OWN)
    form = Filling(kind, "lo", usual("lo", TODAY))
    whole = content() | {"to": ["kh.gpo"], "urgency": "routine", "exercise": True}
    whole |= {"marking": {"tlp": "amber", "codes": ["H1"]}}
    question = until(form, whole, "/body/patrols")
    assert title_of(form, question) == "patrols"
    refused = form.give("-5")
    assert refused is not None
    assert "1000" in refused.why
    filled(form, whole)
    kind.check(*checked(form))
    assert form.wish["schema"] == OWN
