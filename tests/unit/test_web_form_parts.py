"""Parts and entries of a form come, go and change places; dates and times are taken as meant."""

from __future__ import annotations

from typing import Any

import pytest
from saphan.form.question import Answers
from saphan.web.writing.forms.model import form_of
from saphan.web.writing.forms.taking import taken
from saphan.web.writing.forms.widgets import local_time
from saphan.web.writing.forms.wish import wish_of
from saphan_schemas.body_types import BodyType
from support.own_types import OWN, bundle
from support.web_forms import ZONE, nodes, of_sample, ordered, posted, typed

KIND, WISH, ANSWERS, _ = of_sample("drug_seizure")
SUBSTANCES = WISH["body"]["substances"]


def test_entries_move_and_go_with_all_that_stands_in_them() -> None:
    assert len(SUBSTANCES) > 1
    first, second, *rest = SUBSTANCES
    down = wish_of(KIND, ordered(KIND, ANSWERS, "down /body/substances/0"))
    assert down["body"]["substances"] == [second, first, *rest]
    up = wish_of(KIND, ordered(KIND, ANSWERS, "up /body/substances/1"))
    assert up == down
    gone = wish_of(KIND, ordered(KIND, ANSWERS, "remove /body/substances/0"))
    assert gone["body"]["substances"] == [second, *rest]
    assert gone["about"] == WISH["about"]


@pytest.mark.parametrize(
    "order",
    [
        "up /body/substances/0",
        "down /body/substances/99",
        "remove /body/substances/99",
        "remove",
        "add",
        "add /body/nothing",
        "add /body/place/country",
        "add /body/../../etc",
        "add /body/substances/0/amount/x",
        "burn /body/substances/0",
        "remove /body/vessels",
        "remove /body/place",
    ],
)
def test_orders_of_an_older_page_change_nothing(order: str) -> None:
    assert ordered(KIND, ANSWERS, order) == ANSWERS


def test_a_part_is_begun_filled_emptied_and_removed() -> None:
    assert not nodes(form_of(KIND, {}, "en", shown=False))["/body/origin"].there
    began = ordered(KIND, {}, "add /body/origin")
    form = form_of(KIND, began, "en", shown=False)
    assert nodes(form)["/body/origin"].there
    assert nodes(form)["/body/origin"].removable
    filled = typed(KIND, began, body__origin__basis="stated")
    emptied = typed(KIND, filled, body__origin__basis="")
    assert nodes(form_of(KIND, emptied, "en", shown=False))["/body/origin"].there
    assert not any("origin" in one for one in ordered(KIND, emptied, "remove /body/origin"))


def test_a_part_stays_while_its_only_field_is_typed_anew() -> None:
    """Drafts that were copied from another bulletin do not say which parts were begun."""
    emptied = typed(KIND, {"/body/origin/basis": "stated"}, body__origin__basis="")
    assert nodes(form_of(KIND, emptied, "en", shown=False))["/body/origin"].there


def test_entries_that_are_still_empty_are_not_sent_and_move_no_fault() -> None:
    answers = ordered(KIND, ANSWERS, "add /body/agencies")
    answers = ordered(KIND, answers, "add /body/agencies")
    last = len(WISH["body"]["agencies"]) + 1
    answers = taken({f"/body/agencies/{last}": "no office"}, answers, KIND, ZONE)
    form = form_of(KIND, answers, "en", shown=False)
    assert nodes(form)[f"/body/agencies/{last}"].faults
    assert not nodes(form)[f"/body/agencies/{last - 1}"].faults
    assert len(wish_of(KIND, answers)["body"]["agencies"]) == last


def test_a_list_takes_as_many_entries_as_the_type_allows() -> None:
    answers = ANSWERS
    for _ in range(20):
        answers = ordered(KIND, answers, "add /body/agencies")
    node = nodes(form_of(KIND, answers, "en", shown=False))["/body/agencies"]
    assert (len(node.inside), node.full) == (16, True)


def test_another_language_is_begun_and_written() -> None:
    answers = ordered(KIND, ANSWERS, "add /body/narrative/km")
    assert "/body/narrative/km" in nodes(form_of(KIND, answers, "en", shown=False))
    answers = typed(KIND, answers, body__narrative__km="អត្ថបទ")
    assert wish_of(KIND, answers)["body"]["narrative"]["km"] == "អត្ថបទ"


def test_boxes_keep_the_order_in_which_they_were_ticked() -> None:
    answers: Answers = {
        "/about/purposes/0": "prosecution",
        "/about/purposes/1": "criminal_investigation",
    }
    given = {
        "/about/purposes=": "",
        "/about/purposes=criminal_investigation": "on",
        "/about/purposes=prosecution": "on",
        "/about/purposes=border_control": "on",
    }
    assert [*taken(given, answers, KIND, ZONE).values()][:3] == [
        "prosecution",
        "criminal_investigation",
        "border_control",
    ]
    assert taken({"/about/purposes=": ""}, answers, KIND, ZONE) == {}


