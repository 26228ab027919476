"""Whether a process takes bulletins at this moment: for /readyz, metrics and the operator's status.

The store is asked too, because a broker notices a lost one only with the next bulletin; and not for
long, because whoever watches must be answered while it hangs.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

from saphan_schemas.errors import SaphanError, Unavailable
from saphan_schemas.limits import MIB

from saphan_broker.broker import Broker
from saphan_broker.store.base import Counts

DISK_RESERVE_BYTES: Final = 256 * MIB
"""With less left on the store's disk the broker says that it is not ready, while it still is."""
PATIENCE_S: Final = 2.0
"""Whoever scrapes or checks health gives up after five or ten."""

T = TypeVar("T")


class Health:
    """Looks at a running broker.

    Args:
        data: the store's directory; free space on its disk is watched.
    """

    def __init__(self, broker: Broker, data: Path) -> None:
        self._broker = broker
        self._data = data
        self._asked: dict[str, asyncio.Task[Any]] = {}

    async def reasons(self) -> dict[str, str]:
        """Why nothing is taken, by code; empty when bulletins are."""
        found = {alarm.code: alarm.message for alarm in self._broker.ready().reasons}
        free = (await asyncio.to_thread(shutil.disk_usage, self._data)).free
        if free < DISK_RESERVE_BYTES:
            found["disk_low"] = f"{free // MIB} MiB are left on the disk of the store"
        try:
            await self._answer("state", lambda: self._broker.store.state("evidence"))
        except SaphanError as error:
            found[error.code] = error.message
        return found

    async def counts(self) -> Counts | None:
        """What the store holds; None when it does not say so."""
        try:
            return await self._answer("counts", self._broker.store.counts)
        except SaphanError:
            return None

    async def _answer(self, name: str, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """One question of a kind at a time: those who ask meanwhile get the same answer.

        Raises:
            Unavailable: `store_silent`; what the store raises.
        """
        asked: asyncio.Task[T] | None = self._asked.get(name)
        if asked is None or asked.done():
            asked = self._asked[name] = asyncio.create_task(ask())
            asked.add_done_callback(_noticed)
        await asyncio.wait((asked,), timeout=PATIENCE_S)
        if not asked.done():
            raise Unavailable("store_silent", f"the store has not answered for {PATIENCE_S:.0f} s")
        return asked.result()


def _noticed(asked: asyncio.Task[Any]) -> None:
    """An error that came too late for whoever asked is no bug."""
    if not asked.cancelled():
        asked.exception()
