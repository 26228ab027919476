"""References in contents: found, normalised, the same however they were written."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from saphan.folding.skeleton import skeleton
from saphan.folding.spelling import fold
from saphan.subjects.references import (
    ACCOUNT,
    NAME,
    NAME_LIKE,
    NUMBER,
    PHONE,
    Reference,
    asked_references,
    references_of,
)
from saphan_schemas.samples import SAMPLES, wish

NOTICE = "subject_notice"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ស្ត្រី", "ស្រ្តី"),  # the Khmer word for woman: subscripts in another order,
        ("ស្ត្រី", "ស្ដ្រី"),  # and DA under it, which looks like TA
        ("កណ្ដាល", "កណ្តាល"),
        ("កើត", "កេីត"),
        ("ນ້ຳ", "ນໍ້າ"),
        ("ນ້ຳ", "ນ້ໍາ"),
        ("ໜອງ", "ຫນອງ"),
        ("ຫຼວງ", "ຫລວງ"),
        ("ຕົວຢ່າງ", "ຕົວຢາງ"),
        ("ຄຳ\u200bດີ", "ຄຳດີ"),
        ("Nguyễn", "NGUYEN"),
        ("SAMPLE<<SOMSAK", "sample Somsak"),
        ("២០២៥ ໒໐໒໕", "2025 2025"),
    ],
)
def test_spellings_that_look_the_same_are_folded_into_one(one: str, other: str) -> None:
    assert one != other
    assert fold(one) == fold(other)
    assert fold(fold(one)) == fold(one)


def test_different_words_stay_different() -> None:
    words = ["ນາ", "ນານ", "ຕາ", "ដារា", "តារា", "ស្រី", "ស្ត្រី", "somsak", "somsai"]
    assert len({fold(word) for word in words}) == len(words)


def test_romanisations_of_one_name_share_their_skeleton() -> None:
    assert skeleton(fold("Somsack Phommachanh")) == skeleton(fold("PHOMMACHAN SOMSAK"))
    assert skeleton(fold("Vongvichith")) == skeleton(fold("Wongwichit"))
    assert skeleton(fold("Dara")) == ""  # two consonants say nothing
    assert skeleton(fold("ດາຣາ ຕົວຢ່າງ")) == ""


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("គំរូ ដារា", NAME),
        ("ដារា គំរូ", NAME),
        ("គំរូដារា", NAME),
        ("Dara KUMRU", NAME),
        ("ບຸນມີ ຕົວຢາງ", NAME),  # without its tone mark
        ("N-0000 0000", NUMBER),
        ("1a0000", NUMBER),
        ("kh gpo 2025 sn 0004", NUMBER),
        ("142/2025", NUMBER),
        ("020 00000001", PHONE),
        ("+856 20 00 000 001", PHONE),
        ("00856-20-00000001", PHONE),
        ("DARA.sample", ACCOUNT),
        ("Kumroo Dala", NAME_LIKE),
    ],
)
def test_a_notice_is_found_by_whatever_it_names(text: str, kind: str) -> None:
    notice = wish(NOTICE)
    found = references_of(notice["schema"], notice)
    assert kind in {one.kind for one in found & asked_references(text)}


@pytest.mark.parametrize("text", ["គំរូ", "Sample Messenger", "+855 00 000 000", "Boatman", "", "12"])
def test_what_no_field_of_a_reference_says_is_not_found(text: str) -> None:
    notice = wish(NOTICE)
    found = references_of(notice["schema"], notice)
    assert not found & asked_references(text)


@pytest.mark.parametrize(
    ("kind", "value", "asked"),
    [
        ("phone", "+856 20 5555 1234", "020\u20115555\u20111234"),  # hyphens that do not break
        ("phone", "+856 20 5555 1234", "\u202a（020） 5555\u20131234\u202c"),
        ("messaging", "+8562055551234", "020 5555 1234"),
        ("bank_account", "123-4-56789-0", "1234567890"),
        ("bank_account", "1234567890", "123-4 56789\u20130"),
        ("bank_account", "010 12 00 123", "໐໑໐-໑໒-໐໐-໑໒໓"),
    ],
)
def test_numbers_are_found_with_whatever_signs_they_are_written(
    kind: str, value: str, asked: str
) -> None:
    content = {"body": {"one": {"kind": kind, "value": value}}}
    assert references_of("saphan/info_request/1", content) & asked_references(asked)


def test_handles_keep_their_signs() -> None:
    content = {"body": {"one": {"kind": "messaging", "value": "dara.sample1"}}}
    assert not references_of("saphan/info_request/1", content) & asked_references("darasample1")


def test_every_sample_has_its_own_reference_and_nothing_of_laws_or_offices() -> None:
    for name in SAMPLES:
        content = wish(name)
        found = references_of(content["schema"], content)
        own = "".join(fold(content["about"]["reference"]).split())
        assert Reference(NUMBER, own) in found, name
        assert all(one.value and one.value == one.value.strip() for one in found), name
        offices = {Reference(PHONE, fold(content["about"]["contact"]["duty_line"]))}
        assert not offices & found, name


def test_a_statistic_names_nobody_in_its_body() -> None:
    content = wish("case_statistics")
    assert len(references_of(content["schema"], content)) == 1


def test_contents_of_any_form_are_walked_without_an_error() -> None:
    odd: list[Any] = [
        {"forms": [1, {"full": 2}, {"full": "ab cde", "given": 3}], "kind": 4, "plate": "x"},
        {"kind": "phone", "value": ["1"], "number": {"number": 7}},
        {"plate": {"text": None}, "vin": "VIN 123"},
    ]
    deep: Any = "end"
    for _ in range(200):
        deep = [deep]
    content = {"about": None, "body": {"odd": odd, "deep": deep}}
    before = copy.deepcopy(odd)
    found = references_of("xx.agency/own/1", content)
    assert Reference(NUMBER, "vin123") in found
    assert Reference(NAME, "abcde") in found
    assert odd == before
