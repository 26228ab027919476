"""Attachments that nobody will name: what was brought long ago, and files without a bulletin."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from saphan_schemas.errors import OperatorError, Unavailable
from saphan_schemas.limits import HOUR_MS

from saphan_broker.state import State

_log = logging.getLogger("saphan.broker")

LOOK_SECONDS: Final = HOUR_MS / 1000
FIRST_SECONDS: Final = 60.0
"""Until the first look of a process that sequences from now on: it may not do so for an hour."""


class BlobSweep:
    """Removes staged files of a past age, and files and objects that were never logged."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._said: str | None = None

    async def look(self, *, starting: bool = False) -> None:
        """One look; a failing disk or service is an alarm, and the next look tries again.

        Args:
            starting: no session is open yet: whatever no bulletin names is an orphan. Attachments
                that other processes share are not swept by it (`Attachments.sweep`).
        """
        try:
            aged = await self._state.blobs.age_out()
            orphans = await self._state.blobs.sweep(self._logged, any_age=starting)
            bodies: Callable[[], Awaitable[int]] | None
            bodies = getattr(self._state.store, "sweep_bodies", None)
            if bodies is not None:
                orphans += await bodies()
        except (OperatorError, Unavailable) as error:
            if not error.code.startswith("blobs_"):  # the store's: who sequences says it
                _log.info("the look at the attachments waits: %s", error)
                return
            self._said = error.code
            self._state.alarms.sound_error(error)
            return
        if self._said is not None:
            self._state.alarms.clear(self._said)
            self._said = None
        if aged or orphans:
            _log.info("attachments: %d staged files, %d orphans removed", aged, orphans)

    async def run(self) -> None:
        """Look again and again until cancelled."""
        pause = FIRST_SECONDS
        while True:
            await asyncio.sleep(pause)
            pause = LOOK_SECONDS
            try:
                await self.look()
            except Exception:  # a bug: the sweep of later hours must not end with it
                _log.exception("a look at the attachments failed")

    async def _logged(self, bulletins: list[bytes]) -> Collection[bytes]:
        """Of which somebody may still ask for an attachment: those that are not destroyed."""
        found = await self._state.store.deliveries_of(bulletins)
        return {one for one, rows in found.items() if any(row.destroyed is None for row in rows)}
