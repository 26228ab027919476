"""Labels: every field of every type has a title and a sentence in three languages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
from saphan_schemas import bodies, labels
from saphan_schemas.codes import LANGUAGES
from saphan_schemas.samples import sample
from saphan_schemas.text import check_text
from support.spelling import misspelt

SEIZURE = "saphan/drug_seizure/1"
STOPS = {"en": ".", "lo": ".", "km": "។"}


@pytest.mark.parametrize("name", bodies.NAMES)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_field_has_a_label(name: str, lang: str) -> None:
    missing = sorted(key for key in labels.keys_of(name) if not labels.has_label(key, lang))
    assert not missing


@pytest.mark.parametrize("lang", LANGUAGES)
def test_labels_are_short_titles_and_plain_sentences(lang: str) -> None:
    for key in labels.label_keys():
        title, sentence = labels.title(key, lang), labels.description(key, lang)
        assert 0 < len(title) <= 60, key
        assert 1 < len(sentence) <= 240, key
        assert sentence.endswith(STOPS[lang]), (key, sentence)
        for text in (title, sentence):
            assert text == text.strip(), key
            check_text(text, key)
            assert misspelt(text) is None, (key, text)


def test_lao_and_khmer_are_written_in_their_scripts() -> None:
    """A label that was left in English, or put under the wrong language, has none of them."""
    for key in labels.label_keys():
        assert re.search("[\u0e80-\u0eff]", labels.description(key, "lo")), key
        assert re.search("[\u1780-\u17ff]", labels.description(key, "km")), key
        for lang, other in (("lo", "[\u1780-\u17ff]"), ("km", "[\u0e80-\u0eff]")):
            assert not re.search(other, labels.description(key, lang)), key


def test_no_label_is_left_of_a_field_that_is_gone() -> None:
    owners = {name.split("/")[1] for name in bodies.NAMES}
    wanted = {key for name in bodies.NAMES for key in labels.keys_of(name)}
    shared = {key for key in labels.label_keys() if "." not in key}
    stale = labels.label_keys() - wanted - shared
    assert not stale
    assert owners <= labels.label_keys()


def test_shared_names_with_a_label_exist() -> None:
    folder = resources.files("saphan_schemas").joinpath("bodies", "shared")
    names = {"attachments"} | {name.split("/")[1] for name in bodies.NAMES}
    for file in folder.iterdir():
        if not file.name.endswith(".rules.json"):
            names |= json.loads(file.read_text(encoding="utf-8")).keys()
    assert {key for key in labels.label_keys() if "." not in key} <= names


@pytest.mark.parametrize(
    ("pointer", "key"),
    [
        ("", "drug_seizure"),
        ("/body", "drug_seizure"),
        ("/body/seized_at/precision", "drug_seizure.seized_at.precision"),
        ("/body/arrests/3/count", "drug_seizure.arrests.count"),
        ("/body/arrests/3", "drug_seizure.arrests"),
        ("/body/substances/0/unit", "substance_quantity.unit"),
        ("/body/place", "drug_seizure.place"),
        ("/body/place/lat", "place.lat"),
        ("/body/persons/0/names/forms/1/full", "person_name.forms.full"),
        ("/about", "about"),
        ("/about/title/lo", "about.title"),
        ("/about/contact/duty_line", "contact.duty_line"),
        ("/attachments/0/name", "attachments.name"),
        ("/body/place/planet", "drug_seizure.place"),
        ("/body/substances/x", "drug_seizure.substances"),
        ("/body/a~1b", "drug_seizure"),
        ("/header/urgency", "drug_seizure"),
    ],
)
def test_a_pointer_leads_to_the_key_of_the_deepest_known_field(pointer: str, key: str) -> None:
    assert labels.label_key(SEIZURE, pointer) == key


def pointers(value: Any, at: str = "") -> Iterator[str]:
    yield at
    if isinstance(value, dict):
        for key, item in value.items():
            yield from pointers(item, f"{at}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from pointers(item, f"{at}/{index}")


@pytest.mark.parametrize("name", bodies.NAMES)
def test_every_place_of_a_sample_has_a_label(name: str) -> None:
    for pointer in pointers(sample(name.split("/")[1])):
        assert labels.has_label(labels.label_key(name, pointer), "km"), pointer


def test_a_field_of_an_own_type_has_its_name_in_words() -> None:
    schema = {
        "properties": {"body": {"properties": {"depth_m": {}, "place": {"$ref": "#/$defs/place"}}}},
        "$defs": {"place": {"properties": {"lat": {}}}},
    }
    own = "la.ospp/field_report/1"
    key = labels.label_key(own, "/body/depth_m", schema)
    assert (labels.title(key, "lo"), labels.description(key, "lo")) == ("depth m", "")
    assert labels.title(labels.label_key(own, "/body", schema)) == "field report"
    # What it takes from the shared types has their labels.
    assert labels.label_key(own, "/body/place/lat", schema) == "place.lat"
    assert labels.keys_of(own, schema) == {own, f"{own}.depth_m", f"{own}.place", "place.lat"}


def test_an_own_type_with_a_name_like_ours_does_not_get_our_labels() -> None:
    schema: dict[str, Any] = {"properties": {"body": {"properties": {"operation": {}}}}}
    key = labels.label_key("la.ospp/drug_seizure/1", "/body/operation", schema)
    assert not labels.has_label(key)


def test_what_waits_for_a_native_reader_is_listed() -> None:
    assert not labels.unreviewed_labels("en")
    assert "about.title" in labels.unreviewed_labels("lo")
    assert set(labels.unreviewed_labels("km")) <= labels.label_keys()