def test_how_exact_a_date_is_follows_from_what_was_typed() -> None:
    born = ordered(KIND, {"/body/persons/0?": True}, "add /body/persons/0/born")

    def dated(answers: Answers, value: str, precision: str) -> Answers:
        here = "/body/persons/0/born"
        given = {f"{here}/value": value, f"{here}/precision": precision}
        return taken(given, answers, KIND, ZONE)

    month = dated(born, "໑໙໖໒-05", "")
    assert month["/body/persons/0/born/value"] == "1962-05"
    assert month["/body/persons/0/born/precision"] == "month"
    day = dated(month, "1962-05-17", "month")
    assert day["/body/persons/0/born/precision"] == "day"
    said = dated(month, "1962-05-17", "year")
    assert said["/body/persons/0/born/precision"] == "year"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("2025-10-13T23:40:00Z", "2025-10-14 06:40"),
        ("2025-10-13T23:40:05Z", "2025-10-14 06:40:05"),
        ("2025-10-13T23:40:05.123Z", "2025-10-13T23:40:05.123Z"),
        ("tomorrow", "tomorrow"),
        ("", ""),
    ],
)
def test_times_stand_on_the_clock_of_their_place(written: str, shown: str) -> None:
    assert local_time(written, ZONE) == shown


def test_an_hour_that_a_clock_shows_twice_stays_in_utc() -> None:
    assert local_time("2025-10-26T01:30:00Z", "Europe/Paris") == "2025-10-26T01:30:00Z"


@pytest.mark.parametrize(
    ("typed_in", "taken_as"),
    [
        ("2025-10-14 6:40", "2025-10-13T23:40:00Z"),
        ("២០២៥-១០-១៤ ០៦:៤០", "2025-10-13T23:40:00Z"),
        ("2025-10-13T23:40:00Z", "2025-10-13T23:40:00Z"),
        ("2025-10-14 25:40", "2025-10-14 25:40"),
        ("soon", "soon"),
    ],
)
def test_times_are_typed_by_that_clock(typed_in: str, taken_as: str) -> None:
    assert typed(KIND, {}, body__seized_at__value=typed_in)["/body/seized_at/value"] == taken_as


def test_a_new_zone_moves_the_times_that_stand_in_the_form() -> None:
    given = posted(form_of(KIND, ANSWERS, "en", shown=False))
    given["/about/local_time_zone"] = "UTC/Nowhere"
    assert taken(given, ANSWERS, KIND, ZONE)["/body/seized_at/value"] == "2025-10-13T23:40:00Z"
    given["/about/local_time_zone"] = "Asia/Tokyo"
    assert taken(given, ANSWERS, KIND, ZONE)["/body/seized_at/value"] == "2025-10-13T21:40:00Z"


def test_what_follows_by_a_rule_is_filled_in_for_a_person() -> None:
    answers = ordered(KIND, {}, "add /body/persons")
    answers = taken(
        {"/body/persons/0/roles=": "", "/body/persons/0/roles=suspect": "on"}, answers, KIND, ZONE
    )
    assert answers["/about/personal_data/present"] is True
    assert answers["/about/personal_data/subject_roles/0"] == "suspect"


@pytest.mark.parametrize(
    ("name", "script"),
    [("ສົມພອນ", "Laoo"), ("សុខ", "Khmr"), ("Somphone", "Latn"), ("...", None)],
)
def test_the_script_of_a_name_follows_from_its_letters(name: str, script: str | None) -> None:
    here = "/body/persons/0/names/forms/0"
    began = ordered(KIND, {}, "add /body/persons")
    answers = taken({f"{here}/full": name, f"{here}/script": ""}, began, KIND, ZONE)
    assert answers.get(f"{here}/script") == script
    said = taken({f"{here}/full": name, f"{here}/script": "Thai"}, began, KIND, ZONE)
    assert said[f"{here}/script"] == "Thai"


@pytest.mark.parametrize(
    ("schema", "given", "value"),
    [
        ({"type": "integer", "enum": [1, 2]}, {"": "\u0ed2"}, 2),
        ({"enum": [True, "x"]}, {"": "True"}, True),
        ({"const": 3}, {"": "\u17e3"}, 3),
        ({"const": True}, {"": "true"}, True),
        ({"type": "array", "items": {"type": "integer", "enum": [1, 2]}}, {"=2": "on"}, [2]),
        ({"type": "array", "items": {"type": "string", "enum": ["b=c", "d"]}},
         {"=b=c": "on"}, ["b=c"]),
    ],
)  # fmt: skip
def test_odd_values_of_own_types_are_taken_as_their_schema_writes_them(
    schema: dict[str, Any], given: dict[str, str], value: object
) -> None:
    bounds = {"maxItems": 4, "uniqueItems": True} if "items" in schema else {}
    body = {"type": "object", "additionalProperties": False, "properties": {"e": schema | bounds}}
    data = bundle(OWN, body)
    kind = BodyType(OWN, lambda: data)
    start = {"/body/e=": ""} if bounds else {}
    answers = taken(start | {f"/body/e{at}": said for at, said in given.items()}, {}, kind, ZONE)
    assert wish_of(kind, answers)["body"] == {"e": value}
    form = form_of(kind, answers, "km", shown=False)
    assert not nodes(form)["/body/e"].faults
    assert taken(posted(form), answers, kind, ZONE) == answers
