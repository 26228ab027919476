"""What a person has to hear of recalls: answers that are owed, and those that do not come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from saphan_schemas.errors import OperatorError

from saphan.node.rows.recall_standing import Stands
from saphan.node.rows.recalled import RecalledHere

ASKED: Final = "recall_asked"
SILENT: Final = "recall_silent"
UNLOGGED: Final = "recall_unlogged"


def asked(waiting: Sequence[RecalledHere], within_ms: int) -> OperatorError:
    """Recalls that wait for a person's answer, the oldest first."""
    oldest = min(waiting, key=lambda one: one.time)
    start = oldest.bulletin.hex()[:16]
    return OperatorError(
        ASKED,
        f"{len(waiting)} bulletins were recalled and wait for this agency's answer; the oldest is"
        f" {start} ({oldest.code}), to be answered within {within_ms // 3_600_000} hours",
        hint=f"answer it: saphan recall answer {start} --obey, or --decline REASON",
    )


def unlogged(found: Sequence[tuple[bytes, Stands]]) -> OperatorError:
    """Recalls that the broker does not show in the log."""
    bulletin, first = found[0]
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return OperatorError(
        UNLOGGED,
        f"a day after its order the log does not show the recall of {bulletin.hex()[:16]} to "
        f"{first.recipient}{more}",
        hint="look at the line: saphan node status; if it is open, show this to the broker's"
        " operator, and tell the recipient by another way",
    )


def silent(found: Sequence[tuple[bytes, Stands]]) -> OperatorError:
    """Recipients that have not answered a recall in its time."""
    bulletin, first = found[0]
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return OperatorError(
        SILENT,
        f"{first.recipient} has not answered the recall of {bulletin.hex()[:16]} in its time{more}",
        hint=f"ask them by another way; see: saphan recall show {bulletin.hex()[:16]}",
    )
