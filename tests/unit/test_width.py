"""Width and clipping of Lao, Khmer and other text on a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saphan_schemas.width import clip, clusters, fit, pad, width

WIDTHS = (
    ("", 0),
    ("Saphan", 6),
    ("ສະພານ", 5),
    ("ກຳ", 2),  # am stands beside its letter
    ("ນ້ຳ", 2),  # with a tone mark above
    ("ຢູ່", 1),  # vowel below, tone above
    ("ເມືອງ", 4),
    ("ភ្នំ", 2),  # letter, subscript, sign above
    ("ស្ពាន", 4),  # letter, subscript, spacing vowel, letter
    ("កោះ", 3),  # two spacing vowels
    ("បាត់", 3),
    ("中文", 4),
    ("ａ", 2),
    ("e\u0301", 1),
    ("a\u200bb", 2),
    ("\u17d2", 0),
    ("12\x1b", 2),
)

CLUSTERS: tuple[tuple[str, list[str]], ...] = (
    ("ນ້ຳກ", ["ນ້ຳ", "ກ"]),
    ("ເມືອງ", ["ເ", "ມື", "ອ", "ງ"]),
    ("ស្ពាន", ["ស្ពា", "ន"]),
    ("ស្ត្រី", ["ស្ត្រី"]),  # two subscripts and a vowel
    ("ព្រះវិហារ", ["ព្រះ", "វិ", "ហា", "រ"]),
    ("ក្", ["ក្"]),
    ("ក្a", ["ក្", "a"]),  # coeng joins Khmer letters only
    ("e\u0301x", ["e\u0301", "x"]),
    ("\u0301x", ["\u0301", "x"]),
    ("", []),
)


@pytest.mark.parametrize(("text", "cells"), WIDTHS)
def test_width(text: str, cells: int) -> None:
    assert width(text) == cells


@pytest.mark.parametrize(("text", "letters"), CLUSTERS)
def test_clusters(text: str, letters: list[str]) -> None:
    assert list(clusters(text)) == letters


def test_clip_never_tears_a_letter_apart() -> None:
    assert clip("ស្ត្រីម្នាក់", 5) == "ស្ត្រី…"
    assert clip("ស្ត្រីម្នាក់", 3) == "…"
    assert clip("ນ້ຳຂອງ", 3) == "ນ້ຳ…"
    assert clip("ນ້ຳຂອງ", 2) == "…"
    assert clip("中文中文", 4) == "中…"
    assert clip("short", 5) == "short"
    assert clip("longer", 5, "...") == "lo..."
    assert clip("longer", 2, "...") == ""
    assert clip("longer", 0) == ""


def test_columns_line_up() -> None:
    rows = [fit(title, 12) for title in ("ຝຶກອົບຮົມຮ່ວມ", "វគ្គបណ្តុះបណ្តាលរួម", "Joint training", "")]
    assert {width(row) for row in rows} == {12}
    assert pad("too wide", 3) == "too wide"


any_text = st.text(
    st.sampled_from("aກນຳ້ເໜືកសពត្រ\u17d2\u17b6\u17c6ី中\u200d\u200b\u0301 "), max_size=20
)


@given(any_text)
def test_clusters_make_up_the_text_and_its_width(text: str) -> None:
    letters = list(clusters(text))
    assert "".join(letters) == text
    assert sum(map(width, letters)) == width(text)
    assert all(letters)


@given(any_text, st.integers(0, 12))
def test_clip_fits_and_is_a_start_of_whole_letters(text: str, cells: int) -> None:
    clipped = clip(text, cells)
    assert width(clipped) <= cells
    assert width(fit(text, cells)) == cells
    if clipped != text:
        kept = list(clusters(clipped.removesuffix("…")))
        assert kept == list(clusters(text))[: len(kept)]
