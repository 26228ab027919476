"""A broker's processes over a primary with replicas that sentinels watch."""

from __future__ import annotations

import asyncio
from pathlib import Path

from saphan_broker.opening import StoreChoice

from support.crews import Crew
from support.sentinels import Guarded
from support.servers import Engine


class GuardedCrew(Crew):
    """The same crew; which server carries it the sentinels say.

    Args:
        replicas: how many follow the primary.
        wanted: how many must hold a commit; 0: a failover may lose some, and that is accepted.
    """

    def __init__(
        self,
        place: Path,
        *names: str,
        engine: Engine = "valkey",
        replicas: int = 2,
        wanted: int = 1,
    ) -> None:
        super().__init__(place, *names)
        self.server.free()
        self.guarded = Guarded(place / "guarded", engine, replicas)
        self._wanted = wanted

    async def _serve(self) -> None:
        self._stack.callback(self.guarded.free)
        await asyncio.to_thread(self.guarded.start)
        self.server = self.guarded.servers[0]
        address = self.guarded.address(replicas=self._wanted, accept_loss=not self._wanted)
        self.choice = StoreChoice(redis=address)
