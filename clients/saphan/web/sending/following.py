"""How what was sent goes on: asked of the node once after each time that it was heard."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final
from weakref import WeakKeyDictionary

from saphan_schemas.errors import SaphanError

from saphan.desk.desk import Desk
from saphan.desk.inbox import Inbox
from saphan.desk.line import LINE_ENDED, DeskLine
from saphan.web.open_desk import OpenDesk

SETTLED: Final = frozenset({"read", "rejected", "recalled", "expired", "refused"})
"""States of a delivery after which nothing more is to come."""
_asked: Final[WeakKeyDictionary[OpenDesk, dict[str, int | None]]] = WeakKeyDictionary()
_going: Final[set[asyncio.Task[None]]] = set()


def follow(place: OpenDesk, bulletins: Sequence[str]) -> None:
    """Ask for the lives of these, and tell the pages that show them; returns at once.

    Nothing is asked twice of a node that was not heard in between: a page that is drawn again
    because of an answer asks for nothing new.
    """
    state, asked = place.line.state, _asked.setdefault(place, {})
    wanted = [one for one in bulletins if asked.get(one, -1) != state.heard]
    if not wanted or not state.online:
        return
    asked |= dict.fromkeys(wanted, state.heard)
    task = asyncio.create_task(_ask(place, wanted))
    _going.add(task)
    task.add_done_callback(_going.discard)


async def _ask(place: OpenDesk, bulletins: Sequence[str]) -> None:
    async def look(desk: Desk, line: DeskLine) -> None:
        for one in bulletins:
            try:
                await Inbox(desk).status(line, one)
            except SaphanError as error:
                if error.code in LINE_ENDED:
                    raise

    with contextlib.suppress(SaphanError):  # no line any more: the next one asks again
        await place.ask(look)
        place.topics.publish("sent")
