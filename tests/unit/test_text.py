"""Characters that may not stand in content, and those that must."""

from __future__ import annotations

import itertools
import json
import unicodedata
from importlib import resources

import pytest
from saphan_schemas import bodies
from saphan_schemas.errors import InvalidInput
from saphan_schemas.samples import sample
from saphan_schemas.text import check_text, check_texts
from support.contents import check

PINNED = json.loads(
    resources.files("saphan_schemas").joinpath("text_forbidden.json").read_text(encoding="utf-8")
)

FORBIDDEN = (
    *("\u17a3", "\u17a4", "\u17b4", "\u17b5", "\u17d8"),  # deprecated Khmer
    *("\u061c", "\u200e", "\u200f", "\u202a", "\u202e", "\u2066", "\u2069"),  # bidi controls
    *("\x00", "\t", "\r", "\x1b", "\x7f", "\x85"),  # a terminal obeys them
    *("\u2028", "\u2029"),  # paper shows two lines where there is one
    *("\ud800", "\udfff"),  # lone surrogates
    *("\ue000", "\U000f0000", "\U0010fffd"),  # private use
    *("\u0149", "\u0f77", "\u206a", "\u2329", "\U000e0001"),  # deprecated
    *("\U000e0020", "\U000e007f"),  # tags: nobody sees them
    *("\u0e80", "\u0eff", "\u17de", "\ufffe", "\uffff", "\U0001ffff", "\U0010ffff"),  # unassigned
)

ALLOWED = (
    "ສະພານ ນ້ຳ ໜອງນົກຂຽນ ໑໒໓",
    "ស្ពាន កណ្តាល ឧត្តរមានជ័យ ១២៣ ។",
    "line\nline",
    "word\u200bbreak",
    "e\u0301 Ω 中文 ไทย မြန်မာ tiếng Việt",
    "\U0001f6a8 \U00020000",
    'a \\b \\u0000 "quoted"',
    "",
)


@pytest.mark.parametrize("char", FORBIDDEN, ids=lambda char: f"U+{ord(char):04X}")
def test_forbidden_character_is_named_with_its_place(char: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_text(f"ກa{char}", "title")
    error = refused.value
    assert (error.code, error.field) == ("text_forbidden", "title")
    assert f"character 3 is U+{ord(char):04X}" in error.message
    error.message.encode()  # the character itself is not repeated


@pytest.mark.parametrize("char", FORBIDDEN, ids=lambda char: f"U+{ord(char):04X}")
def test_forbidden_character_is_found_inside_content(char: str) -> None:
    content = sample("training_notice")
    content["body"]["nominees"][0]["post"]["en"] = f"Prosecutor{char}"
    with pytest.raises(InvalidInput) as refused:
        check("saphan/training_notice/1", content)
    assert refused.value.code == "text_forbidden"
    assert refused.value.field == "/body/nominees/0/post/en"


@pytest.mark.parametrize("text", ALLOWED)
def test_allowed_text_passes(text: str) -> None:
    check_text(text, "title")
    check_texts({"a": [{"b": text}]})


FORBIDDEN_POINTS = frozenset(
    point for first, last in PINNED["ranges"] for point in range(first, last + 1)
)
BIDI = frozenset({0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)})
DEPRECATED = frozenset(
    {0x149, 0x673, 0xF77, 0xF79, 0x17A3, 0x17A4, *range(0x206A, 0x2070), 0x2329, 0x232A, 0xE0001}
)
BREAKS = frozenset({0x2028, 0x2029})
KHMER = frozenset({0x17B4, 0x17B5, 0x17D8})
TAGS = frozenset(range(0xE0020, 0xE0080))


def test_the_pinned_list_agrees_with_this_python() -> None:
    """Python's own table is another copy of Unicode's, of an older or a newer version."""
    own = {point: unicodedata.category(chr(point)) for point in range(0x110000)}
    assigned = {point for point, kind in own.items() if kind not in ("Cn", "Cs", "Co", "Cc")}
    refused = FORBIDDEN_POINTS - BIDI - BREAKS - DEPRECATED - KHMER - TAGS
    version = tuple(map(int, unicodedata.unidata_version.split(".")))
    assert PINNED["unicode"] == "15.1.0"
    # Characters are never taken back: what an older version assigned, a newer one assigns too.
    if version <= (15, 1, 0):
        assert not assigned & refused
    if version >= (15, 1, 0):
        allowed = set(range(0x110000)) - refused - {0x0A}
        assert allowed <= assigned


def test_the_pinned_list_has_as_many_characters_as_unicode_says() -> None:
    """Unicode 15.1 has 149,813 graphic and format characters; we take a line feed besides."""
    extra = BIDI | BREAKS | DEPRECATED | KHMER | TAGS
    assert extra <= FORBIDDEN_POINTS
    assert 0x110000 - len(FORBIDDEN_POINTS) + len(extra) - 1 == 149_813
    # Assigned in 15.0 and in 15.1: a Kawi letter, the last ideographic description character.
    assert not FORBIDDEN_POINTS & {0x11F04, 0x2FFF}
    # Assigned in 16.0 only: a Todhri letter.
    assert 0x105C0 in FORBIDDEN_POINTS


def test_check_text_agrees_with_the_list_at_every_range_end() -> None:
    forbidden = PINNED["ranges"]
    for (first, last), (following, _) in itertools.pairwise(forbidden):
        for point in (first, last):
            with pytest.raises(InvalidInput):
                check_text(chr(point), "x")
        assert last + 1 < following
        check_text(chr(last + 1), "x")
        check_text(chr(following - 1), "x")


def test_samples_have_clean_text() -> None:
    for name in bodies.NAMES:
        check_texts(sample(name.split("/")[1]))
