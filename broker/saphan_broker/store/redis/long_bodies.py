"""Long ciphertexts become objects before the commit that needs them, or stay in the server.

1. The names of the objects are noted in the server, with the epoch of the lease.
2. The objects are put. Each commit gives them names of its own, which nobody puts again.
3. The commit names them in its rows, and takes the notes away.

What a crash means: between 1 and 3 it leaves notes of objects that no row names. A commit is over
once it has failed here, or once another epoch has begun: from then on none of its objects is ever
named. So a sweep needs no lock, and looks at what is noted, not at history. While the store of
objects fails or does not answer, nothing waits for it: a long ciphertext is kept in the server's
memory like a short one, and leaves it with its bulletin, by the archive.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from saphan_schemas.errors import OperatorError, Unavailable
from saphan_schemas.limits import KIB, LIMITS

from saphan_broker.objects.base import Objects
from saphan_broker.store.base import BulletinRow
from saphan_broker.store.redis import packing
from saphan_broker.store.redis.keys import Keys
from saphan_broker.store.redis.line import Argument
from saphan_broker.store.redis.link import Link

_log = logging.getLogger("saphan.broker")

OBJECT_BYTES: Final = 64 * KIB
"""A longer ciphertext is an object; the server's memory is for what is in flight."""
PUTS: Final = 8
"""Objects on their way at a time: 768 KiB."""
PAUSE_SECONDS: Final = 30.0
"""After a failure, until objects are tried again: every commit would wait for them meanwhile."""
RUN_BYTES: Final = 6
PAGE: Final = 256


class LongBodies:
    """Puts them, for one store object, whose caller lets one commit run at a time.

    Args:
        objects: None: everything stays in the server.
        link: to the server, for notes; keys: of the evidence log.
        settled: returns once the notes are at the replicas: one that is promoted knows of them.
    """

    def __init__(
        self,
        objects: Objects | None,
        link: Link,
        keys: Keys,
        settled: Callable[[], Awaitable[None]],
    ) -> None:
        self._objects = objects
        self._link = link
        self._noted = keys.bodies
        self._settled = settled
        self._again = 0.0
        self._late: set[asyncio.Task[None]] = set()
        self._run = secrets.token_hex(RUN_BYTES)
        self._commit = 0
        self._swept = 0

    async def put(self, rows: Sequence[BulletinRow], epoch: int) -> dict[bytes, str]:
        """Objects, by bulletin, that hold ciphertexts durably now; the commit must name them.

        Raises:
            Unavailable, OperatorError: of the server, which does not take the notes.
        """
        long = [row for row in rows if len(row.ciphertext) > OBJECT_BYTES]
        self._commit += 1
        now = asyncio.get_running_loop().time
        if self._objects is None or not long or self._late or now() < self._again:
            return {}
        names = {row.id: packing.body_name(row.id, self._run, self._commit) for row in long}
        notes: list[Argument] = [word for name in names.values() for word in (epoch, name)]
        await self._link.one("ZADD", self._noted, *notes)
        await self._settled()
        end = now() + LIMITS.object_commit_ms / 1000
        done: dict[bytes, str] = {}
        for first in range(0, len(long), PUTS):
            some = {row.id: row.ciphertext for row in long[first : first + PUTS]}
            puts = {id_: self._objects.put(names[id_], body) for id_, body in some.items()}
            tasks = {asyncio.ensure_future(put): id_ for id_, put in puts.items()}
            finished, late = await asyncio.wait(tasks, timeout=end - now())
            self._leave(late)
            failed = [error for task in finished if (error := task.exception())]
            done |= {tasks[one]: names[tasks[one]] for one in finished if one.exception() is None}
            if failed or late:
                self._again = now() + PAUSE_SECONDS
                self._warn([*failed, *[TimeoutError() for _ in late]][0])
                break
        return done

    async def sweep(self, epoch: int) -> int:
        """Remove objects of this and of past epochs that no commit has named; gives how many.

        What this store object left is removed by the second sweep after that: a put that was given
        up may still arrive.

        Raises:
            Unavailable, OperatorError: of the server, or of the objects.
        """
        if self._objects is None or self._late:
            return 0
        before, self._swept = self._swept, self._commit
        gone = kept = 0
        while True:
            asked = ("ZRANGEBYSCORE", self._noted, "-inf", epoch, "WITHSCORES")
            found = await self._link.one(*asked, "LIMIT", kept, PAGE)
            if not found:
                return gone
            for name, score in zip(found[::2], found[1::2], strict=True):
                if self._is_decided(name.decode(), int(score) < epoch, before):
                    await self._objects.delete(name.decode())
                    gone += await self._link.one("ZREM", self._noted, name)
                else:
                    kept += 1

    def _is_decided(self, name: str, past: bool, before: int) -> bool:
        """Of another store object: if its epoch is past. Of this one, whose epoch may have changed
        within a commit: if its commit was at or before a number."""
        run, commit = packing.body_commit(name)
        return commit <= before if run == self._run else past

    def _leave(self, late: set[asyncio.Task[None]]) -> None:
        """Nobody waits for what cannot be interrupted: a directory of a server that is away."""
        for task in late:
            task.cancel()
            self._late.add(task)
            task.add_done_callback(self._arrived)

    def _arrived(self, task: asyncio.Task[None]) -> None:
        self._late.discard(task)
        if not task.cancelled():
            task.exception()  # it is swept, whatever became of it

    @staticmethod
    def _warn(error: BaseException) -> None:
        if not isinstance(error, OperatorError | Unavailable | TimeoutError):
            raise error
        _log.warning("long ciphertexts stay in the server's memory: %r", error)
