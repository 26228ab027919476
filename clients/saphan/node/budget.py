"""Bytes that the line to the broker may cost in a day, and what still flows when they are spent.

Every frame of both directions counts, with what the network adds to it. From the day's last byte
until the next midnight (UTC) routine bulletins wait, ours in the outbox and others' at the broker;
priority and immediate ones, statements, entries, heads and pings go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import DAY_MS

from saphan.compose import URGENCIES
from saphan.node.alarms import Alarms
from saphan.node.policy.current import Current
from saphan.node.rows.db import Database

SEGMENT_BYTES: Final = 1_300
PACKET_BYTES: Final = 126
"""A packet's headers, its TLS record and its acknowledgement."""
SESSION_BYTES: Final = 14_000
"""TCP, TLS, challenge and login, with their headers."""
SAVE_S: Final = 10.0
"""Between writes of the count: what a crash may forget."""
PRIORITY: Final = URGENCIES.index("priority")
FACT: Final = "budget"


class Budget:
    """What today has cost. Used on the event loop, but for `save`.

    Args:
        clock: ms UTC.
    """

    def __init__(
        self, db: Database, settings: Current, alarms: Alarms, clock: Callable[[], int]
    ) -> None:
        self._db = db
        self._settings = settings
        self._alarms = alarms
        self._clock = clock
        row = db.row("SELECT value FROM facts WHERE name = ?", (FACT,))
        # The day that was counted, its cost, and the day that the clock showed last.
        self._day, self._cost, self._seen = map(int, str(row[0] if row else "0 0 0").split())
        self._saved = self._day, self._cost, self._seen
        self._turned = asyncio.Event()
        self.spent = False
        """Whether routine bulletins wait."""
        self.look()

    @property
    def least(self) -> int:
        """The lowest class of urgency that flows, a place in `URGENCIES`."""
        return PRIORITY if self.spent else 0

    @property
    def ample(self) -> bool:
        """Whether half of the day's bytes are left: what is not urgent at all goes on until then,
        and takes no bulletin's place."""
        most = self._settings.now.budget_bytes_per_day
        return most is None or self._cost < most // 2

    @property
    def cost(self) -> int:
        """Bytes of this day."""
        return self._cost

    def spend(self, payload: int) -> None:
        """A frame went out or came in."""
        self._cost += payload + (1 + payload // SEGMENT_BYTES) * PACKET_BYTES
        self.look()

    def spend_session(self) -> None:
        """A line was opened."""
        self._cost += SESSION_BYTES
        self.look()

    def look(self) -> None:
        """Begin a new day if it is one, and take the settings as they are now."""
        day = self._clock() // DAY_MS
        if day > self._seen and day != self._day:
            self._day, self._cost = day, 0
        # A clock that is set back gives no second budget, and one that ran ahead holds nothing
        # until the day that it had shown.
        self._seen = day
        most = self._settings.now.budget_bytes_per_day
        spent = most is not None and self._cost >= most
        if spent == self.spent:
            return
        self.spent = spent
        turned, self._turned = self._turned, asyncio.Event()
        turned.set()
        if spent:
            self._alarms.sound(
                OperatorError(
                    "budget_spent",
                    f"the line has cost {self._cost} bytes today, of {most}: routine bulletins "
                    "wait until midnight UTC",
                    field="budget_bytes_per_day",
                    hint="raise budget_bytes_per_day in node/settings.json, then send SIGHUP",
                )
            )
        else:
            self._alarms.clear("budget_spent")

    async def turned_from(self, spent: bool) -> bool:
        """Wait until `spent` is something else; gives what it is then."""
        while self.spent == spent:
            await self._turned.wait()
        return self.spent

    async def run(self) -> None:
        """Notice midnight, and write the count now and then, for ever."""
        while True:
            await asyncio.sleep(SAVE_S)
            self.look()
            try:
                await asyncio.to_thread(self.save)
            except OperatorError as error:  # the disk: it is tried again
                self._alarms.sound(error)

    def save(self) -> None:
        """Write the count; a crash before forgets at most what `SAVE_S` seconds have cost.

        Raises:
            OperatorError: the disk.
        """
        now = self._day, self._cost, self._seen
        if now == self._saved:
            return
        with self._db.transaction() as tx:
            tx.execute(
                "INSERT OR REPLACE INTO facts VALUES (?, ?)", (FACT, " ".join(map(str, now)))
            )
        self._saved = now
