"""A page as PDF for the archive (PDF/A-2a, PDF/UA-1), set in the fonts beside this file.

The typesetter (extra `pdf`) shapes Lao and Khmer with a port of HarfBuzz and breaks their lines
between words, which neither script shows by spaces: docs/adr/0025-paper-by-a-typesetter.md.
"""

from __future__ import annotations

from dataclasses import asdict
from importlib import resources
from typing import Any, Final

import msgspec
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import SECOND_MS
from saphan_schemas.text import harmless

from saphan.pages.blocks import Block, Cell, Facts, Page, Span, Table

ARCHIVE: Final = ("a-2a", "ua-1")
"""ISO 19005-2 and 14289-1: fonts within, nothing outside, text to be searched and read aloud."""


def write_pdf(page: Page) -> bytes:
    """The page as A4 sheets; the same page gives the same bytes.

    A letter that the fonts beside this file lack is taken from the machine's own, and the result
    is then an ordinary PDF.

    Raises:
        OperatorError: `pdf_not_installed`; `pdf_failed`, for a page that cannot be typeset.
    """
    typst = typesetter()
    fonts = resources.files("saphan.pages").joinpath("fonts")
    source = resources.files("saphan.pages").joinpath("page.typ").read_bytes()
    told = {"page": msgspec.json.encode(page_value(page)).decode()}
    with resources.as_file(fonts) as folder:
        given: dict[str, Any] = {"font_paths": [str(folder)], "sys_inputs": told, "format": "pdf"}
        given["timestamp"] = page.made // SECOND_MS
        try:
            kept = {"ignore_system_fonts": True, "pdf_standards": list(ARCHIVE)}
            return _compiled(typst, source, given, **kept)
        except typst.TypstError:
            pass  # the standard allows no missing letter: once more without it
        try:
            return _compiled(typst, source, given, ignore_system_fonts=False)
        except typst.TypstError as error:
            raise OperatorError(
                "pdf_failed",
                f"the page could not be typeset: {str(error).splitlines()[0][:200]}",
                hint="take the page as HTML and print it from a browser",
            ) from None


def page_value(page: Page) -> dict[str, Any]:
    """The page as JSON, each block with its name; every cell has its tone."""
    blocks = [{"block": type(block).__name__.lower(), **_block(block)} for block in page.blocks]
    head = (page.lang, page.kind, page.title, page.foot, page.notice)
    names = ("lang", "kind", "title", "foot", "notice")
    value: dict[str, Any] = _harmless(dict(zip(names, head, strict=True)) | {"blocks": blocks})
    return value


def _block(block: Block) -> dict[str, Any]:
    value = asdict(block)
    if isinstance(block, Facts):
        value["rows"] = [(label, _cell(cell)) for label, cell in block.rows]
    elif isinstance(block, Table):
        value["rows"] = [[_cell(cell) for cell in row] for row in block.rows]
    return value


def _harmless(value: Any) -> Any:
    """The same with every text made harmless, at any depth."""
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, dict):
        return {name: _harmless(one) for name, one in value.items()}
    return [_harmless(one) for one in value] if isinstance(value, list | tuple) else value


def _cell(cell: Cell) -> dict[str, str]:
    return asdict(cell if isinstance(cell, Span) else Span(cell))


def _compiled(typst: Any, source: bytes, given: dict[str, Any], **more: Any) -> bytes:
    made: bytes = typst.compile(source, **given, **more)
    return made


def typesetter() -> Any:
    """The module that sets type: asked for before long work, it is missed before.

    Raises:
        OperatorError: `pdf_not_installed`.
    """
    try:
        import typst
    except ImportError:
        raise OperatorError(
            "pdf_not_installed",
            "the typesetter for PDF is not installed",
            hint="pip install 'saphan[pdf]', or print the HTML page from a browser",
        ) from None
    return typst
