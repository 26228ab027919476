"""The launch link as a private file that leads a browser on.

A link on a browser's command line could be read there by every user of the machine, and used first.
"""

from __future__ import annotations

import contextlib
from html import escape
from pathlib import Path
from typing import Final

from saphan.durable import replace_file

NAME: Final = "launch.html"
_PAGE: Final = (
    '<!doctype html><meta charset="utf-8"><title>Saphan</title>'
    '<meta name="referrer" content="no-referrer">'
    '<meta http-equiv="refresh" content="0;url={link}"><a href="{link}">Saphan</a>\n'
)


def write_launch(folder: Path, link: str) -> Path:
    """Write DESK/launch.html, mode 0600; gives its path.

    Raises:
        OperatorError: `file_unwritable`.
    """
    path = folder / NAME
    replace_file(path, _PAGE.format(link=escape(link)).encode())
    return path


def remove_launch(folder: Path) -> None:
    """Take it away once it was used, or is void; silent where it is gone already."""
    with contextlib.suppress(OSError):
        (folder / NAME).unlink(missing_ok=True)
