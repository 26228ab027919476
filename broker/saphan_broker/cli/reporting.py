"""The table of who has reported: drawn anew on a terminal, a line for each news elsewhere."""

from __future__ import annotations

from typing import Final, TextIO

from saphan_schemas.messages import text
from saphan_schemas.terminal import plain, print_line

from saphan_broker.succession.known import SIGNER, STORE
from saphan_broker.succession.succeeding import Row, View

_UP: Final = "\x1b[{}F\x1b[J"
"""To the first of so many lines, everything below cleared."""


class ReportTable:
    """Shows views one after the other."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._live = out.isatty()
        self._lines = 0
        self._told: frozenset[Row] = frozenset()

    def show(self, view: View) -> None:
        """What is known now."""
        if self._live:
            lines = [plain(line) for line in (*map(_row, view.rows), *_below(view))]
            self._out.write((_UP.format(self._lines) if self._lines else "") + "\n".join(lines))
            self._out.write("\n")
            self._out.flush()
            self._lines = len(lines)
            return
        for row in view.rows:
            if row not in self._told:
                print_line(self._out, _row(row))
        if view.complete or view.short or not self._told:
            for line in _below(view):
                print_line(self._out, line)
        self._told = frozenset(view.rows)


def as_value(view: View) -> dict[str, object]:
    """A view as JSON for programs."""
    lost, directory = view.decided.lost, view.decided.directory
    return {
        "agencies": [
            {
                "agency": row.agency,
                "state": row.state,
                "evidence": row.evidence,
                "directory": row.directory,
                "code": row.code,
            }
            for row in view.rows
        ],
        "lost": {"size": lost.head.size, "root": lost.head.root.hex(), "source": lost.source},
        "directory": {
            "size": directory.head.size,
            "source": directory.source,
            "known": view.decided.known.size,
            "goes_on": view.decided.goes_on,
        },
        "store": view.store or "read",
        "complete": view.complete,
        "lacks_directory": not view.complete and not view.decided.known.size,
    }


def source_words(source: str) -> str:
    """Who knows a head, in words."""
    known = {SIGNER: "note.broker_by_signer", STORE: "note.broker_by_store"}
    return text(known[source]) if source in known else source


def _row(row: Row) -> str:
    key = f"note.broker_report_{row.state}"
    return text(
        key,
        agency=row.agency.ljust(12),
        evidence=row.evidence,
        directory=row.directory,
        code=row.code,
    )


def _below(view: View) -> list[str]:
    decided = view.decided
    lines = []
    if view.store:
        lines.append(text("note.broker_store_unread", code=view.store))
    lines.append(
        text(
            "note.broker_lost_head",
            size=decided.lost.head.size,
            source=source_words(decided.lost.source),
        )
    )
    key = "goes_on" if decided.goes_on else "grows"
    lines.append(
        text(
            f"note.broker_directory_{key}",
            known=decided.known.size,
            size=decided.directory.head.size,
        )
    )
    waiting = sum(row.state in ("waiting", "refused") for row in view.rows)
    if not view.complete and not decided.known.size:
        lines.append(text("note.broker_no_directory"))
    elif not view.complete and waiting:
        lines.append(text("note.broker_waiting_for", count=waiting))
    if view.short and decided.known.size:
        lines.append(text("note.broker_directory_short", known=decided.known.size))
    return lines
