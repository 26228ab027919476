"""The search key of any text: twice changes nothing, never long, and each place is in the text."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st
from saphan.folding.packing import pack
from saphan.folding.searching import aligned, asked_words, search_key, sounds

WRITTEN = st.sampled_from(
    [*"abÀßﬁ09 .-", *map(chr, range(0x0E81, 0x0EDE)), *map(chr, range(0x1780, 0x17DE)),
     *"\u200b\u200d\u0301กำ一각"]
)  # fmt: skip
TEXTS = st.text(WRITTEN, max_size=60) | st.text(max_size=60)
LONGEST = 18
"""Letters that one character folds into at most: U+FDFA."""


@given(text=TEXTS)
def test_what_is_folded_for_searching_is_folded(text: str) -> None:
    key = search_key(text)
    assert search_key(key) == key
    assert len(key) <= LONGEST * len(text)


@given(text=TEXTS)
def test_every_word_of_a_text_finds_it(text: str) -> None:
    key = search_key(text)
    assert all(word in key for word in asked_words(text))


@given(text=TEXTS)
def test_places_are_of_the_text_and_in_its_order(text: str) -> None:
    key, places = aligned(text)
    assert key == search_key(text)
    assert len(places) in (0, len(key))
    assert all(0 <= begin < end <= len(text) for begin, end in places)
    assert places == sorted(places)


@given(text=st.text(WRITTEN, max_size=60))
def test_our_scripts_fold_piece_by_piece(text: str) -> None:
    key, places = aligned(text)
    assert len(places) == len(key)


@given(text=TEXTS)
def test_sounds_are_of_consonants_alone(text: str) -> None:
    assert all(one.isascii() and one.isalpha() and len(one) >= 3 for one in sounds(text))


@given(text=TEXTS, other=TEXTS)
def test_packed_keys_find_what_keys_find(text: str, other: str) -> None:
    key, asked = search_key(text), search_key(other)
    assert (pack(asked) in pack(key)) == (asked in key)
    assert all(pack(word) in pack(key) for word in asked_words(text))


def test_lao_khmer_and_latin_take_one_byte_a_letter() -> None:
    text = search_key("ສົມພອນ ຕົວຢ່າງ ឃាត់ខ្លួននៅ ភ្នំពេញ ២០២៥ Somphone ຫຼວງ " * 50)
    assert max(map(ord, pack(text))) < 0x100
    assert sys.getsizeof(pack(text)) < len(text) + 100
