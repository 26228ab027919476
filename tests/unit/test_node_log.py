"""The log that `saphan node run` writes."""

from __future__ import annotations

import logging

from saphan.cli.node import _OneLine


def test_what_a_stranger_wrote_makes_no_line_of_its_own() -> None:
    """A system names a type that it may not send, and the refusal is a line of the log."""
    said = "may not send x\n2026-11-22 INFO a token was revoked: cases\x1b[2J"
    record = logging.LogRecord("saphan.node", logging.WARNING, "", 0, "%s", (said,), None)
    line = _OneLine("%(levelname)s %(message)s").format(record)
    assert line.startswith("WARNING may not send x")
    assert line.isprintable()
