"""A bulletin on the reader's terminal: names and codes in words, nothing of it left out."""

from __future__ import annotations

from typing import Any

import pytest
from saphan.cli.content_lines import ContentWords
from saphan_schemas.messages import LANGUAGES
from saphan_schemas.samples import SAMPLES, sample, schema_of


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", SAMPLES)
def test_every_value_is_shown(name: str, lang: str) -> None:
    words = ContentWords(schema_of(name), lang, (lang,))
    for part in ("about", "body"):
        value = sample(name)[part]
        shown = "\n".join(words.lines(value, f"/{part}"))
        for leaf in leaves(value):
            if not isinstance(leaf, bool):
                assert str(leaf) in shown


def test_fields_and_codes_are_called_by_their_names() -> None:
    value = {
        "substances": [{"unit": "U2", "amount": "118000"}],
        "narrative": {"lo": "ກ", "en": "a"},
    }
    english = list(ContentWords("saphan/drug_seizure/1", "en", ("en",)).lines(value, "/body"))
    assert english == [
        "Substances:",
        "  - Unit: Tablet (U2)",
        "    Amount: 118000",
        "What happened:",
        "  English: a",
        "  Lao: ກ",
    ]
    lao = list(ContentWords("saphan/drug_seizure/1", "lo", ("lo",)).lines(value, "/body"))
    assert "ເມັດ (U2)" in lao[1]
    assert lao[4].endswith("ກ")


def test_a_type_that_is_not_known_is_shown_by_the_names_of_its_fields() -> None:
    words = ContentWords("la.ospp/field_report/1", "km", ("km",))
    assert list(words.lines({"depth_m": 3, "wet": True, "none": []}, "/body")) == [
        "depth m: 3",
        "wet: បាទ",
        "none: -",
    ]
