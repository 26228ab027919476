"""A bulletin's content as a document: nothing left out, names and codes in words, tongues told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from markupsafe import escape
from saphan.showing.document import document
from saphan.showing.items import Document, Item
from saphan.showing.texts import told
from saphan.web.rendering.environment import environment
from saphan_schemas.messages import LANGUAGES, text
from saphan_schemas.samples import SAMPLES, sample, schema_of

PAGE = "{% import 'reading/document.html' as reading with context %}{{ reading.document(doc) }}"


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def written(doc: Document, lang: str) -> str:
    def say(key: str, **values: object) -> str:
        return text(key, lang, **values)

    return environment().from_string(PAGE).render(doc=doc, lang=lang, say=say, now=0)


def at(doc: Document, pointer: str) -> Item:
    (found,) = (item for item in doc.each() if item.pointer == pointer)
    return found


def of(schema: str, body: dict[str, Any], lang: str = "en", **about: Any) -> Document:
    return document(schema, None, {"about": about, "body": body}, lang)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", SAMPLES)
def test_every_value_stands_in_the_document(name: str, lang: str) -> None:
    content = sample(name)
    doc = document(schema_of(name), None, content, lang)
    said = {value.text for item in doc.each() for value in item.values}
    said |= {item.code for item in doc.each()}
    for part in ("about", "body"):
        for leaf in leaves(content[part]):
            assert isinstance(leaf, bool) or str(leaf) in said
    assert len({item.anchor for item in doc.each()}) == len(doc.each())


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_page_shows_texts_in_their_languages(lang: str) -> None:
    content = sample("drug_seizure")
    shown = written(document(schema_of("drug_seizure"), None, content, lang), lang)
    for tongue, said in content["about"]["summary"].items():
        assert f'lang="{tongue}" dir="auto">{escape(said)}<' in shown


def test_the_reader_s_language_comes_first() -> None:
    content = sample("drug_seizure")
    doc = document(schema_of("drug_seizure"), None, content, "en", ("km", "lo"))
    assert [one.lang for one in doc.title] == ["km", "lo", "en"]
    assert [one.lang for one in at(doc, "/about/title").values] == ["km", "lo", "en"]


def test_a_grade_is_said_in_the_words_of_its_scheme() -> None:
    graded = {"scheme": "europol_4x4", "source": "A", "information": "1"}
    source = at(of("saphan/drug_seizure/1", {}, grading=graded), "/about/grading/source")
    assert source.kind == "code"
    assert source.code == "A"
    assert len(source.values[0].text) > 10
    other = graded | {"scheme": "admiralty"}
    again = at(of("saphan/drug_seizure/1", {}, grading=other), "/about/grading/source")
    assert again.values[0].text != source.values[0].text


def test_a_romanised_name_is_not_read_as_lao() -> None:
    forms = [
        {"kind": "legal", "script": "Laoo", "lang": "lo", "full": "ສົມພອນ"},
        {"kind": "legal", "script": "Latn", "lang": "lo", "full": "SOMPHONE"},
        {"kind": "alias", "script": "Latn", "lang": "vi", "full": "Lan"},
    ]
    doc = of("saphan/drug_seizure/1", {"persons": [{"names": {"forms": forms}}]})
    langs = [at(doc, f"/body/persons/0/names/forms/{n}/full").values[0].lang for n in range(3)]
    assert langs == ["lo", "und", "vi"]


def test_text_is_told_by_its_letters() -> None:
    assert [told(one).lang for one in ("ກ", "ក", "ก", "a", "3,5")] == ["lo", "km", "th", "und", ""]


def test_an_own_type_is_shown_by_its_bundle() -> None:
    schema = {
        "type": "object",
        "properties": {"body": {"type": "object", "properties": {"depth_m": {"type": "integer"}}}},
        "$defs": {},
    }
    content = {"about": {}, "body": {"depth_m": 3, "wet": True}}
    doc = document("la.ospp/field_report/1", {"schema": schema, "rules": []}, content, "en")
    assert [(item.name, item.values[0].text) for item in doc.each()] == [
        ("depth m", "3"),
        ("wet", "yes"),
    ]


def test_a_page_escapes_whatever_is_written_and_folds_what_is_long() -> None:
    evil = '<script>alert("1")</script>\u202e'
    value = {"narrative": {"en": evil, "lo": "ກ" * 1_000_000}, "case_stage": evil, evil: evil}
    shown = written(of("saphan/drug_seizure/1", value, title={"en": evil}), "en")
    assert "<script" not in shown
    assert "\u202e" not in shown
    assert "&lt;script&gt;" in shown
    assert "<details" in shown
    assert shown.count("ກ") == 1_000_800


def test_content_of_any_form_is_shown() -> None:
    strange = json.loads('{"a": [[], {}, null, [[1]], {"b": [null]}], "relations": 3}')
    shown = written(of("saphan/drug_seizure/1", strange, relations=[{"bulletin_id": "x"}]), "km")
    assert "1" in shown
    assert "x" in shown


def test_fields_stand_in_the_order_of_the_type_and_persons_by_their_names() -> None:
    body = dict(sorted(sample("drug_seizure")["body"].items()))
    doc = document(schema_of("drug_seizure"), None, {"about": {}, "body": body}, "km", ("km",))
    names = [item.pointer for item in doc.sections[0].items]
    assert names[:3] == ["/body/seized_at", "/body/place", "/body/agencies"]
    first, second = (at(doc, f"/body/persons/{number}").caption for number in (0, 1))
    assert first is not None
    assert (first.text, first.lang) == ("ສົມພອນ ຕົວຢ່າງ", "lo")
    assert second is not None
    assert second.lang == "km"
    assert at(doc, "/body/vehicles/0").caption is not None


def test_codes_are_shown_where_people_use_them() -> None:
    doc = document(schema_of("drug_seizure"), None, sample("drug_seizure"), "en")
    assert at(doc, "/body/place/subdivision").shown_code == "LA-CH"
    assert at(doc, "/body/detection").shown_code == ""
    assert at(doc, "/about/source_language").values[0].text == "Lao"
