"""Who sequences: a key that one process holds for two seconds, and a number that fences the rest.

Each new holder raises the epoch in both logs' heads; the commit script refuses every other epoch.
So the lease only decides who tries; that nobody else's commit is written does not depend on clocks.
"""

from __future__ import annotations

from typing import Final

from saphan_broker.store.redis.address import RedisAddress

LEASE_MS: Final = 2_000
RENEW_MS: Final = 500


class Lease:
    """One process's claim; its line to the server is its own, so no long read delays a renewal."""

    epoch: int
    """Number of this holding, for `RedisStore.epoch`; 0: not held."""

    def __init__(self, address: RedisAddress, holder: str) -> None:
        self.holder: Final = holder

    async def take(self) -> bool:
        """Take the lease if nobody else holds it; True: it is ours, under `epoch`.

        Raises:
            Unavailable: `redis_unreachable`, `replicas_missing`, ...
        """
        raise NotImplementedError

    async def renew(self) -> bool:
        """Hold it for another `LEASE_MS`; False: it is another's, or nobody's, by now."""
        raise NotImplementedError

    async def release(self) -> None:
        """Give it up if it is ours, so that another process takes it at once."""
        raise NotImplementedError

    async def current(self) -> tuple[str, int] | None:
        """Holder and epoch, whoever it is; None: nobody."""
        raise NotImplementedError

    async def close(self) -> None:
        """Free the line; the lease itself runs out, or was released."""
        raise NotImplementedError
