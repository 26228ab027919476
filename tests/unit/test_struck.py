"""Lists of bulletins: what does not stand is struck through, under what took its place."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from saphan.cli.struck import newest_first, standing_marks, stands, struck
from saphan_schemas.width import width

Json = dict[str, Any]


def row(name: str, *by: str, recalled: str | None = None, suppressed: bool = False) -> Json:
    return {
        "id": name * 64, "replaced_by": [one * 64 for one in by],
        "recalled": recalled, "suppressed": suppressed,
    }  # fmt: skip


def order(rows: list[Json]) -> str:
    return "".join(one["id"][0] for one in newest_first(rows))


def test_the_newest_stands_where_it_came_and_the_old_ones_under_it() -> None:
    assert order([row("a"), row("b"), row("c")]) == "abc"
    assert order([row("a", "c"), row("b"), row("c")]) == "bca"
    # Each names the one before it; a naming of two counts for the newest.
    assert order([row("a", "b"), row("b", "d"), row("c"), row("d")]) == "cdba"
    assert order([row("a", "b", "d"), row("b", "d"), row("c"), row("d")]) == "cdba"


def test_what_took_its_place_elsewhere_leaves_it_where_it_is() -> None:
    assert order([row("a", "f"), row("b")]) == "ab"


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdefx"), max_size=3)),
        max_size=6,
        unique_by=lambda one: one[0],
    )
)
def test_nothing_is_lost_and_nothing_comes_twice(given_rows: list[tuple[str, list[str]]]) -> None:
    """Whatever a node says: rings, oneself, unknown ones."""
    rows = [row(name, *by) for name, by in given_rows]
    assert sorted(order(rows)) == sorted(name for name, _ in given_rows)


def test_a_row_says_why_it_is_struck_through() -> None:
    fine, old = row("a"), row("a", "b", "c")
    back, marked = row("a", recalled="wrong_person"), row("a", suppressed=True)
    assert [stands(one) for one in (fine, old, back, marked)] == [True, False, False, True]
    assert struck("Seizure", fine) == "Seizure"
    assert struck("Seizure", old) == struck("Seizure", back) == "~~Seizure~~"
    assert standing_marks(fine) == []
    assert standing_marks(old) == [f"replaced by {'c' * 16}"]
    assert standing_marks(back) == ["recalled: it names the wrong person"]
    assert standing_marks(marked) == ["names somebody recalled as the wrong person"]


@given(st.text(max_size=40), st.booleans())
def test_a_cell_keeps_its_width(text: str, stands_still: bool) -> None:
    shown = struck(text, row("a") if stands_still else row("a", "b"), 22)
    assert width(shown) == width(struck("", row("a"), 22))
    assert stands_still or shown.rstrip().endswith("~~")
