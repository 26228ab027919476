"""Spellings that an officer cannot tell apart are found by each other (reference, section 5)."""

from __future__ import annotations

import itertools

import pytest
from saphan.folding.phones import phone_forms
from saphan.folding.searching import aligned, asked_words, search_key, sound, sounds
from saphan.folding.spelling import fold

SAME = [
    # 1. Khmer: three encodings of the word for woman; DA and TA below; signs in any order.
    ("ស្ត្រី", "ស្រ្តី", "ស្ដ្រី", "ស្រ្ដី", "ស្រី្ត"),
    ("កណ្ដាល", "កណ្តាល"),
    ("កើត", "កេីត"),
    ("កោះ", "កេាះ"),
    ("ញ៉ាំ", "ញុាំ", "ញាុំ"),
    # 2. Lao: HO NO and its ligature, HO MO, am in its forms, with a tone mark between; HO LO.
    ("ໜອງ", "ຫນອງ"),
    ("ໝາ", "ຫມາ"),
    ("ນຳ", "ນໍາ"),
    ("ນ້ຳ", "ນໍ້າ", "ນ້ໍາ", "ນຳ"),
    ("ຫຼວງ", "ຫລວງ"),
    # 3. Tone marks, digits of each script, what nobody sees, case.
    ("ຕົວຢ່າງ", "ຕົວຢາງ"),
    ("໐໑໒໓໔໕໖໗໘໙", "០១២៣៤៥៦៧៨៩", "0123456789"),
    ("ຄຳ\u200bດີ", "ຄຳ\u200cດີ", "ຄຳ\u200dດີ", "ຄຳດີ"),
    ("ភ្នំ\u200bពេញ", "ភ្នំពេញ"),
    ("Nguyễn", "NGUYEN", "nguyen"),
    # Lao and Khmer have no spaces between words; numbers are grouped as one likes.
    ("ນະຄອນຫຼວງ ວຽງຈັນ", "ນະຄອນຫຼວງວຽງຈັນ"),
    ("020 5555 1234", "020-5555-1234", "02055551234"),
]
PAIRS = [pair for group in SAME for pair in itertools.combinations(group, 2)]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_spellings_that_look_the_same_are_found_by_each_other(one: str, other: str) -> None:
    assert one != other
    assert search_key(one) == search_key(other)
    assert all(word in search_key(other) for word in asked_words(one))


def test_different_words_stay_different() -> None:
    words = ["ນາ", "ນານ", "ຕາ", "ដារា", "តារា", "ស្រី", "ស្ត្រី", "កុក", "កក", "somsak", "somsai"]
    assert len({search_key(word) for word in words}) == len(words)


def test_references_keep_what_only_searching_drops() -> None:
    assert fold("ញ៉ាំ") != fold("ញាំ")  # what is suppressed is known by it
    assert search_key("ញ៉ាំ") == search_key("ញាំ")


def test_a_question_is_taken_apart_into_words() -> None:
    assert asked_words("  AB-1234  ດາຣາ, ab ") == ["ab", "1234", "ດາຣາ"]
    assert asked_words("ab1234") == ["ab", "1234"]
    assert asked_words("020 5555") == ["020", "5555"]
    assert asked_words(" .,- ") == []


def test_romanisations_of_a_name_sound_alike() -> None:
    assert sound("Phommachanh") == sound("PHOMMACHAN") == sound("pommachan")
    assert sounds("Mr Vongvichith was seen with dara and SOMSACK") == {
        sound("Wongwichit"), sound("Somsak")
    }  # fmt: skip
    assert sounds("ທ້າວ ດາຣາ ຕົວຢ່າງ") == frozenset()


@pytest.mark.parametrize(
    ("text", "asked", "shown"),
    [
        ("ដឹក ស្រ្តី ពីរនាក់", "ស្ត្រី", "ស្រ្តី"),
        ("ທີ່ ນໍ້າ ງື່ມ", "ນຳ", "ນໍ້າ"),
        ("ບ້ານ ໜອງບົກ", "ຫນອງ", "ໜອງ"),
        ("plate AB–12 34.", "1234", "12 34"),
        ("The NGUYỄN family", "nguyen", "NGUYỄN"),
        ("ភ្នំ\u200bពេញ ២០២៥", "2025", "២០២៥"),
        ("ﬁne", "fi", "ﬁ"),  # one character folds into two
    ],
)
def test_what_was_found_is_shown_as_it_was_written(text: str, asked: str, shown: str) -> None:
    key, places = aligned(text)
    at = key.index(search_key(asked))
    begin, end = places[at][0], places[at + len(search_key(asked)) - 1][1]
    assert text[begin:end] == shown


def test_what_does_not_fold_piece_by_piece_is_found_without_places() -> None:
    key, places = aligned("")
    assert (key, places) == ("", [])


def test_a_phone_is_known_with_and_without_its_country() -> None:
    assert phone_forms("0085602055551234") == ("85602055551234", "2055551234")
    assert phone_forms("02055551234") == ("2055551234",)
    assert phone_forms("0012345") == ()
