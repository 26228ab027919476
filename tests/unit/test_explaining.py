"""Faults in the officer's language: every kind has its sentence, and none repeats the value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from saphan_schemas.bodies import NAMES
from saphan_schemas.body_types import BUILT_IN
from saphan_schemas.codes import code_label
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.explaining import explain, explain_fault, explained, place, rightly
from saphan_schemas.faults import Fault
from saphan_schemas.fields import Field, field_of, root_of
from saphan_schemas.labels import label_key
from saphan_schemas.messages import LANGUAGES, has_text, text
from saphan_schemas.rules import KINDS
from saphan_schemas.samples import sample
from saphan_schemas.schema_check import PLAIN

SCRIPTS = {"en": r"[a-z]{4}", "lo": "[\u0e80-\u0eff]{3}", "km": "[\u1780-\u17ff]{3}"}
SEIZURE = "saphan/drug_seizure/1"


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("kind", (*PLAIN, *KINDS, "text_forbidden"))
def test_every_kind_of_fault_has_a_sentence(kind: str, lang: str) -> None:
    assert has_text(f"fault.{kind}", lang)


def fault(stem: str, change: Any) -> InvalidInput:
    content = sample(stem)
    change(content)
    with pytest.raises(InvalidInput) as refused:
        BUILT_IN.get(f"saphan/{stem}/1").check(content, {"urgency": "routine"})
    return refused.value


def put(*way: str | int, value: Any) -> Any:
    def change(content: dict[str, Any]) -> None:
        at: Any = content
        for step in way[:-1]:
            at = at[step]
        at[way[-1]] = value

    return change


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    ("stem", "change", "says"),
    (
        ("drug_seizure", put("body", "substances", 0, "unit", value="Jane"), "KGM"),
        ("drug_seizure", put("body", "substances", 0, "amount", value="Jane"), "3240.5"),
        ("drug_seizure", put("body", "arrests", 0, "count", value=99_999), "10000"),
        ("drug_seizure", put("about", "grading", "source", value="D"), "B = "),
        ("drug_seizure", put("body", "Jane", value=1), "Jane"),  # the name of a field is shown
        ("drug_seizure", put("about", "title", "lo", value="Jane\u202e"), ""),
        ("case_statistics", put("body", "totals_check", 0, "value", value="1"), "6434"),
        ("case_statistics", put("body", "period", "to", value="2001-01-01"), ""),
    ),
)
def test_a_sentence_says_where_and_what_would_be_right(
    stem: str, change: Any, says: str, lang: str
) -> None:
    error = fault(stem, change)
    sentence = explain(error, lang)
    assert sentence is not None
    assert says in sentence
    assert re.search(SCRIPTS[lang], sentence)
    assert "{" not in sentence
    if says != "Jane":
        assert "Jane" not in sentence


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", ["\u00b2", "\u17e1", "\u0665", "1" * 5000])
def test_an_unknown_field_may_be_named_with_digits(name: str, lang: str) -> None:
    """What is no place in a list to a pointer is none to its sentence: "\u00b2" is no number."""
    for change in (put("body", name, value=1), put("body", "substances", 0, name, value=1)):
        sentence = explain(fault("drug_seizure", change), lang)
        assert sentence is not None
        assert name[:300] in sentence  # a pointer is cut


def test_a_name_as_long_as_the_content_is_cut_in_its_error() -> None:
    error = fault("drug_seizure", put("body", "k" * 50_000, value=1))
    assert error.code == "schema_invalid"
    said = [explain(error, lang) or "" for lang in LANGUAGES]
    assert max(map(len, (*said, error.message, error.field or ""))) < 1_000


def test_other_fields_stand_in_a_sentence_by_their_names() -> None:
    error = fault("case_statistics", put("body", "period", "to", value="2001-01-01"))
    assert explain(error) == (
        f"{place('saphan/case_statistics/1', '/body/period/to')}: this is before "
        f"{place('saphan/case_statistics/1', '/body/period/from')}."
    )


def test_entries_of_lists_are_counted_as_people_count() -> None:
    assert place(SEIZURE, "/body/substances/1/unit").startswith("Substances 2 ›")
    assert place(SEIZURE, "/about/title/lo", "en").endswith("› Lao")
    assert place(SEIZURE, "") != ""


def test_a_type_of_an_agency_is_explained_by_the_names_of_its_fields() -> None:
    own = "la.ospp/field_report/1"
    sentence = explain_fault(Fault("required", "/body/depth_m", {}, own), "km")
    assert sentence.startswith("depth m៖")
    assert re.search(SCRIPTS["km"], sentence)
    # What all types have in common keeps its labels.
    assert place(own, "/about/title") == place(SEIZURE, "/about/title")


def test_a_fault_that_says_less_than_its_sentence_wants_is_still_said() -> None:
    assert explain_fault(Fault("sum", "/body/totals_check/0/value", {}, SEIZURE))
    assert explain_fault(Fault("of_a_newer_program", "/body/x", {"y": 1}, SEIZURE))


def test_an_error_of_another_kind_is_not_explained() -> None:
    assert explain(Refused("key_revoked", "no")) is None
    assert explained(InvalidInput("malformed", "no")) is None
    error = fault("drug_seizure", put("body", "substances", 0, "unit", value="Jane"))
    assert set(explained(error) or ()) == set(LANGUAGES)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_title_without_the_language_that_prevails_is_explained(lang: str) -> None:
    error = fault("drug_seizure", put("about", "source_language", value="en-GB"))
    language = place(SEIZURE, "/about/source_language", lang)
    assert language in (explain(error, lang) or "")


@pytest.mark.parametrize(
    ("change", "says"),
    (
        (put("body", "totals_check", value=[]), "fault.sum.lacks"),
        (put("body", "totals_check", 0, "measure", value="tablets"), "fault.sum.entries"),
    ),
)
def test_a_total_that_is_missing_or_of_nothing_is_explained(change: Any, says: str) -> None:
    expected = text(says, "lo", lacks="@").partition("@")[0]
    assert expected in (explain(fault("case_statistics", change), "lo") or "")


def test_codes_of_the_header_stand_with_their_words() -> None:
    red = Fault("must_be", "/header/tlp", {"allowed": ["red"]}, SEIZURE)
    assert code_label("tlp", "red", "lo") in explain_fault(red, "lo")
    relation = Fault("related", "/body/request_id", {"relation": "in_reply_to"}, SEIZURE)
    assert code_label("relation_kind", "in_reply_to", "km") in explain_fault(relation, "km")
    yes = Fault("must_be", "/header/exercise", {"allowed": [True]}, SEIZURE)
    assert "True" not in explain_fault(yes, "lo")


def test_what_a_text_begins_with_is_said_by_the_name_of_its_field() -> None:
    parts = {"starts_with": "plate/country"}
    begins = Fault("starts_with", "/body/vehicles/0/plate/subdivision", parts, SEIZURE)
    assert "Country" in explain_fault(replace(begins, place="/body/vehicles/0"))


def fields(name: str, root: Any, node: Any, pointer: str = "") -> Iterator[tuple[str, Field]]:
    """Every field of a type, with the pointer of its first place."""
    found = field_of(root, node)
    yield pointer, found
    inner = dict(found.node.get("properties", {}))
    for member in found.node.get("allOf", ()):
        inner |= field_of(root, member).node.get("properties", {})
    if isinstance(found.node.get("items"), dict):
        inner["0"] = found.node["items"]
    for step, below in inner.items():
        if isinstance(below, dict):
            yield from fields(name, root, below, f"{pointer}/{step}")


@pytest.mark.parametrize("name", NAMES)
def test_no_field_is_explained_by_a_regular_expression(name: str) -> None:
    root = root_of(name)
    for pointer, found in fields(name, root, root):
        said = rightly(found, "lo", label_key(name, pointer, root) if pointer else "")
        assert not re.search(r"\[[^]]*-[^]]*\]|\{\d", said), pointer
