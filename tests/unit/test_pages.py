"""Pages: text stays text, nothing is fetched, pictures stand where their numbers say."""

from __future__ import annotations

import itertools
import sys
from typing import Any

import pytest
from saphan.pages import svg
from saphan.pages.blocks import (
    Banner,
    Block,
    Facts,
    Heading,
    Page,
    Paragraph,
    Picture,
    Points,
    Span,
    Table,
    Words,
)
from saphan.pages.charts import DURATIONS, Series, bars, lines
from saphan.pages.html import POLICY, write_html
from saphan.pages.pdf import page_value, write_pdf
from saphan.pages.saying import duration, elapsed, stamp
from saphan.pages.timeline import Moment, timeline
from saphan_schemas.errors import OperatorError
from saphan_schemas.messages import LANGUAGES
from support.refusals import code_of

HOSTILE = '<script src="http://x.example/">&"\' #panic("typst") *b* _i_ $x$ @a `c` \\ //'
ARCHIVED = b"pdfaid:part>2<"
MADE = 1_780_000_000_000


def drawn() -> svg.Drawing:
    return svg.Drawing(100, 40, (svg.text(5, 20, HOSTILE), svg.circle(5, 5, 3, "#000000")))


def hostile_blocks() -> tuple[Block, ...]:
    return (
        Banner(HOSTILE, (HOSTILE,), "bad"),
        Heading(HOSTILE),
        Paragraph(HOSTILE, "code"),
        Points((HOSTILE,)),
        Facts(((HOSTILE, Span(HOSTILE, "code")),)),
        Table((HOSTILE, "b"), ((HOSTILE, Span(HOSTILE, "good")),), (1, 1)),
        Words(((HOSTILE, (HOSTILE,)),)),
        Picture(drawn(), HOSTILE),
    )


def page(*blocks: Block, lang: str = "en", **given: str) -> Page:
    return Page(
        lang, given.get("kind", "kind"), given.get("title", "title"), "foot", MADE, None, blocks
    )


@pytest.mark.parametrize("lang", LANGUAGES)
def test_whatever_a_page_says_is_shown_as_text_and_nothing_is_fetched(lang: str) -> None:
    made = Page(lang, HOSTILE, HOSTILE, HOSTILE, MADE, HOSTILE, hostile_blocks())
    html = write_html(made).decode()
    assert "<script" not in html
    assert 'src="' not in html
    assert "href" not in html
    assert f'content="{POLICY}"' in html
    assert "url(" not in html
    assert html.count("&lt;script") >= 15


def test_nothing_turns_or_hides_letters_of_a_page() -> None:
    steering = "\x1b[31m\u202egro.tnemeerga\u2069\x00"
    made = Page("en", steering, steering, steering, MADE, steering, (Paragraph(f"a\n{steering}"),))
    html = write_html(made).decode()
    assert not set(steering) & set("\x1b\u202e\u2069\x00") & set(html)
    assert "a\n\ufffd[31m" in html
    told = page_value(made)
    assert told["kind"] == "\ufffd[31m\ufffdgro.tnemeerga\ufffd\ufffd"
    assert told["blocks"][0]["text"] == "a\n" + told["kind"]


@pytest.mark.parametrize(("said", "fonts"), [("ascii", 0), ("\u0e81", 2), ("\u1780 \u0e81", 4)])
def test_letters_that_a_machine_may_lack_come_along_whatever_the_language(
    said: str, fonts: int
) -> None:
    html = write_html(page(Paragraph(said))).decode()
    assert [part[:5] for part in html.split("url(")[1:]] == ["data:"] * fonts


def test_the_foot_of_a_sheet_cannot_leave_its_string() -> None:
    html = write_html(Page("en", "k", "t", 'a"}</style><b>\n\\', MADE, None, ())).decode()
    assert html.count("</style>") == 1
    assert 'content:"a\\"}\\3c /style>\\3c b> \\\\"' in html


def test_a_pdf_prints_commands_instead_of_obeying_them() -> None:
    made = Page("en", HOSTILE, HOSTILE, HOSTILE, MADE, HOSTILE, hostile_blocks())
    assert write_pdf(made).startswith(b"%PDF-1.")


def test_a_pdf_is_for_the_archive_and_always_the_same() -> None:
    made = page(Heading("ສະບາຍດີ"), Paragraph("សួស្តី"), lang="lo")
    data = write_pdf(made)
    assert ARCHIVED in data
    assert data == write_pdf(made)


def test_a_letter_that_our_fonts_lack_costs_the_archive_and_nothing_else() -> None:
    data = write_pdf(page(Paragraph("ศาล")))
    assert data.startswith(b"%PDF-1.")
    assert ARCHIVED not in data


