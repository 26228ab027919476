"""The form of a bulletin as a page: every place at once, what it shows, what it takes back."""

from __future__ import annotations

from typing import Any

import pytest
from saphan.form.asking import pointers_of
from saphan.form.question import Answers
from saphan.web.rendering.environment import environment
from saphan.web.writing.forms.dressing import id_of
from saphan.web.writing.forms.model import form_of
from saphan.web.writing.forms.taking import taken
from saphan.web.writing.forms.wish import wish_of
from saphan_schemas.bodies import NAMES
from saphan_schemas.body_types import BUILT_IN, BodyType
from saphan_schemas.errors import InvalidInput
from saphan_schemas.faults import Fault
from saphan_schemas.limits import LIMITS
from saphan_schemas.messages import LANGUAGES, text
from saphan_schemas.samples import SAMPLES
from support.own_types import OWN, bundle, content
from support.web_forms import ZONE, at, leads_to, nodes, of_sample, ordered, posted, typed, widget

SEIZURE, _, SEIZED, _files = of_sample("drug_seizure")
PLACE = "{% import 'writing/form.html' as f with context %}{{ f.form(form) }}{{ f.contents(form) }}"


def shown(form: Any, lang: str) -> str:
    def say(key: str, /, **values: object) -> str:
        return text(key, lang, **values)

    return environment().from_string(PLACE).render(form=form, lang=lang, say=say)


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_sample_comes_back_from_a_browser_as_it_was(name: str, lang: str) -> None:
    kind, whole, answers, files = of_sample(name)
    form = form_of(kind, answers, lang, shown=True, to=("kh.gpo",), attachments=files)
    assert (form.ready, form.faults, form.aside) == (True, (), ())
    back = taken(posted(form), answers, kind, ZONE)
    assert back == answers
    assert wish_of(kind, back) == whole


@pytest.mark.parametrize("name", SAMPLES)
def test_a_browser_that_posts_everything_fills_an_empty_form(name: str) -> None:
    kind, whole, answers, _ = of_sample(name)
    began: Answers = {pointer: True for pointer in answers if pointer.endswith("?")}
    given = posted(form_of(kind, answers, "km", shown=False))
    # Entries of lists of plain values, and further languages, are begun by their buttons.
    began |= {f"{pointer}?": True for pointer in answers if pointer not in began}
    assert in_order(wish_of(kind, taken(given, began, kind, ZONE))) == in_order(whole)


