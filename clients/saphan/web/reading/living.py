"""A bulletin's life, asked again of the node while its page is shown; tabs hear when it changed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

from saphan_schemas.errors import SaphanError

from saphan.desk.desk import Desk
from saphan.desk.in_thread import in_thread
from saphan.desk.inbox import Inbox
from saphan.desk.line import DeskLine
from saphan.web.open_desk import OpenDesk

Json = dict[str, Any]
FIRST_S: Final = 3.0
"""How long a page waits for a life that this desk has never heard."""
_asking: Final = set[asyncio.Task[None]]()


def topic_of(bulletin: str) -> str:
    """The topic of one bulletin's page."""
    return f"bulletin-{bulletin[:16]}"


async def hear(desk: OpenDesk, bulletin: str) -> None:
    """Ask for the life; it is kept, and published if it is another than was kept.

    Raises:
        SaphanError: of the line, the node, the disk.
    """

    async def ask(own: Desk, line: DeskLine) -> bool:
        box = Inbox(own)
        before = await in_thread(box.status_kept, bulletin)
        now = await box.status(line, bulletin)
        return before is None or {k: v for k, v in before.items() if k != "kept"} != now

    if await desk.ask(ask):
        desk.topics.publish(topic_of(bulletin))


async def hear_beside(desk: OpenDesk, bulletin: str, *, first: bool) -> None:
    """The same without an error, beside the page; of a `first` life the page waits a little."""
    if not desk.line.state.online:
        return
    task = asyncio.create_task(_quietly(desk, bulletin))
    _asking.add(task)  # the loop itself holds tasks weakly
    task.add_done_callback(_asking.discard)
    if first:
        await asyncio.wait((task,), timeout=FIRST_S)


async def _quietly(desk: OpenDesk, bulletin: str) -> None:
    with contextlib.suppress(SaphanError):
        await hear(desk, bulletin)
