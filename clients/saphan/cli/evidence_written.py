"""The page about a checked bundle, written as HTML or PDF."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from saphan_protocol.bundle.report import Verdict

from saphan.cli.page_files import write_page_files
from saphan.cli.speech import language
from saphan.evidence.page import evidence_page

CHUNK_BYTES: Final = 1024 * 1024


def write_pages(verdict: Verdict, bundle: Path, html: Path | None, pdf: Path | None) -> list[Path]:
    """Write what is asked for, in the language of this run; nothing is overwritten.

    A page is its owner's alone to read, as the bundle is: it tells who sent whom what, and why a
    key was disclosed.

    Raises:
        OperatorError: `file_exists`, `file_unwritable`, `pdf_not_installed`, `pdf_failed`.
    """
    page = evidence_page(verdict, language(), _digest(bundle))
    return write_page_files(page, html, pdf)


def _digest(path: Path) -> bytes:
    """SHA-256 of the file that was checked."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