def test_without_the_typesetter_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(OperatorError) as caught:
        write_pdf(page())
    assert caught.value.code == "pdf_not_installed"
    assert "saphan[pdf]" in (caught.value.hint or "")


def test_a_page_that_cannot_be_typeset_is_refused_by_name() -> None:
    assert code_of(lambda: write_pdf(page(lang="no language"))) == "pdf_failed"


# --- pictures -------------------------------------------------------------------------------------


def looks(drawing: svg.Drawing, name: str) -> list[dict[str, Any]]:
    return [dict(mark.look) for mark in drawing.marks if mark.name == name]


def said(drawing: svg.Drawing) -> list[str]:
    return [mark.said for mark in drawing.marks if mark.name == "text"]


def test_bars_are_as_high_as_their_numbers_and_stand_upon_each_other() -> None:
    drawing = bars(("d1", "d2"), (Series("a", (10, 0)), Series("b", (5, 20))))
    a1, b1, b2 = [bar for bar in looks(drawing, "rect") if bar["width"] != 12]
    assert a1["height"] == pytest.approx(2 * b1["height"])
    assert b2["height"] == pytest.approx(4 * b1["height"])
    assert b1["y"] + b1["height"] == pytest.approx(a1["y"])
    assert a1["y"] + a1["height"] == pytest.approx(b2["y"] + b2["height"])
    assert a1["x"] < b2["x"]
    assert {"d1", "d2", "a", "b", "0.0", "20.0"} <= set(said(drawing))


def test_a_day_without_a_value_interrupts_a_line() -> None:
    drawing = lines("abcde", (Series("x", (1, 2, None, 3, 4)),), str)
    runs = looks(drawing, "polyline")
    assert [len(run["points"]) for run in runs] == [2, 2]


def test_an_axis_has_round_steps_up_to_the_highest_value() -> None:
    for highest in (1, 7, 23, 99, 1_000, 123_456):
        shown = [float(word) for word in said(bars(("d",), (Series("s", (highest,)),)))[:-2]]
        assert shown[-1] >= highest
        assert 1 <= len(shown) - 1 <= 5
    for seconds in (1, 59, 3_601, 90_000, 10_000_000):
        words = said(lines(("d",), (Series("s", (seconds,)),), str))
        assert float(words[1]) in DURATIONS


def test_pictures_of_nothing_are_empty_frames() -> None:
    for drawing in (bars((), ()), lines((), (), str), lines(("d",), (Series("s", (None,)),), str)):
        assert looks(drawing, "line")
        assert svg.write_svg(drawing).startswith("<svg ")


def test_what_is_missing_in_a_story_has_another_form_not_only_another_colour() -> None:
    moments = [Moment("t", "", 0, 1, mark, "n", mark) for mark in ("good", "warn", "bad")]
    drawing = timeline(("a", "b"), moments)
    full, ring = looks(drawing, "circle")
    assert full["fill"] != "#ffffff" == ring["fill"]
    crosses = [line for line in looks(drawing, "line") if line["stroke-width"] == 3]
    assert len(crosses) == 2


def test_lanes_stand_apart_whatever_their_names_are() -> None:
    long = tuple(f"{country}.{'a-very-long-name-of-an-agency-x'}" for country in ("kh", "mm", "th"))
    names = ("la.ospp", "broker", *long, "vn.vks", "id.attorney")
    drawing = timeline(names, (Moment("2026-11-20 08:17:03", "", 0, 1, "Submitted", "", "good"),))
    assert drawing.width < 900, "no wider than can be read on a sheet"
    assert said(drawing)[: len(names)] == list(names)
    shown = list(zip(names, looks(drawing, "text"), strict=False))
    places = [look["x"] for _, look in shown]
    assert all(b - a > 50 for a, b in itertools.pairwise(places))
    boxes = [(look["y"], look["x"], svg.text_width(name) / 2) for name, look in shown]
    for (y, x, half), (other_y, other_x, other_half) in itertools.combinations(boxes, 2):
        assert y != other_y or abs(x - other_x) > half + other_half
    assert all(x >= half and x + half <= drawing.width for _, x, half in boxes)
    assert len({y for y, _, _ in boxes}) == 3


# --- words ----------------------------------------------------------------------------------------


def test_times_are_written_whole_and_never_fail() -> None:
    assert stamp(1_780_000_000_999) == "2026-05-28 20:26:40"
    assert stamp(2**70) == str(2**70)
    assert [elapsed(ms, "en") for ms in (0, 999, 61_000, 90_061_000)] == [
        "",
        "",
        "+ 00:01:01",
        "+ 1 d 01:01:01",
    ]
    assert [duration(ms, "en") for ms in (120, 90_000, 7_200_000, 86_400_000)] == [
        "0.12 s",
        "1.5 min",
        "2 h",
        "1 d",
    ]
