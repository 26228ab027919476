"""Moves the oldest entries of mailboxes: a stretch of indices is an object, the stream is cut."""

from __future__ import annotations

from collections import deque
from typing import Final

from saphan_schemas.limits import LIMITS

from saphan_broker.store.redis.archive import index
from saphan_broker.store.redis.archive.formats import box_body, box_name
from saphan_broker.store.redis.archive.moving import Moving
from saphan_broker.store.redis.line import Command

BOXES_AT_ONCE: Final = 16
CORRIDORS: Final = 1_000
"""Asked for at once, to learn which mailboxes there are."""


class BoxMover:
    """Goes round the mailboxes, a few of them at a time."""

    def __init__(self, moving: Moving) -> None:
        self._moving = moving
        self._waiting: deque[str] = deque()
        self._known: set[str] = set()
        self._cursor = 0

    async def move(self) -> int:
        """Look at a few mailboxes, or at all in as many calls; gives how many were shortened."""
        await self._look_round()
        gone = looked = 0
        while self._waiting and looked < BOXES_AT_ONCE:
            gone += await self._move(self._waiting.popleft())
            looked += 1
        if self._waiting or self._cursor:
            return max(gone, 1)  # not round yet: there may be more to do
        return gone

    async def _look_round(self) -> None:
        """Every mailbox has a corridor: read a page of those when nothing else waits."""
        if self._waiting:
            return
        if not self._cursor:
            self._known.clear()
        key = self._moving.keys["evidence"].corridors
        (answer,) = await self._moving.ask([("HSCAN", key, self._cursor, "COUNT", CORRIDORS)])
        self._cursor = int(answer[0])
        for field in answer[1][::2]:
            for agency in field.decode().split("\0"):
                if agency not in self._known:
                    self._known.add(agency)
                    self._waiting.append(agency)

    async def _move(self, agency: str) -> bool:
        keys, policy = self._moving.keys["evidence"], self._moving.policy
        box, field = keys.box(agency), f"box/{agency}"
        length, before = await self._moving.ask([("XLEN", box), ("HGET", index.moved(keys), field)])
        spare = min(length - policy.keep_box, LIMITS.archive_box_items)
        if spare < policy.least_box:
            return False
        (rows,) = await self._moving.ask([("XRANGE", box, "-", "+", "COUNT", spare)])
        final = await self._moving.final_size("evidence")
        found = (int(row[0].partition(b"-")[0]) - 1 for row in rows)
        indices = [at for at in found if at < final]
        if len(indices) < policy.least_box or indices[0] < int(before or 0):
            return False
        stretch = f"{indices[0]}-{indices[-1]}"
        await self._moving.put(box_name(agency, stretch), box_body(indices))
        after = indices[-1] + 1
        removals: list[Command] = [  # found first: a server that refuses one of them loses nothing
            ("ZADD", index.boxes(keys, agency), indices[-1], stretch),
            ("XTRIM", box, "MINID", b"%d-0" % (after + 1)),
        ]
        return await self._moving.move("evidence", field, int(before or 0), after, removals)
