"""What the demo says on the terminal: headings, sentences, small tables, dots while it waits."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from saphan_schemas.terminal import plain
from saphan_schemas.width import fit, width

COLUMNS: Final = 88
EVENT_WORDS: Final = {
    "submitted": "sealed, signed and handed to the bridge",
    "consigned": "sent once more with a new sealed key",
    "handover": "has the sealed text, signs for it, gets the key",
    "unopened": "could not open it; the sender sends a new key",
    "accepted": "opened, signature and form checked, kept",
    "rejected": "opened and refused",
    "read": "an officer has read it",
}
"""Signed events in words for readers who have never seen the system."""


class Screen:
    """Prints for a person; colours and moving dots only on a terminal.

    Args:
        stream: standard output.
    """

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream = stream
        self._tty = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._scene = 0
        self._dots = 0
        self._last_dot = 0.0

    def title(self, text: str, under: Iterable[str]) -> None:
        """The first lines."""
        self._line(self._bold(text))
        for line in under:
            self._line(line)

    def scene(self, heading: str) -> None:
        """Begin a scene."""
        self._scene += 1
        self._line("")
        self._line(self._bold(f"{self._scene}. {heading}"))

    def say(self, text: str) -> None:
        """A sentence or two, wrapped."""
        for line in textwrap.wrap(plain(text), COLUMNS - 3):
            self._line(f"   {line}")

    def good(self, text: str) -> None:
        """A result that was checked."""
        self._marked("\N{CHECK MARK}", "32", text)

    def refused(self, text: str) -> None:
        """A refusal that is as it should be."""
        self._marked("\N{MULTIPLICATION X}", "33", text)

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Columns as wide as they need; the last one is not padded."""
        widths = [max(width(plain(cell)) for cell in column) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = [fit(plain(cell), w) for cell, w in zip(row[:-1], widths, strict=False)]
            self._line("      " + "  ".join([*cells, plain(row[-1])]).rstrip())

    def quote(self, label: str, text: str) -> None:
        """A text of a bulletin in one of its languages, wrapped at its spaces."""
        lines = [""]
        for word in plain(text).split():
            if lines[-1] and width(f"{lines[-1]} {word}") > COLUMNS - 12:
                lines.append("")
            lines[-1] = f"{lines[-1]} {word}".strip()
        for line in lines:
            self._line(f"      {fit(label, 4)}{line}")
            label = ""

    def timeline(self, status: dict[str, Any]) -> None:
        """Every signed event of a bulletin: place in the log, time, who, what."""
        rows = [("log", "time (UTC)", "signed by", "event")]
        for event in status["timeline"]:
            words = EVENT_WORDS.get(event["event"], "")
            what = f"{event['event']}: {words}" if words else event["event"]
            rows.append((f"#{event['index']}", clock(event["time"]), event["issuer"], what))
        self.table(rows)

    def tick(self) -> None:
        """Show that something is being waited for; nothing where the output is a file."""
        now = time.monotonic()
        if self._tty and now - self._last_dot > 0.25:
            self._last_dot = now
            self._dots += 1
            self._stream.write("   ." if self._dots == 1 else ".")
            self._stream.flush()

    def failed(self, text: str, under: Iterable[str]) -> None:
        """Why the demo could not go on, on standard error."""
        self._end_dots()
        print(f"demo: {plain(text)}", file=sys.stderr)
        for line in under:
            print(f"hint: {plain(line)}", file=sys.stderr)

    def _marked(self, mark: str, colour: str, text: str) -> None:
        lines = textwrap.wrap(plain(text), COLUMNS - 5)
        self._line(f" {self._coloured(mark, colour)} {lines[0]}")
        for line in lines[1:]:
            self._line(f"   {line}")

    def _line(self, text: str) -> None:
        self._end_dots()
        self._stream.write(text + "\n")
        self._stream.flush()

    def _end_dots(self) -> None:
        if self._dots:
            self._stream.write("\r\x1b[K")
            self._dots = 0

    def _bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self._tty else text

    def _coloured(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._tty else text


def clock(millis: int) -> str:
    """Time of day of ms UTC, to the millisecond."""
    return datetime.fromtimestamp(millis / 1_000, UTC).strftime("%H:%M:%S.%f")[:-3]


def day(number: int) -> str:
    """A day as the header counts it: days since 1970-01-01."""
    return datetime.fromtimestamp(number * 86_400, UTC).date().isoformat()
