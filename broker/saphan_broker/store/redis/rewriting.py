"""The server's append-only file still holds the commands that brought what is destroyed by now.

`BGREWRITEAOF` writes what is in memory into a new file and removes the old ones. It costs the
server a fork and a write of everything, so it is asked for when something was removed since the
last one, and after a long one not at once. A replica's file is its own: see
docs/durability.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final, NamedTuple

from saphan_schemas.errors import OperatorError

from saphan_broker.store.redis.archive import scripts
from saphan_broker.store.redis.keys import Keys
from saphan_broker.store.redis.line import Command
from saphan_broker.store.redis.link import Link

FAILED: Final = "redis_failed"
REST: Final = 10
"""Times as long as a rewriting took passes before the next one begins."""
SHORT_S: Final = 0.25
"""Of a rewriting that is too short to be counted."""
LOOK_S: Final = 0.02
PATIENCE_S: Final = 5.0
"""That one call waits."""


class _Said(NamedTuple):
    """What the server says of its files; `run` is another one after a restart."""

    run: str
    enabled: bool
    rewrites: int
    saves: int
    snapshots: bool
    busy: bool


class Rewriting:
    """Of one store's server; owned by one event loop."""

    def __init__(self, link: Link, keys: Keys, epoch: Callable[[], int]) -> None:
        self._link = link
        self._keys = keys
        self._epoch = epoch
        self._begun: tuple[_Said, int, float] | None = None
        self._not_before = 0.0

    async def rewrite(self) -> bool:
        """Whether no file of the server tells of what was removed before this was asked.

        Raises:
            OperatorError: `redis_refused`: its user may not do this, ...; Unavailable.
        """
        end = monotonic() + PATIENCE_S
        wanted = await self._removed()
        while not await self._is_done(wanted):
            said = await self._said()
            if not said.enabled:
                return True  # it keeps nothing on a disk, which somebody has accepted
            if self._begun is None and not said.busy and monotonic() >= self._not_before:
                await self._begin(said)
            if monotonic() > end:
                return False
            await asyncio.sleep(LOOK_S)
        return True

    async def _removed(self) -> int:
        return int(await self._link.one("GET", self._keys.removed) or 0)

    async def _is_done(self, wanted: int) -> bool:
        await self._look()
        return int(await self._link.one("GET", self._keys.rewritten) or 0) >= wanted

    async def _look(self) -> None:
        """Note a rewriting that has ended; one that failed, or ended with its server, was none."""
        if self._begun is None:
            return
        before, removed, since = self._begun
        said = await self._said()
        if said.run == before.run and said.busy:
            return
        if said.run == before.run and said.rewrites > before.rewrites and await self._lacks(said):
            return
        self._begun = None
        took = monotonic() - since
        self._not_before = monotonic() + REST * max(took - SHORT_S, 0.0)
        if said.run == before.run and said.rewrites > before.rewrites:
            done: Command = ("SET", self._keys.rewritten, removed)
            await self._link.one(*scripts.write(self._keys, self._epoch(), [done]))

    async def _lacks(self, said: _Said) -> bool:
        """Where the server is set up to write snapshots, too, the one that it has is as old."""
        assert self._begun is not None
        if said.saves > self._begun[0].saves or not said.snapshots:
            return False
        await self._link.one("BGSAVE", "SCHEDULE")
        return True

    async def _begin(self, said: _Said) -> None:
        removed = await self._removed()
        try:
            await self._link.one("BGREWRITEAOF")
        except OperatorError as error:
            if error.code != FAILED:  # one has just begun by itself
                raise
        else:
            self._begun = (said, removed, monotonic())

    async def _said(self) -> _Said:
        info, save = await self._link.ask(
            [("INFO", "server", "persistence"), ("CONFIG", "GET", "save")]
        )
        text = info.decode()
        lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        busy = ("aof_rewrite_in_progress", "aof_rewrite_scheduled", "rdb_bgsave_in_progress")
        return _Said(
            run=lines["run_id"],
            enabled=lines["aof_enabled"] == "1",
            rewrites=int(lines["aof_rewrites"]),
            saves=int(lines["rdb_saves"]),
            snapshots=bool(save[1:] and save[1]),
            busy=any(lines[name] == "1" for name in busy),
        )
