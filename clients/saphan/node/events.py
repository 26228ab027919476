"""What happens, told to whoever listens on this machine; a slow listener loses, nobody waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

Event = dict[str, Any]
Matters = Callable[[Event], bool]
DIRECTORY: Final = "directory"
"""Type of the event that the directory has grown: keys may be new, or revoked."""
NOTICE: Final = "notice"
"""Of a bulletin's notice whose time has come: its step, and the officers it names."""
COUNTERSIGN: Final = "countersign"
"""Of a bulletin that waits for a second officer, or waits no longer: its state, the officers whom
that concerns."""
IN_FLIGHT: Final = "in_flight"
"""Of a bulletin of ours that is on its way while its agreement is not in force: whether it is still
delivered (`deliver`), stopped (`stop`), or goes on as before (`resumed`)."""
WARNING: Final = "warning"
"""Of a delivery whose deadline is near: which, when it is, how much of the time is over."""
KEPT: Final = 1_024
"""Events waiting for one listener; beyond it the oldest go and `lagged` tells so."""


class Listener:
    """One stream of events, of all or of those that matter to it."""

    def __init__(self, matters: Matters | None = None) -> None:
        self._matters: Final[Matters] = matters or (lambda _: True)
        self._waiting: asyncio.Queue[Event] = asyncio.Queue(KEPT)
        self._asleep = False
        self._lagged = False

    def offer(self, event: Event) -> None:
        """Add an event, dropping the oldest when there is no room.

        Who sleeps is not woken for what does not matter: that costs more than the event itself. Who
        is at work asks when it is done, because what matters to it may be another thing then.
        """
        if self._asleep and not self._matters(event):
            return
        if self._waiting.full():
            self._waiting.get_nowait()
            self._lagged = True
        self._waiting.put_nowait(event)

    async def next(self, timeout_s: float) -> Event | None:
        """The next event that matters; None when there is none for so long."""
        if self._lagged:
            self._lagged = False
            return {"type": "lagged"}
        while not self._waiting.empty():
            event = self._waiting.get_nowait()
            if self._matters(event):
                return event
        self._asleep = True
        try:
            # Not `wait_for`: in Python 3.11 it forgets a cancellation that an event meets.
            async with asyncio.timeout(timeout_s):
                return await self._waiting.get()
        except TimeoutError:
            return None
        finally:
            self._asleep = False

    def drain(self) -> list[Event]:
        """What waits, without waiting."""
        found: list[Event] = []
        while not self._waiting.empty():
            found.append(self._waiting.get_nowait())
        return found


class Events:
    """All listeners of this node; used on the event loop only."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def publish(self, events: Sequence[Event]) -> None:
        """Tell everybody."""
        for listener in self._listeners:
            for event in events:
                listener.offer(event)

    @contextmanager
    def listen(self, matters: Matters | None = None) -> Iterator[Listener]:
        """Events from now on; with `matters`, only those of which it says so."""
        listener = Listener(matters)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
