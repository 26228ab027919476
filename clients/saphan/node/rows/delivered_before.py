"""Deliveries that have their outcome in a lost log, and come again in the one that follows it.

What is shown of such a delivery stays what it was; where it stands in the present log is read from
that log's entries, until both say the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from saphan_protocol.delivery import TERMINAL, State, Step, begin, step

from saphan.node.rows.db import Database

Pair = tuple[bytes, str]
PART: Final = 256
_CONSIGNED: Final = ("submitted", "consigned")
_EVENTS: Final = ", ".join(f"'{name}'" for name in (*_CONSIGNED, *(one.value for one in Step)))


class Standing(NamedTuple):
    """Where a delivery stands in the present log, since when (ms UTC) and why."""

    state: State
    changed: int
    code: str | None


def standing_in(db: Database, bulletins: Sequence[bytes], first: int) -> Mapping[Pair, Standing]:
    """Deliveries of these bulletins in the log whose first leaf is stored at `first`."""
    found: dict[Pair, Standing] = {}
    for at in range(0, len(bulletins), PART):
        part = bulletins[at : at + PART]
        marks = ",".join("?" * len(part))
        for bulletin, recipient, event, time, code in db.rows(
            "SELECT bulletin, recipient, event, time, code FROM entries"  # noqa: S608 - constants
            f" WHERE bulletin IN ({marks}) AND idx >= ? AND sender != recipient"
            f" AND event IN ({_EVENTS}) ORDER BY idx",
            (*part, first),
        ):
            pair = bulletin, recipient
            found[pair] = _stepped(found.get(pair), event, time, code)
    return found


def _stepped(before: Standing | None, event: str, time: int, code: str | None) -> Standing:
    if before is None:
        return Standing(begin(), time, None)
    after = step(before.state, Step.CONSIGN if event in _CONSIGNED else Step(event))
    if event == Step.RECALLED and after is before.state:
        return before  # a request
    return Standing(after, time, code)


def caught_up(kept: str, state: str) -> bool:
    """Whether the present log says of a delivery what was shown of it, or another outcome."""
    return state in TERMINAL and (kept, state) != (State.READ, State.ACCEPTED)
