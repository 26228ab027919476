"""What is queued goes to the node at once, if there is a line; else with the next one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

from saphan_schemas.errors import SaphanError

from saphan.desk.desk import Desk
from saphan.desk.line import DeskLine
from saphan.desk.outbox import Outbox
from saphan.web.open_desk import OpenDesk

PATIENCE_S: Final = 3.0
"""That a page waits for the node's answer; what takes longer is seen in the list of what was
sent."""
_going: Final[set[asyncio.Task[None]]] = set()


async def bring(place: OpenDesk, numbers: Sequence[int]) -> None:
    """Send these of the outbox; what the line does not take waits, and is said in the lists."""
    task = asyncio.create_task(_bring(place, numbers))
    _going.add(task)
    task.add_done_callback(_going.discard)
    await asyncio.wait((task,), timeout=PATIENCE_S)


async def _bring(place: OpenDesk, numbers: Sequence[int]) -> None:
    async def send(desk: Desk, line: DeskLine) -> None:
        await Outbox(desk).send(line, numbers)

    with contextlib.suppress(SaphanError):  # no line, or it broke: the next sync sends it
        await place.ask(send)
    for topic in ("sent", "drafts"):
        place.topics.publish(topic)
