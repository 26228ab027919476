"""Looks that a node takes for ever: at the start, when something concerns them, and every hour."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from saphan_schemas.errors import SaphanError
from saphan_schemas.limits import HOUR_MS, MINUTE_MS

from saphan.node.alarms import Alarms
from saphan.node.events import Events, Matters

log = logging.getLogger("saphan.node")

LOOK_S: Final = HOUR_MS / 1000
"""Between two looks while nothing happens; a mailbox key's days are counted in hours."""
AGAIN_S: Final = MINUTE_MS / 1000
"""After a look that failed: a disk that was full for a moment does not cost an hour."""


async def keep_looking(
    look: Callable[[], Awaitable[bool | None]],
    matters: Matters,
    events: Events,
    alarms: Alarms,
    what: str,
) -> None:
    """Look, for ever; what fails is tried again after a minute.

    Args:
        look: False means that the broker could not do its part now: it is asked after a minute.
        matters: whether an event asks for a look.
        what: it is looked after, for the log of a bug.
    """
    with events.listen(matters) as listener:
        while True:
            wait_s = AGAIN_S
            try:
                if await look() is not False:
                    wait_s = LOOK_S
            except SaphanError as error:
                alarms.sound(error)
            except Exception:
                log.exception("looking after %s met a bug", what)
            await listener.next(wait_s)
            listener.drain()  # one look answers all that has happened before it
