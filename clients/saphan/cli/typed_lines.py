"""Lines that a person types or pastes: one paste is one answer, and what was cut is not taken.

A terminal that is asked to marks where a paste begins and ends (bracketed paste). Without the marks
every line of a pasted text but the first would answer the questions that come after.
"""

from __future__ import annotations

import contextlib
import sys
import termios
from collections.abc import Iterator
from io import TextIOWrapper
from typing import Final

from saphan_schemas.limits import LIMITS

_MARK_PASTES, _LEAVE_PASTES = "\x1b[?2004h", "\x1b[?2004l"
_BEGINS, _ENDS = "\x1b[200~", "\x1b[201~"
CONTINUES: Final = "\\"
"""At the end of a typed line: the text goes on with the next one."""


class InputEndedError(Exception):
    """There is nothing more to read."""


class LineTooLongError(Exception):
    """A line longer than is taken, or one whose end the terminal has dropped."""


@contextlib.contextmanager
def keyboard() -> Iterator[None]:
    """Ready standard input for whatever is typed or pasted; leave the terminal as it was."""
    if isinstance(sys.stdin, TextIOWrapper):
        # Bytes that are no text become characters that the form refuses, with a sentence.
        sys.stdin.reconfigure(errors="surrogateescape")
    marked = sys.stdin.isatty() and sys.stderr.isatty()
    try:
        if marked:
            _say(_MARK_PASTES)
        yield
    finally:
        if marked:
            _say(_LEAVE_PASTES)


def typed_line(prompt: str) -> str:
    """One typed line, or the lines of one paste.

    Raises:
        InputEndedError, LineTooLongError.
    """
    return _whole_paste(_line(prompt))


def typed_prose(prompt: str) -> str:
    """The same, and the lines that follow as long as each ends with a backslash.

    Raises:
        InputEndedError, LineTooLongError.
    """
    parts = [typed_line(prompt)]
    while parts[-1].endswith(CONTINUES):
        parts[-1] = parts[-1][:-1]
        if len(parts) == LIMITS.form_lines:
            break
        parts.append(typed_line("… "))
    return "\n".join(parts)


def _whole_paste(line: str) -> str:
    """A line that begins a paste, and all up to its end; any other line as it is."""
    if _BEGINS not in line:
        return line
    lines = [line.replace(_BEGINS, "")]
    while _ENDS not in lines[-1]:
        more = _line("")
        if len(lines) == LIMITS.form_lines and _ENDS not in more:
            _drop_the_rest()
            raise LineTooLongError
        lines.append(more)
    lines[-1] = lines[-1].replace(_ENDS, "")
    return "\n".join(lines).strip("\n")


def _line(prompt: str) -> str:
    _say(prompt)
    line = first = sys.stdin.readline(LIMITS.form_line_chars)
    while line and not line.endswith("\n"):
        line = sys.stdin.readline(LIMITS.form_line_chars)
    if not line:
        raise InputEndedError
    if not first.endswith("\n") or _cut(first):
        _drop_the_rest()
        raise LineTooLongError
    return first[:-1].removesuffix("\r")


def _cut(line: str) -> bool:
    """Whether a terminal may have dropped the end of a pasted line: it does so without a word."""
    size = len(line.encode(errors="surrogateescape"))
    return sys.stdin.isatty() and size > LIMITS.form_terminal_bytes


def _drop_the_rest() -> None:
    """Of a paste that is not taken: its other lines are no answers to anything."""
    if sys.stdin.isatty():
        termios.tcflush(sys.stdin, termios.TCIFLUSH)


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
