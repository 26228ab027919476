"""What a browser makes of our pages, and whether the PDF's letters are those of the browser."""

from __future__ import annotations

import base64
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import typst
from saphan.pages.blocks import (
    Banner,
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
from saphan.pages.charts import Series, bars
from saphan.pages.html import SCRIPTS, write_html
from saphan.pages.pdf import write_pdf
from saphan.pages.timeline import Moment, timeline
from saphan_schemas.messages import LANGUAGES
from saphan_schemas.width import clusters
from support.browser import DPI, browser_or_skip, difference, print_page, run_browser, sheets

TRIED = 10
"""Sentences of each language: the longest ones hold every letter that the pages use."""

ALIKE = 0.06
"""Share of the ink that may lie elsewhere: at the end of a line of 1,500 pixels letters are one
pixel further, as both round to other grids (0.02 was measured); letters that do not join: 0.23."""

FONTS = resources.files("saphan.pages").joinpath("fonts")
SAME_BREAKS = 0.03
"""A paragraph of which one line is broken elsewhere differs by more."""

ONE_LINE, COLUMN = "900mm", "130mm"
AREAS = ("sheet.", "proven.", "gap.", "unproven.", "verdict.")


@pytest.fixture(autouse=True)
def _browser() -> None:
    browser_or_skip()


def sentences(lang: str) -> list[str]:
    """The longest texts of the pages, with a name in each of their gaps."""
    file = resources.files("saphan_schemas").joinpath("messages", f"{lang}.json")
    texts = json.loads(file.read_text(encoding="utf-8"))
    found = [
        re.sub(r"{\w+}", "la.ospp", texts[key]["text"]) for key in texts if key.startswith(AREAS)
    ]
    return sorted(found, key=len)[-TRIED:]


def by_browser(lines: list[str], script: str, folder: Path, width: str) -> list[list[bytes]]:
    """Each line on a sheet of its own, set by the browser; `width` as CSS has it."""
    faces = "".join(
        f'@font-face{{font-family:"{name}";src:url(data:font/ttf;base64,{encoded(name)})}}'
        for name in ("NotoSans", f"NotoSans{script}")
    )
    shown = "".join(f"<p>{line}</p>" for line in lines)
    page = folder / "lines.html"
    page.write_text(
        f'<!doctype html><html lang="{script[:2].lower()}"><meta charset="utf-8"><style>{faces}'
        f"@page{{size:{width} 90mm;margin:5mm}}p{{margin:0;break-after:page}}"
        f'body{{margin:0;font:16pt/24pt "NotoSans","NotoSans{script}"}}</style>{shown}',
        encoding="utf-8",
    )
    print_page(page, folder / "browser.pdf")
    return sheets(folder / "browser.pdf")[: len(lines)]


def by_typesetter(lines: list[str], script: str, folder: Path, width: str) -> list[list[bytes]]:
    """The same with the PDF's typesetter and the same font files."""
    made = folder / "typesetter.pdf"
    source = (
        f"#set page(width: {width}, height: 90mm, margin: 5mm)\n"
        f'#set text(font: ("Noto Sans", "Noto Sans {script}"), size: 16pt)\n'
        "#set text(top-edge: 0.8em, bottom-edge: -0.2em)\n#set par(leading: 8pt)\n"
        '#sys.inputs.lines.split("\\n").map(line => [#line]).join(pagebreak())'
    )
    with resources.as_file(FONTS) as fonts:
        # Its types want the fonts' folder to be of the source's type; it takes both as they are.
        compiled: Any = typst.compile
        data = compiled(
            source.encode(),
            font_paths=[str(fonts)],
            ignore_system_fonts=True,
            sys_inputs={"lines": "\n".join(lines)},
        )
    made.write_bytes(data)
    return sheets(made)


def encoded(name: str) -> str:
    return base64.b64encode(FONTS.joinpath(f"{name}-Regular.ttf").read_bytes()).decode()


@pytest.mark.parametrize(("lang", "script"), SCRIPTS.items())
def test_the_typesetter_sets_what_the_browser_sets(lang: str, script: str, tmp_path: Path) -> None:
    lines = sentences(lang)
    browser = by_browser(lines, script, tmp_path, ONE_LINE)
    paper = by_typesetter(lines, script, tmp_path, ONE_LINE)
    assert len(browser) == len(paper) == TRIED
    found = [difference(a, b) for a, b in zip(browser, paper, strict=True)]
    assert max(found) < ALIKE, lines[found.index(max(found))]


@pytest.mark.parametrize(("lang", "script"), SCRIPTS.items())
def test_lines_end_where_the_browsers_lines_end(lang: str, script: str, tmp_path: Path) -> None:
    """Between words, which no space shows; of a long paragraph two dictionaries may break one
    line elsewhere. Of 14, 12 agreed in Lao and 8 in Khmer; broken between any letters, 4 did."""
    lines = sentences(lang)
    browser = by_browser(lines, script, tmp_path, COLUMN)
    assert min(len(rows) for rows in browser) > DPI * 24 / 72, "they are of several lines"
    paper = agreeing(browser, by_typesetter(lines, script, tmp_path, COLUMN))
    anywhere = ["\u200b".join(clusters(line)) for line in lines]
    (tmp_path / "anywhere").mkdir()
    torn = agreeing(browser, by_typesetter(anywhere, script, tmp_path / "anywhere", COLUMN))
    assert paper >= 0.4 * TRIED
    assert paper > torn


def agreeing(one: list[list[bytes]], other: list[list[bytes]]) -> int:
    return sum(difference(a, b) < SAME_BREAKS for a, b in zip(one, other, strict=True))


def test_letters_that_do_not_join_are_found_different(tmp_path: Path) -> None:
    joined = "\u179f\u17d2\u1790\u17b6\u1794\u17d0\u1793"
    cut = joined.replace("\u17d2", "\u17d2\u200c")
    browser = by_browser([joined], "Khmer", tmp_path, ONE_LINE)
    assert difference(browser[0], by_typesetter([cut], "Khmer", tmp_path, ONE_LINE)[0]) > 3 * ALIKE


# --- pages as a whole -----------------------------------------------------------------------------

WIDTHS = (340, 900)
"""A telephone's and a desk's, in pixels."""

MEASURED = """<!doctype html>{frames}<script>onload = () => {{
  const roots = [...document.querySelectorAll("iframe")].map(f => f.contentDocument.documentElement)
  document.title = roots.map(root => `${{root.scrollWidth}}/${{root.clientWidth}}`).join(" ")
}}</script>"""


def page_of_everything(lang: str) -> Page:
    """A page with each kind of block, in the longest words that there are."""
    said = tuple(sentences(lang)) if lang != "en" else ("A sentence of a few words.",) * 5
    moments = [
        Moment("2026-11-20 08:17:03", "", 0, 1, "submitted", said[0][:40], "good"),
        Moment("2026-11-21 08:17:03", "+ 1 d", 2, 1, "accepted", said[1][:40], "warn"),
        Moment("2026-11-22 08:17:03", "+ 1 d", 1, None, "expired", said[2][:40], "bad"),
    ]
    digest = Span("0123456789abcdef" * 4, "code")
    return Page(
        lang,
        said[0][:30],
        said[1][:60],
        foot="foot",
        made=1_780_000_000_000,
        notice=said[2],
        blocks=(
            Banner(said[3][:20], said[:2], "good"),
            Heading(said[4][:20]),
            Picture(timeline(("la.ospp", "broker", "kh.gpo"), moments), said[0]),
            Points(said),
            Facts((("a", digest), (said[0], said[1]))),
            Table((said[0], "b", "c"), (("1", digest, said[2]), ("2", "x", said[3])), (1, 2, 3)),
            Words((("la.ospp", ("absent acid actor address",) * 5),) * 3),
            Paragraph("saphan evidence verify FILE", "code"),
            Picture(bars(("1", "2"), (Series(said[0][:20], (1, 2)),)), said[0]),
        ),
    )


def overflow(page: bytes, folder: Path) -> list[int]:
    """By how many pixels a page is wider than each of the windows."""
    (folder / "page.html").write_bytes(page)
    frames = "".join(
        f'<iframe src="page.html" style="width:{width}px;height:900px"></iframe>'
        for width in WIDTHS
    )
    outer = folder / "outer.html"
    outer.write_text(MEASURED.format(frames=frames), encoding="utf-8")
    files = "--allow-file-access-from-files"
    dom = run_browser(folder, files, "--virtual-time-budget=3000", "--dump-dom", f"file://{outer}")
    found = re.search(r"<title>([\d/ ]+)</title>", dom)
    assert found, dom[:500]
    sizes = [part.split("/") for part in found[1].split()]
    return [int(needed) - int(there) for needed, there in sizes]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_page_fits_a_telephone_and_a_desk(lang: str, tmp_path: Path) -> None:
    assert overflow(write_html(page_of_everything(lang)), tmp_path) == [0, 0]


def test_a_page_that_is_too_wide_is_noticed(tmp_path: Path) -> None:
    wide = write_html(page_of_everything("en")).replace(b"<main>", b'<main style="width:700px">')
    narrow, desk = overflow(wide, tmp_path)
    assert narrow > 300
    assert desk == 0


def test_the_browsers_printer_and_the_typesetter_give_sheets(tmp_path: Path) -> None:
    made = page_of_everything("km")
    (tmp_path / "page.html").write_bytes(write_html(made))
    print_page(tmp_path / "page.html", tmp_path / "printed.pdf")
    (tmp_path / "typeset.pdf").write_bytes(write_pdf(made))
    for name in ("printed", "typeset"):
        found = sheets(tmp_path / f"{name}.pdf")
        assert 1 <= len(found) <= 4
        assert all(len(rows) > 50 for rows in found)
