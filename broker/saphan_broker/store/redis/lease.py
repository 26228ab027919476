"""Who sequences: a key that one process holds for two seconds, and a number that fences the rest.

Each new holder raises the epoch in both logs' heads; the commit script refuses every other epoch.
So the lease only decides who tries; that nobody else's commit is written does not depend on clocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import hiredis
from saphan_schemas.errors import Unavailable

from saphan_broker.store.redis.address import RedisAddress
from saphan_broker.store.redis.dialling import dial
from saphan_broker.store.redis.keys import all_keys
from saphan_broker.store.redis.line import (
    Command,
    Line,
    LineDown,
    unreachable,
)
from saphan_broker.store.redis.refusals import Reply, checked
from saphan_broker.store.redis.scripts import BARRIER, FENCE, RENEW, TAKE, outcome
from saphan_broker.store.redis.server import Promises, durable, examine

LEASE_MS: Final = 2_000
"""Without a renewal for so long, another process may take the lease."""
RENEW_MS: Final = 500
"""Between renewals: three may be late before the lease runs out."""


class Lease:
    """One process's claim; its line to the server is its own, so no long read delays a renewal.

    Attributes:
        holder: what this process is called; no other process has that name.
        epoch: number of this holding, for `RedisStore.epoch`; 0: not held.
    """

    def __init__(self, address: RedisAddress, holder: str) -> None:
        self.holder: Final = holder
        self.epoch = 0
        self._address = address
        self._keys = all_keys(address.name)
        self._line: Line | None = None
        self._promises = Promises((), False, False)

    async def take(self) -> bool:
        """Take the lease if nobody else holds it; True: it is ours, under `epoch`.

        All that anybody has committed before is durable then, as `RedisAddress` demands.

        Raises:
            Unavailable: `redis_unreachable`, `replicas_missing`, `store_busy`; OperatorError:
                `store_missing`, `store_lossy`, `redis_refused`, ...
        """
        evidence, directory = self._keys["evidence"], self._keys["directory"]
        keys = (evidence.lease, evidence.head)
        word, epoch = await self._ask(TAKE.call(keys, self.holder, LEASE_MS), durably=False)
        if word == "held":
            self.epoch = 0
            return False
        # A crash here: this log is fenced, the other one by whoever takes the lease next.
        await self._ask(FENCE.call((directory.head,), epoch), durably=True)
        self.epoch = epoch
        return True

    async def renew(self) -> bool:
        """Hold it for another `LEASE_MS`; False: it is another's, or nobody's, by now.

        Raises:
            Unavailable: `redis_unreachable`; the lease may be ours still.
        """
        word, _ = await self._ask(self._renewal(LEASE_MS), durably=False)
        if word != "done":
            self.epoch = 0
        return word == "done"

    async def release(self) -> None:
        """Give it up if it is ours, so that another process takes it at once."""
        self.epoch = 0
        await self._ask(self._renewal(0), durably=False)

    async def current(self) -> tuple[str, int] | None:
        """Holder and epoch, whoever it is; None: nobody.

        Raises:
            Unavailable: `redis_unreachable`.
        """
        evidence = self._keys["evidence"]
        line = await self._connected()
        try:
            replies = await line.ask([("GET", evidence.lease), ("HGET", evidence.head, "epoch")])
        except LineDown as error:
            raise unreachable(self._address, str(error)) from None
        holder, epoch = [checked(reply) for reply in replies]
        return None if holder is None or epoch is None else (holder.decode(), int(epoch))

    async def close(self) -> None:
        """Free the line; the lease itself runs out, or was released."""
        if self._line is not None:
            self._line.abort()

    def _renewal(self, ms: int) -> Command:
        return RENEW.call((self._keys["evidence"].lease,), self.holder, ms)

    async def _connected(self) -> Line:
        if self._line is None or self._line.down:
            line = await dial(self._address)
            try:
                self._promises = await examine(line, self._address)
            except LineDown as error:
                raise unreachable(self._address, str(error)) from None
            except BaseException:
                line.abort()
                raise
            self._line = line
        return self._line

    async def _ask(self, command: Command, *, durably: bool) -> tuple[str, int]:
        """A script's answer, and its write durable on this very line where that is asked."""
        line = await self._connected()
        waiting = self._waiting() if durably else []
        # FENCE may find nothing to change; the wait must have a write of this line before it.
        barrier = BARRIER.call((self._keys["evidence"].barrier,))
        commands = [command, barrier, *waiting] if waiting else [command]
        try:
            replies = await line.ask(commands, self._address.wait_ms)
        except LineDown as error:
            raise unreachable(self._address, str(error)) from None
        if isinstance(replies[0], hiredis.ReplyError):
            # The next one brings our scripts again, and may lead to another server: a new primary.
            line.abort("a command was refused")
        if waiting:
            self._judge(line, replies[2:])
        return outcome(checked(replies[0]))

    def _waiting(self) -> list[Command]:
        return self._promises.waiting(self._address.replicas, self._address.wait_ms)

    def _judge(self, line: Line, replies: Sequence[Reply]) -> None:
        local, replicas = durable(replies)
        if not local:
            line.abort("it does not sync")  # on the next one its settings are looked at
            raise unreachable(self._address, "what it wrote did not reach its disk in time")
        if replicas < self._address.replicas:
            raise Unavailable(
                "replicas_missing",
                f"{replicas} of {self._address.replicas} replicas have it",
                hint="nothing is answered until enough replicas follow the server again",
            )
