"""A page as one HTML file that is whole by itself: no script, no address, nothing to fetch.

The letters of Lao and Khmer are in it, as few machines outside the two countries have them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from html import escape
from importlib import resources
from typing import Final

from saphan_schemas.text import harmless

from saphan.pages.blocks import (
    Banner,
    Block,
    Cell,
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
from saphan.pages.svg import write_svg

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; font-src data:"
"""What a browser may fetch for the page: nothing, even if somebody edits an address into it."""

LEAST: Final = 0.8
"""How small a picture may be shown on a screen: at that, its letters are as the page's smallest."""

SCRIPTS: Final = {"Lao": "[\u0e80-\u0eff]", "Khmer": "[\u1780-\u17ff]"}
"""Scripts whose letters are embedded, as their fonts are named, and which letters are theirs."""


def write_html(page: Page) -> bytes:
    """The page, UTF-8, for a browser of any size and for its printer (A4)."""
    body = "\n".join(_body(page))
    parts = [
        f'<!doctype html>\n<html lang="{page.lang}"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        f"<title>{_text(page.title)}</title>",
        f"<style>{_fonts(body)}{_style()}{_foot(page.foot)}</style></head>",
        body,
    ]
    return "\n".join(parts).encode()


def _body(page: Page) -> Iterator[str]:
    yield f'<body><main><header><p class="kind">{_text(page.kind)}</p>'
    yield f"<h1>{_text(page.title)}</h1></header>"
    if page.notice:
        yield f'<p class="notice" role="note">{_text(page.notice)}</p>'
    yield from map(_block, page.blocks)
    yield f"<footer>{_text(page.foot)}</footer></main></body></html>\n"


def _block(block: Block) -> str:
    match block:
        case Heading(text):
            return f"<h2>{_text(text)}</h2>"
        case Paragraph(text, tone):
            return f'<p class="{tone}">{_text(text)}</p>'
        case Banner(title, sentences, tone):
            said = "".join(f"<p>{_text(one)}</p>" for one in sentences)
            return f'<section class="banner {tone}"><h2>{_text(title)}</h2>{said}</section>'
        case Points(sentences, tone):
            said = "".join(f"<li>{_text(one)}</li>" for one in sentences)
            return f'<ul class="{tone}">{said}</ul>'
        case Facts(rows):
            return f'<table class="facts"><tbody>{"".join(map(_fact, rows))}</tbody></table>'
        case Table():
            return "".join(_table(block))
        case Words(fingerprints):
            return f'<div class="words">{"".join(map(_words, fingerprints))}</div>'
        case Picture(drawing, says):
            label, svg = _text(says), write_svg(drawing)
            # Never so small that it cannot be read: a narrow screen shows it by and by.
            least = f'style="--least:{drawing.width * LEAST:.0f}px"'
            return (
                f'<div class="picture" role="img" aria-label="{label}" tabindex="0" {least}>'
                f"{svg}</div>"
            )


def _words(fingerprint: tuple[str, tuple[str, ...]]) -> str:
    label, lines = fingerprint
    said = "".join(f"<li>{_text(line)}</li>" for line in lines)
    return f"<figure><figcaption>{_text(label)}</figcaption><ol>{said}</ol></figure>"


def _fact(row: tuple[str, Cell]) -> str:
    label, value = row
    return f'<tr><th scope="row">{_text(label)}</th><td>{_cell(value)}</td></tr>'


def _table(table: Table) -> Iterator[str]:
    heads = "".join(f'<th scope="col">{_text(name)}</th>' for name in table.head)
    widths = (round(100 * share / sum(table.shares)) for share in table.shares)
    columns = "".join(f'<col style="width:{width}%">' for width in widths)
    yield f'<table class="rows"><colgroup>{columns}</colgroup>'
    yield f"<thead><tr>{heads}</tr></thead><tbody>"
    for row in table.rows:
        # The head of each cell goes along: a narrow screen shows rows as lists.
        cells = zip(table.head, row, strict=True)
        shown = (f'<td data-head="{_text(name)}">{_cell(cell)}</td>' for name, cell in cells)
        yield f"<tr>{''.join(shown)}</tr>"
    yield "</tbody></table>"


def _text(text: str) -> str:
    """Text of the page or of an attribute; what a stranger wrote steers nothing."""
    return escape(harmless(text))


def _cell(cell: Cell) -> str:
    if isinstance(cell, Span):
        return f'<span class="{cell.tone}">{_text(cell.text)}</span>'
    return _text(cell)


def _fonts(body: str) -> str:
    """Of each script that stands on the page: a bulletin in Lao may be read in English."""
    return "".join(
        f'@font-face{{font-family:"Noto Sans {script}";font-weight:{weight};'
        f"src:url(data:font/woff2;base64,{_font(f'NotoSans{script}-{name}.woff2')})"
        'format("woff2")}'
        for script, letters in SCRIPTS.items()
        if re.search(letters, body)
        for weight, name in ((400, "Regular"), (700, "Bold"))
    )


def _font(name: str) -> str:
    data = resources.files("saphan.pages").joinpath("fonts", name).read_bytes()
    return base64.b64encode(data).decode("ascii")


def _style() -> str:
    return resources.files("saphan.pages").joinpath("page.css").read_text(encoding="utf-8")


def _foot(foot: str) -> str:
    """At the foot of each printed sheet, so that none can be taken away unnoticed."""
    quoted = (
        harmless(foot)
        .replace("\\", "\\\\")
        .replace('"', '\\"')
        .replace("<", "\\3c ")
        .replace("\n", " ")
    )
    return (
        '@page{@bottom-left{content:"' + quoted + '"}'
        '@bottom-right{content:counter(page) " / " counter(pages)}}'
    )
