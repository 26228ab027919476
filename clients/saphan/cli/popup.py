"""A notification on the officer's screen, where the system has one: how urgent, until when.

It may stand on a locked screen or in a list that others see, so it never says what came, from
whom, or of which type it is. A command that watches shows it; nothing depends on it.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any, Final

from saphan_schemas.records import Header

from saphan.cli.render import stamp
from saphan.cli.speech import say
from saphan.compose import URGENCIES

PROGRAM: Final = "notify-send"
"""Of the freedesktop.org notifications; it is on most Linux desktops."""
TIMEOUT_S: Final = 5.0
_LEVELS: Final = {"routine": "low", "priority": "normal", "immediate": "critical"}


def popup(rows: Sequence[dict[str, Any]]) -> None:
    """Tell of inbox rows that nobody has read, all in one notification; blocking."""
    unread = [row for row in rows if not row["read"]]
    if unread:
        _run(arguments(unread))


def popup_near(headers: Sequence[Header]) -> None:
    """Tell that nobody has taken or answered these bulletins, and their deadlines are near."""
    rows = [
        {"urgency": one.urgency, "answer_by": one.answer_by, "expires": one.expires}
        for one in headers
    ]
    if rows:
        _run(arguments(rows, "popup.near"))


def _run(given: list[str]) -> None:
    program = shutil.which(PROGRAM)
    if program is None:
        return
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(  # noqa: S603 - found on the officer's own path
            [program, *given],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT_S,
            check=False,
        )


def arguments(rows: Sequence[dict[str, Any]], title: str = "popup.title") -> list[str]:
    """What the notification program is told of these rows, at least one."""
    urgency = max((row["urgency"] for row in rows), key=URGENCIES.index)
    deadline = min(row["answer_by"] or row["expires"] for row in rows)
    return [
        "--app-name=Saphan",
        f"--urgency={_LEVELS[urgency]}",
        "--",
        say(title, count=len(rows)),
        say("popup.body", urgency=say(f"urgency.{urgency}"), until=f"{stamp(deadline)} UTC"),
    ]
