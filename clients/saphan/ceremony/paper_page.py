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
body { font: 11pt/1.4 "Noto Sans", "Noto Sans Lao", "Noto Sans Khmer", sans-serif; margin: 2cm; }
h1 { font-size: 15pt; } h1 span, th span { display: block; }
table { border-collapse: collapse; width: 100%; margin: 0.6cm 0; }
th { text-align: left; font-weight: normal; color: #333; vertical-align: top; width: 7cm; }
th, td { border-bottom: 1px solid #999; padding: 2mm; }
figure { display: flex; gap: 8mm; margin: 6mm 0; break-inside: avoid; align-items: center; }
pre { font: 12pt/1.5 monospace; margin: 1mm 0; } code { font-size: 8pt; overflow-wrap: anywhere; }
.line { height: 1.2cm; } .mark { font-size: 9pt; } tr { break-inside: avoid; }
"""


def write_page(paper: Paper) -> bytes:
    """The page as UTF-8 HTML, to be printed from any browser."""
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(text(paper.title))}</title><style>{STYLE}</style></head><body>",
        f"<h1>{_said(paper.title)}</h1>",
        _table((_said(label), escape(value)) for label, value in paper.facts),
        _changes(paper),
        f"<p>{_said('paper.words', ' / ')}</p>",
        *(_figure(each) for each in paper.fingerprints),
        *(_signing(name) for name in paper.signers),
        *(f'<p lang="{lang}">{escape(text("paper.keep", lang))}</p>' for lang in LANGUAGES),
        "</body></html>\n",
    ]
    return "\n".join(part for part in parts if part).encode()


def _said(key: str, between: str = "") -> str:
    """A text of the catalogue in all its languages."""
    return between.join(
        f'<span lang="{lang}">{escape(text(key, lang))}</span>' for lang in LANGUAGES
    )


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><th>{label}</th><td>{value}</td></tr>" for label, value in rows)
    return f"<table>{cells}</table>"


def _changes(paper: Paper) -> str:
    if not paper.changes:
        return ""
    rows = (
        (
            f"{_said(action, ' / ')}<br>{_said(role, ' / ')}",
            f"{escape(whose)}<br><code>{key_id}</code>",
        )
        for action, role, whose, key_id in paper.changes
    )
    return _table(rows)


def _figure(each: Fingerprint) -> str:
    words = escape("\n".join(word_lines(each.digest)))
    marks = "".join(f'<div class="mark">{_said(mark, " / ")}</div>' for mark in each.marks)
    return (
        f"<figure>{qr_svg(each.code)}<figcaption><strong>{escape(each.name)}</strong>{marks}"
        f"<pre>{words}</pre><code>{each.digest.hex()}</code></figcaption></figure>"
    )


def _signing(name: str) -> str:
    """Lines for one person to sign by hand."""
    rows = [("paper.name", name), ("paper.signature", ""), ("paper.date", "")]
    cells = "".join(
        f'<tr><th>{_said(label)}</th><td class="line">{escape(value)}</td></tr>'
        for label, value in rows
    )
    return f"<table>{cells}</table>"
