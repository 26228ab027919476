"""A progress bar on standard error, for people at a terminal; programs and short work see none."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Final, Self

from saphan.cli.speech import say

CELLS: Final = 24
PATIENCE_S: Final = 1.0
STEP_S: Final = 0.1


class Progress:
    """One line that is written over, and taken away at the end.

    Args:
        key: of the text that stands before the bar.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._next = time.monotonic() + PATIENCE_S
        self._width = 0
        self._shown = sys.stderr.isatty()

    def __call__(self, done: int, size: int) -> None:
        """So much of it is done; called as often as one likes."""
        if not self._shown or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + STEP_S
        full = CELLS * min(done, size) // max(size, 1)
        bar = "#" * full + "." * (CELLS - full)
        line = f"{say(self._key)} [{bar}] {100 * min(done, size) // max(size, 1)} %"
        self._write(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._width:
            self._write("")
            sys.stderr.write("\r")
            sys.stderr.flush()

    def _write(self, line: str) -> None:
        sys.stderr.write("\r" + line.ljust(self._width))
        sys.stderr.flush()
        self._width = max(self._width, len(line))
