"""Whoever may be promoted has what was just written: then no failover throws away what is answered.

`WAIT` counts whoever has a write, not who may be promoted. While one replica is promoted the old
primary and a second replica go on as before: what they take would be answered, and thrown away
seconds later. So a commit counts only when as many replicas have it as the sentinels reach. One
that stands still, or has left, is waited for until it is there again or more than half of the
sentinels could say that it is dead: then they do not promote it.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Final

from saphan_schemas.limits import LIMITS

from saphan_broker.store.redis.address import RedisAddress
from saphan_broker.store.redis.line import Command, Line, LineDown
from saphan_broker.store.redis.refusals import Reply, checked
from saphan_broker.store.redis.sentinels import Named, ask
from saphan_broker.store.redis.server import Promises, durable

PATIENCE_MS: Final = 200
"""For the slowest replica, before the sentinels are asked whether it lives."""
ONLINE: Final = ("INFO", "replication")


class Missing(Exception):
    """A write is not where it must be: it may be lost.

    Attributes:
        wanted: how many replicas must have it; have: how many have; None: not even the server's
            own disk.
    """

    def __init__(self, wanted: int, have: int | None) -> None:
        super().__init__(f"{have} of {wanted} replicas have it")
        self.wanted = wanted
        self.have = have


class Followers:
    """Of the primary at the other end of one line; made anew with each line."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._wanted = address.replicas
        self._until = 0.0

    def waiting(self, promises: Promises) -> list[Command]:
        """What is asked behind a write, on its line."""
        wait_ms = min(PATIENCE_MS, self._address.wait_ms)
        return [*promises.waiting(self._wanted, wait_ms), ONLINE]

    async def check(self, line: Line, promises: Promises, told: Sequence[Reply]) -> None:
        """Return when all who may be promoted have what was written before `told`.

        Args:
            told: the answers to `waiting`.

        Raises:
            Missing; LineDown: it leads to a primary of before; what asking the sentinels, or a
                refusal of the server, raises.
        """
        end = monotonic() + self._address.wait_ms / 1000
        while True:
            local, have = durable(told[:-1])
            if have >= self._wanted and local and monotonic() < self._until:
                # Who has come since is waited for from the next write on.
                if self._until == float("inf"):
                    self._wanted = max(self._wanted, _online(told[-1]))
                return
            named = await ask(self._address)
            if named.place != line.place:
                line.abort("the sentinels name another primary")
                raise LineDown("the sentinels name another primary")
            self._wanted = max(_promotable(named), self._address.replicas)
            if have >= self._wanted and local and not named.failing:
                # Without those whom they do not reach: they are asked again soon, since who is
                # back may be promoted.
                whole = have >= named.replicas
                self._until = (
                    float("inf") if whole else monotonic() + LIMITS.sentinel_look_ms / 1000
                )
                return
            self._until = 0.0
            if monotonic() > end:
                raise Missing(self._wanted, have if local else None)
            told = await line.ask(self.waiting(promises), self._address.wait_ms)


def _promotable(named: Named) -> int:
    """Replicas that may be promoted: those that the sentinels reach.

    A few of them may be cut off, with us and the primary, from the others and from the very replica
    that those promote. So it takes more than half of them to write one off.
    """
    return named.alive if 2 * named.answered > named.sentinels else named.replicas


def _online(told: Reply) -> int:
    """Replicas that have all there is, or are on the way there; one that came again counts once."""
    found = set()
    for line in checked(told).decode(errors="replace").splitlines():
        if line.startswith("slave") and "state=online" in line:
            found.add(tuple(line.partition(":")[2].split(",")[:2]))  # its address and its port
    return len(found)
