"""What a shared store needs beside commits: old things moved out of the server's memory, and a
look at the server's settings, which somebody may have changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from saphan_schemas.errors import OperatorError, SaphanError, Unavailable

from saphan_broker.alarms import Complaint
from saphan_broker.sequencing.unreadable import AWAY, UNREADABLE
from saphan_broker.state import State

_log = logging.getLogger("saphan.broker")

ALARM: Final = "archive"
BUSY_SECONDS: Final = 0.05
"""Between two moves while there is something to move: commits come first."""
IDLE_SECONDS: Final = 5.0
PATIENCE: Final = 12
"""Times that the objects may be out of reach: a minute or more."""
LOOK_SECONDS: Final = 60.0
RECALL_SECONDS: Final = 10.0
LOST_NAMES: Final = 1_000


class StoreCare:
    """Duties of the process that sequences; a store that needs none of it has none of it."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._complaint = Complaint(state.alarms)

    async def archive(self) -> None:
        """Move what is full or finished, a little at a time, until cancelled."""
        try:
            await self._archive()
        finally:
            self._state.alarms.clear(ALARM)  # from here on it is for another process to say

    async def _archive(self) -> None:
        away = 0
        while True:
            moved = 0
            move: Callable[[], Awaitable[int]] | None
            move = getattr(self._state.store, "archive_some", None)
            if move is None:
                return
            try:
                moved = await move()
                away = 0
                self._state.alarms.clear(ALARM)
            except Unavailable as error:
                _log.info("the archive waits: %s", error)
                away += error.code == AWAY
                if away >= PATIENCE:  # the server's memory grows meanwhile
                    self._state.alarms.sound(ALARM, f"nothing is moved to the archive: {error}")
            except SaphanError as error:
                self._state.alarms.sound(ALARM, f"nothing is moved to the archive: {error}")
            except Exception:  # a bug; memory must not grow for ever because of it
                _log.exception("a move to the archive failed")
            await asyncio.sleep(BUSY_SECONDS if moved else IDLE_SECONDS)

    async def recall(self) -> None:
        """End the alarms about lost objects once all are whole again; at every process."""
        lost: dict[str, None] = {}
        while True:
            archived: Any = getattr(self._state.store, "archived", None)
            if archived is None:
                return
            lost |= dict.fromkeys(archived.take_lost()[: LOST_NAMES - len(lost)])
            known = bool(lost)
            with suppress(SaphanError):  # out of reach: the next look tells
                while lost and await archived.is_whole(next(iter(lost))):
                    del lost[next(iter(lost))]
            if known and not lost:
                for code in UNREADABLE:
                    self._state.alarms.clear(code)
            await asyncio.sleep(RECALL_SECONDS)

    async def look(self) -> None:
        """See now and then whether the server still keeps what it is given, until cancelled."""
        try:
            await self._look()
        finally:
            self._complaint.about(None)

    async def _look(self) -> None:
        while True:
            examine: Callable[[], Awaitable[object]] | None
            examine = getattr(self._state.store, "examine", None)
            if examine is None:
                return
            try:
                await examine()
            except OperatorError as error:
                self._complaint.about(error)
            except Unavailable as error:
                _log.info("the server's settings cannot be read now: %s", error)
            else:
                self._complaint.about(None)
            await asyncio.sleep(LOOK_SECONDS)
