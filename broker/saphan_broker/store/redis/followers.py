"""A replica that leaves its primary may be the next one: then nothing of what comes is at it.

`WAIT` counts whoever has a write, not who may be promoted. Between the promotion of one replica and
the moment at which the others, and the old primary, are told of it, the old primary and a second
replica go on as before: what they take would be answered, and thrown away seconds later. So a
commit counts only while everybody whom the sentinels might promote still follows.
"""

from __future__ import annotations

import asyncio
from time import monotonic

from saphan_broker.store.redis.address import RedisAddress
from saphan_broker.store.redis.line import Line
from saphan_broker.store.redis.refusals import Reply, checked
from saphan_broker.store.redis.sentinels import ask

AGAIN_S = 0.1
QUESTION = ("INFO", "replication")


class Left(Exception):
    """Replicas that may be promoted do not follow: what was just written may be lost.

    Attributes:
        wanted: how many the sentinels reach; have: how many follow.
    """

    def __init__(self, wanted: int, have: int) -> None:
        super().__init__(f"{have} of {wanted} replicas follow")
        self.wanted = wanted
        self.have = have


class Followers:
    """Of the primary at the other end of one line; made anew with each line."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._accepted: int | None = None

    async def check(self, line: Line, told: Reply) -> None:
        """Return if everybody followed at the moment of `told`, or whoever did not is seen dead.

        Args:
            told: the answer to `QUESTION`, asked behind the write and its wait.

        Raises:
            Left; LineDown; what asking the sentinels raises.
        """
        have = _following(told)
        if self._accepted is not None and have >= self._accepted:
            self._accepted = have
            return
        end = monotonic() + self._address.wait_ms / 1000
        while True:
            named = await ask(self._address)
            if have >= named.alive and not named.failing:
                self._accepted = have
                return
            if monotonic() > end:
                raise Left(named.alive, have)
            await asyncio.sleep(AGAIN_S)
            have = _following(await line.one(*QUESTION))


def _following(told: Reply) -> int:
    """Replicas that have all there is, or are on the way there."""
    lines = checked(told).decode(errors="replace").splitlines()
    return sum(line.startswith("slave") and "state=online" in line for line in lines)
