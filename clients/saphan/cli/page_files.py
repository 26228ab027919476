"""Pages that commands write beside their answer: HTML, PDF, or both."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from saphan_schemas.errors import OperatorError

from saphan.cli.options import Parser
from saphan.cli.speech import say
from saphan.durable import create_file
from saphan.item_file import require_new

if TYPE_CHECKING:
    from saphan.pages.blocks import Page


def add_page_options(command: Parser) -> None:
    """`--page FILE` and `--pdf FILE`."""
    command.add_argument("--page", type=Path, metavar="FILE", help=say("help.evidence_page"))
    command.add_argument("--pdf", type=Path, metavar="FILE", help=say("help.evidence_pdf"))


def refuse_pages(args: argparse.Namespace) -> None:
    """Before long work: what cannot be written after it.

    Raises:
        OperatorError: `file_exists`, `file_unwritable`, `pdf_not_installed`.
    """
    if args.page is not None and args.page == args.pdf:
        raise OperatorError(
            "file_exists",
            f"{args.page} is named twice, and one file cannot be both pages",
            field="out",
            hint="name another file with --pdf",
        )
    for path in (args.page, args.pdf):
        if path is not None:
            require_new(path)
    if args.pdf is not None:
        from saphan.pages.pdf import typesetter

        typesetter()


def write_page_files(page: Page, html: Path | None, pdf: Path | None) -> list[Path]:
    """Write what is asked for, readable by its owner only; nothing is overwritten.

    Raises:
        OperatorError: `file_exists`, `file_unwritable`, `pdf_not_installed`, `pdf_failed`.
    """
    written = []
    if html is not None:
        from saphan.pages.html import write_html

        create_file(html, write_html(page))
        written.append(html)
    if pdf is not None:
        from saphan.pages.pdf import write_pdf

        create_file(pdf, write_pdf(page))
        written.append(pdf)
    return written
