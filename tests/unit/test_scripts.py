"""Words that mix scripts: found where something is identified, left alone where they are prose."""

from __future__ import annotations

import json
import unicodedata
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saphan_schemas.errors import InvalidInput
from saphan_schemas.rules import RuleSet
from saphan_schemas.samples import sample
from saphan_schemas.scripts import mixed_word, script_of
from saphan_schemas.text import check_text
from support.contents import refusal

PINNED = json.loads(
    resources.files("saphan_schemas").joinpath("text_scripts.json").read_text(encoding="utf-8")
)
MIXED = (
    ("p\u0430ypal", 0),  # a Cyrillic a
    ("LA \u0410BC", 3),  # a Cyrillic A in the second word
    ("ABກຂ", 0),
    ("12ກ34ខ", 0),
    ("x@\u03bfne.la", 2),  # a Greek o
    ("\u4e2d\u0e01", 0),
    ("p\u200b\u0430\u200bypal", 0),  # nobody sees that these are "three words"
    ("word\u200bກຂ", 0),
)
CLEAN = (
    "ກຂ 0000",
    "ភ្នំពេញ 2AB-1234",
    "AB-ກຂ-ខគ",
    "东京タワー한국ㄅ",
    "e\u0301tude 13S",
    "\u0430\u0431\u0432",
    "word ກຂ",
    "ພາ\u200bສາ 13S",
    "",
    "0123-456",
)


@pytest.mark.parametrize(("text", "at"), MIXED)
def test_a_word_of_two_scripts_is_found(text: str, at: int) -> None:
    assert mixed_word(text) == at


@pytest.mark.parametrize("text", CLEAN)
def test_words_of_one_script_each_are_clean(text: str) -> None:
    assert mixed_word(text) is None


@given(st.text(st.sampled_from("aZ9 -.\u200bກ້ຂខ្យ\u0430\u03bf中あ한\u0301é"), max_size=12))
def test_the_short_way_agrees_with_the_words_of_the_page(text: str) -> None:
    """content.md, C9, letter by letter."""
    at: int | None = None
    begun = 0
    scripts: set[str] = set()
    for place, char in enumerate(text + " "):
        if char.isascii() and not char.isalnum():
            if len(scripts) > 1 and at is None:
                at = begun
            begun, scripts = place + 1, set()
        elif (script := script_of(char)) is not None:
            scripts.add(script)
    assert mixed_word(text) == at


def test_the_rule_refuses_it_where_something_is_identified() -> None:
    rules = RuleSet([{"rule": "one_script", "each": "/body/plates/*", "value": "text"}])
    content: dict[str, Any] = {
        "about": {},
        "attachments": [],
        "body": {"plates": [{"text": "ກຂ 0000"}, {}, {"text": "\u0410B 12"}]},
    }
    with pytest.raises(InvalidInput) as refused:
        rules.check(content)
    assert (refused.value.code, refused.value.field) == ("rule_broken", "/body/plates/2/text")
    assert "\u0410" not in str(refused.value)
    del content["body"]["plates"][2]
    rules.check(content)


@pytest.mark.parametrize(
    ("name", "holder", "field"),
    [
        ("drug_seizure", "/body/vehicles/0/plate", "text"),
        ("subject_notice", "/body/subject/person/documents/0", "number"),
        ("drug_seizure", "/about/national_refs/0", "value"),
    ],
)
def test_numbers_of_registers_take_one_script_and_ascii_digits(
    name: str, holder: str, field: str
) -> None:
    content = sample(name)
    place: Any = content
    for step in holder.split("/")[1:]:
        place = place[int(step) if step.isdigit() else step]
    place[field] = "\u0410B 12"  # a Cyrillic A
    error = refusal(name, content)
    assert (error.code, error.field) == ("rule_broken", f"{holder}/{field}")
    digits = ("AB \u0ed1\u0ed2", "AB \u17e1\u17e2", "AB \u0e51", "AB \uff11")
    # A second number that looks like the first and that no search finds.
    unseen = ("A\u200bB 12", "AB 12\u200d", "\ufeffAB 12", "AB\u2060 12", "AB\u00ad12")
    for other in digits + unseen:
        place[field] = other
        error = refusal(name, content)
        assert (error.code, error.field) == ("schema_invalid", f"{holder}/{field}")


def test_the_pinned_scripts_are_names_of_assigned_letters_in_order() -> None:
    assert PINNED["unicode"] == "15.1.0"
    before = -1
    for first, last, script in PINNED["ranges"]:
        assert before < first <= last
        before = last
        check_text(chr(first), "first")
        check_text(chr(last), "last")
        assert script not in ("Common", "Inherited", "Hangul", "Hiragana", "Katakana", "Bopomofo")


@pytest.mark.parametrize(
    ("prefix", "script"),
    [
        ("LAO LETTER", "Lao"),
        ("LAO VOWEL", "Lao"),
        ("KHMER LETTER", "Khmer"),
        ("KHMER SIGN", "Khmer"),
        ("LATIN SMALL LETTER", "Latin"),
        ("CYRILLIC SMALL LETTER", "Cyrillic"),
        ("GREEK SMALL LETTER", "Greek"),
        ("THAI CHARACTER", "Thai"),
        ("MYANMAR LETTER", "Myanmar"),
        ("HIRAGANA LETTER", "Han"),
    ],
)
def test_the_pinned_scripts_agree_with_the_names_that_python_knows(
    prefix: str, script: str
) -> None:
    named = [
        chr(point)
        for point in range(0x20, 0x1FFFF)
        if unicodedata.name(chr(point), "").startswith(prefix)
    ]
    assert len(named) > 10
    # Two Hiragana and Katakana marks belong to both; deprecated characters still have a script.
    assert {script_of(char) for char in named} == {script}
