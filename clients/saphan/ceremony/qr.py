"""QR codes of fingerprints, as SVG on a page and as blocks on a terminal (docs/adr/0017)."""

from __future__ import annotations

import itertools

import segno

BORDER = 4
"""Light modules around the code that ISO/IEC 18004 asks for."""


def qr_svg(text: str) -> str:
    """The code as an inline SVG; a quarter of it may be stained and it can still be read.

    Args:
        text: capital letters, digits and ":" only, 90 characters at most.
    """
    return _code(text).svg_inline(scale=3, border=BORDER)


def qr_lines(text: str) -> list[str]:
    """The same on a dark terminal, two rows of modules on a line."""
    rows = [bytes(row) for row in _code(text).matrix_iter(border=BORDER)]
    pairs = itertools.zip_longest(rows[::2], rows[1::2], fillvalue=bytes(len(rows[0])))
    return ["".join(_block(top, low) for top, low in zip(*pair, strict=True)) for pair in pairs]


def _code(text: str) -> segno.QRCode:
    return segno.make_qr(text, error="q", mode="alphanumeric", boost_error=False)


def _block(top: int, low: int) -> str:
    """Light modules are drawn, dark ones left out."""
    return (("█", "▀"), ("▄", " "))[top][low]
