"""The server's append-only file still holds the commands that brought what is destroyed by now.

`BGREWRITEAOF` writes what is in memory into a new file and removes the old ones. It costs the
server a fork and a write of everything, so it is asked for when something was removed since the
last one, and after a long one not at once. A replica's file is its own: see
docs/durability.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import Final, NamedTuple

from saphan_schemas.errors import OperatorError

from saphan_broker.store.redis.archive import scripts
from saphan_broker.store.redis.archive.moving import fenced
from saphan_broker.store.redis.keys import Keys
from saphan_broker.store.redis.line import Command
from saphan_broker.store.redis.link import Link
from saphan_broker.store.redis.scripts import outcome

_log = logging.getLogger("saphan.broker")

FAILED: Final = "redis_failed"
REST: Final = 10
"""Times as long as a rewriting took passes before the next one begins."""
SHORT_S: Final = 0.25
"""Of a rewriting that is too short to be counted."""
LOOK_S: Final = 0.02
PATIENCE_S: Final = 5.0
"""That one call waits."""


FAILED_REST_S: Final = 2.0
"""After one that failed: its disk is full, or somebody has ended it."""


class _Said(NamedTuple):
    """What the server says of its files; `run` is another one after a restart.

    Args:
        rewrites, saves: how many it has begun; a failed one is counted, too.
        snapshots: it is set up to write some, or has written one because somebody asked.
    """

    run: str
    enabled: bool
    rewrites: int
    rewritten: bool
    saves: int
    saved: bool
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
            OperatorError: `redis_refused`: its user may not do this, ...; Unavailable: also
                `lease_lost`.
        """
        end = monotonic() + PATIENCE_S
        wanted = await self._removed()
        while wanted:
            said = await self._said()
            await self._look(said)
            if await self._is_done(said, wanted):
                break
            if not said.enabled and not said.snapshots:
                break  # it keeps nothing on a disk, which somebody has accepted
            if self._begun is None and not said.busy and monotonic() >= self._not_before:
                await self._begin(said)
            if monotonic() > end:
                return False
            await asyncio.sleep(LOOK_S)
        return True

    async def _removed(self) -> int:
        return int(await self._link.one("GET", self._keys.removed) or 0)

    async def _is_done(self, said: _Said, wanted: int) -> bool:
        """Of this server as it runs: the files of a promoted replica are others."""
        count, _, run = (await self._link.one("GET", self._keys.rewritten) or b"0").partition(b" ")
        return int(count) >= wanted and run == said.run.encode()

    async def _look(self, said: _Said) -> None:
        """Note a rewriting that has ended; one that failed, or ended with its server, was none."""
        if self._begun is None:
            return
        before, removed, since = self._begun
        runs = said.run == before.run
        if runs and said.busy:
            return
        done = runs and (not said.enabled or (said.rewrites > before.rewrites and said.rewritten))
        if done and said.snapshots:
            if said.saves == before.saves:  # the snapshot that it has is older
                await self._link.one("BGSAVE", "SCHEDULE")
                return
            done = said.saved
        self._begun = None
        took = max(monotonic() - since - SHORT_S, 0.0)
        rest = REST * took if done else FAILED_REST_S
        self._not_before = monotonic() + (rest if runs else 0.0)
        if done:
            await self._note(b"%d %s" % (removed, said.run.encode()))
        elif runs:
            _log.warning("the Redis server could not write its file anew; it is asked again")

    async def _note(self, value: bytes) -> None:
        done: Command = ("SET", self._keys.rewritten, value)
        reply = await self._link.one(*scripts.write(self._keys, self._epoch(), [done]))
        if outcome(reply)[0] == "fenced":
            raise fenced()

    async def _begin(self, said: _Said) -> None:
        removed = await self._removed()
        if said.enabled:
            try:
                await self._link.one("BGREWRITEAOF")
            except OperatorError as error:
                if error.code != FAILED:
                    raise
                return  # one has just begun by itself
        self._begun = (said, removed, monotonic())

    async def _said(self) -> _Said:
        info, save = await self._link.ask(
            [("INFO", "server", "persistence"), ("CONFIG", "GET", "save")]
        )
        text = info.decode()
        lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        busy = ("aof_rewrite_in_progress", "aof_rewrite_scheduled", "rdb_bgsave_in_progress")
        saves = int(lines["rdb_saves"])
        return _Said(
            run=lines["run_id"],
            enabled=lines["aof_enabled"] == "1",
            rewrites=int(lines["aof_rewrites"]),
            rewritten=lines["aof_last_bgrewrite_status"] == "ok",
            saves=saves,
            saved=lines["rdb_last_bgsave_status"] == "ok",
            snapshots=saves > 0 or bool(save[1:] and save[1]),
            busy=any(lines[name] == "1" for name in busy),
        )
