"""How far long work has come: one bar that moves on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Final, TextIO

from saphan_schemas.messages import text
from saphan_schemas.terminal import plain, print_line

BAR: Final = 24
MOVE_SECONDS: Final = 0.1
LINE_SECONDS: Final = 10.0
"""Where nobody looks at a terminal: a log file is no place for a bar."""


class ProgressBar:
    """Called again and again with (what, done, of how many); short work shows next to nothing.

    Args:
        silent: say nothing, for --json.
    """

    def __init__(self, out: TextIO | None = None, *, silent: bool = False) -> None:
        self._out = sys.stderr if out is None else out
        self._silent = silent
        self._bar = self._out.isatty()
        self._next = time.monotonic() + (0 if self._bar else LINE_SECONDS)
        self._width = 0

    def __call__(self, what: str, done: int, size: int) -> None:
        now = time.monotonic()
        if self._silent or now < self._next:
            return
        self._next = now + (MOVE_SECONDS if self._bar else LINE_SECONDS)
        line = text(f"note.broker_moving_{what}", done=done, size=size)
        if self._bar:
            full = BAR * done // max(1, size)
            self._show(f"[{'#' * full}{'.' * (BAR - full)}] {line}")
        else:
            print_line(self._out, line)

    def _show(self, line: str) -> None:
        shown = plain(line)
        self._out.write("\r" + shown.ljust(self._width))
        self._out.flush()
        self._width = len(shown)

    def close(self) -> None:
        """Take the bar away: what follows has the line for itself."""
        if self._width:
            self._out.write("\r" + " " * self._width + "\r")
            self._out.flush()
            self._width = 0
