"""A paper record as one HTML page: English, Lao and Khmer side by side, codes drawn as SVG.

The page is whole by itself: no script, no address, nothing that a browser would fetch.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from saphan_protocol.words import word_lines
from saphan_schemas.messages import LANGUAGES, text

from saphan.ceremony.paper import Fingerprint, Paper
from saphan.ceremony.qr import qr_svg

STYLE = """
@page { size: A4; margin: 15mm; }
body { font: 10pt/1.4 "Noto Sans", "Noto Sans Lao", "Noto Sans Khmer", sans-serif; margin: 0; }
h1 { font-size: 15pt; margin: 0; } h1 span { display: block; }
table { border-collapse: collapse; width: 100%; margin: 4mm 0; }
th { text-align: left; font-weight: normal; }
th, td { border-bottom: 1px solid #999; padding: 1mm 2mm; } tr { break-inside: avoid; }
.small th, .small td { font-size: 8pt; padding: 0.5mm 2mm; } .line td { height: 13mm; }
.line tr:first-child td { height: auto; }
.many { display: grid; grid-template-columns: 1fr 1fr; gap: 4mm; }
figure { display: flex; gap: 2mm; margin: 0; break-inside: avoid; align-items: center; }
pre { font: 8pt/1.4 monospace; margin: 1mm 0; }
code { font-size: 6.5pt; overflow-wrap: anywhere; } .mark { font-size: 8pt; }
"""


def write_page(paper: Paper) -> bytes:
    """The page as UTF-8 HTML, to be printed from any browser."""
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(text(paper.title))}</title><style>{STYLE}</style></head><body>",
        f"<h1>{_said(paper.title, ' ')}</h1>",
        _table("small", ((_said(label), escape(value)) for label, value in paper.facts)),
        f"<p>{_said('paper.words')}</p>",
        f'<div class="many">{"".join(map(_figure, paper.fingerprints))}</div>',
        _changes(paper),
        _signing(paper.signers),
        *(f'<p lang="{lang}">{escape(text("paper.keep", lang))}</p>' for lang in LANGUAGES),
        "</body></html>\n",
    ]
    return "\n".join(part for part in parts if part).encode()


def _said(key: str, between: str = " / ") -> str:
    """A text of the catalogue in all its languages."""
    return between.join(
        f'<span lang="{lang}">{escape(text(key, lang))}</span>' for lang in LANGUAGES
    )


def _table(kind: str, rows: Iterable[tuple[str, ...]]) -> str:
    """Rows of ready cells; the first of each row is its head."""
    cells = "".join(
        f"<tr><th>{head}</th>{''.join(f'<td>{cell}</td>' for cell in others)}</tr>"
        for head, *others in rows
    )
    return f'<table class="{kind}">{cells}</table>'


def _changes(paper: Paper) -> str:
    if not paper.changes:
        return ""
    rows = (
        (_said(action), _said(role), escape(whose), f"<code>{key_id[:32]}<br>{key_id[32:]}</code>")
        for action, role, whose, key_id in paper.changes
    )
    return f"<p>{_said('paper.changes')}</p>{_table('small', rows)}"


def _figure(each: Fingerprint) -> str:
    words = escape("\n".join(word_lines(each.digest)))
    marks = "".join(f'<div class="mark">{_said(mark)}</div>' for mark in each.marks)
    digits = each.digest.hex()
    return (
        f"<figure>{qr_svg(each.code)}<figcaption><strong>{escape(each.name)}</strong>{marks}"
        f"<pre>{words}</pre><code>{digits[:32]}<br>{digits[32:]}</code></figcaption></figure>"
    )


def _signing(names: Iterable[str]) -> str:
    """A line for each person who signs by hand."""
    labels = ("paper.name", "paper.signature", "paper.date")
    head = tuple(_said(label) for label in labels)
    return _table("line", (head, *((escape(name), "", "") for name in names)))