def in_order(value: Any) -> Any:
    """Without the order in which boxes were ticked, which an empty form cannot know."""
    if isinstance(value, dict):
        return {key: in_order(one) for key, one in value.items()}
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return sorted(value)
    return [in_order(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_an_empty_form_says_what_is_missing_only_when_it_is_asked(name: str, lang: str) -> None:
    kind = BUILT_IN.get(name)
    began = form_of(kind, {}, lang, shown=False)
    asked = form_of(kind, {}, lang, shown=True)
    assert (began.faults, began.ready, asked.ready) == ((), False, False)
    assert began.missing == len(asked.faults) > 0
    assert all(leads_to(asked, fault) and fault.says for fault in asked.faults)
    assert "/to" not in nodes(asked)
    page = shown(asked, lang)
    assert all(f'id="{node.id}"' in page for node in nodes(asked).values())


def test_fields_that_other_answers_rule_out_go_and_are_named() -> None:
    here = "/body/substances/0"
    unknown = typed(SEIZURE, SEIZED, body__substances__0__kind="unknown")
    form = form_of(SEIZURE, unknown, "en", shown=False)
    assert f"{here}/amount" in nodes(form_of(SEIZURE, SEIZED, "en", shown=False))
    assert not {f"{here}/amount", f"{here}/unit"} & nodes(form).keys()
    assert any("Amount" in one for one in form.aside)
    assert "amount" not in wish_of(SEIZURE, unknown)["body"]["substances"][0]
    # The answers stay: with the old code they are back.
    again = typed(SEIZURE, unknown, body__substances__0__kind=str(SEIZED[f"{here}/kind"]))
    assert wish_of(SEIZURE, again) == wish_of(SEIZURE, SEIZED)


def test_parts_that_other_answers_demand_are_there() -> None:
    basis = "/about/legal_bases/0"
    answers = {**SEIZED, f"{basis}/instrument": "DOMESTIC"}
    found = nodes(form_of(SEIZURE, answers, "en", shown=False))
    assert found[f"{basis}/national_law"].there
    assert found[f"{basis}/national_law"].required
    assert found[f"{basis}/national_law/title"].required


@pytest.mark.parametrize("lang", LANGUAGES)
def test_wrong_answers_stay_and_are_said_at_their_fields(lang: str) -> None:
    answers = typed(
        SEIZURE,
        SEIZED,
        body__substances__0__amount="much",
        body__substances__0__packages="many",
        body__substances__0__unit="stones",
        body__seized_at__value="yesterday",
    )
    form = form_of(SEIZURE, answers, lang, shown=False)
    for field, stands in (
        ("/body/substances/0/amount", "much"),
        ("/body/substances/0/packages", "many"),
        ("/body/substances/0/unit", "stones"),
        ("/body/seized_at/value", "yesterday"),
    ):
        assert widget(form, field).value == stands
        assert at(form, field)
        assert stands not in " ".join(at(form, field))
    assert len(form.faults) == 4
    assert not form.ready
    assert taken(posted(form), answers, SEIZURE, ZONE) == answers


def test_characters_that_bulletins_may_not_have_are_said_and_kept() -> None:
    answers = typed(SEIZURE, SEIZED, about__title__en="drawn\u202e back")
    form = form_of(SEIZURE, answers, "en", shown=False)
    assert at(form, "/about/title/en")
    assert widget(form, "/about/title/en").value == "drawn\u202e back"
    assert "\u202e" in shown(form, "en")  # the officer corrects what stands there, not a picture


def test_what_an_entry_means_is_chosen_by_name() -> None:
    answers = {**SEIZED, "/body/vehicles/0?": True, "/body/vehicles/0/kind": "car"}
    owner = widget(form_of(SEIZURE, answers, "en", shown=False), "/body/vehicles/0/owner")
    assert owner.control == "entry"
    names = [option.text for option in owner.options]
    assert len(names) == len(wish_of(SEIZURE, SEIZED)["body"]["persons"])
    assert names[0].startswith("Persons 1: ")


def test_rules_are_said_at_their_fields_once_all_is_there() -> None:
    answers = typed(SEIZURE, SEIZED, about__source_language="vi")
    form = form_of(SEIZURE, answers, "en", shown=True, to=("kh.gpo",))
    assert [fault.id for fault in form.faults] == [id_of("/about/title")]
    # The language that the form names can be written in.
    assert ("vi", "Vietnamese") in nodes(form)["/about/title"].others


def test_a_refusal_from_elsewhere_stands_at_its_field() -> None:
    fault = Fault("maxLength", "/body/operation", schema=SEIZURE.name)
    form = form_of(SEIZURE, SEIZED, "en", shown=False, extra=[fault])
    assert at(form, "/body/operation") == ("This is too long. Right would be: one line of at most "
                                           "80 characters.",)  # fmt: skip


def test_hostile_texts_are_text_in_the_page() -> None:
    bad = '"><script>alert(1)</script>'
    form = form_of(SEIZURE, {**SEIZED, "/body/place/country": bad}, "en", shown=False)
    page = shown(form, "en")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_prose_comes_back_with_its_first_line_break() -> None:
    answers = typed(SEIZURE, SEIZED, body__narrative__en="\r\n  one\r\ntwo")
    assert answers["/body/narrative/en"] == "\n  one\ntwo"
    assert "\n\n  one\ntwo</textarea>" in shown(form_of(SEIZURE, answers, "en", shown=False), "en")


def test_too_many_answers_are_refused_not_cut() -> None:
    many: Answers = {f"/body/x{at}": "1" for at in range(LIMITS.form_answers + 1)}
    with pytest.raises(InvalidInput) as refused:
        taken({}, many, SEIZURE, ZONE)
    assert refused.value.code == "too_large"


def test_a_type_of_an_agency_has_a_form_too() -> None:
    body = {
        "type": "object",
        "required": ["patrols", "remarks", "way"],
        "additionalProperties": False,
        "properties": {
            "patrols": {"type": "integer", "minimum": 0, "maximum": 1000},
            "remarks": {"$ref": "#/$defs/lang_text"},
            "way": {"enum": ["river", "road", "air"]},
            "level": {"enum": [1, 2, 3]},
            "seen": {
                "type": "array",
                "maxItems": 2,
                "items": {
                    "type": "object",
                    "required": ["what"],
                    "additionalProperties": False,
                    "properties": {"what": {"$ref": "#/$defs/line"}},
                },
            },
        },
    }
    data = bundle(OWN, body)
    kind = BodyType(OWN, lambda: data)
    about = content()["about"]
    answers: Answers = dict(pointers_of({"urgency": "routine", "exercise": True, "about": about}))
    answers |= {"/marking/tlp": "amber", "/marking/codes/0": "H1"}
    answers = ordered(kind, answers, "add /body/seen")
    answers = typed(kind, answers, body__patrols="៣", body__remarks__en="quiet", body__way="road",
                    body__level="2", body__seen__0__what="a boat")  # fmt: skip
    form = form_of(kind, answers, "lo", shown=True, to=("kh.gpo",))
    assert form.faults == ()
    assert form.ready
    told = {"patrols": 3, "remarks": {"en": "quiet"}, "way": "road", "level": 2}
    assert wish_of(kind, answers)["body"] == told | {"seen": [{"what": "a boat"}]}
    way = widget(form, "/body/way")
    assert [one.value for one in way.options] == ["river", "road", "air"]
