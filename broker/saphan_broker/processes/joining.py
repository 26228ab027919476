"""How a process takes its place among the others of one server."""

from __future__ import annotations

import os

from saphan_broker.processes.alone import Parts
from saphan_broker.processes.leased import Leased
from saphan_broker.processes.talking import Talking
from saphan_broker.processes.wire import ID_BYTES
from saphan_broker.store.base import Store
from saphan_broker.store.redis.address import RedisAddress
from saphan_broker.store.redis.lease import Lease
from saphan_broker.store.redis.store import RedisStore


class Joining:
    """A process's name among the others, and its claim to the lease."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._process = os.urandom(ID_BYTES)
        self._lease = Lease(address, self._process.hex())

    def fence(self, store: Store) -> Store:
        """The store, which writes under the epoch of this process's lease and no other one."""
        if isinstance(store, RedisStore):
            store.epoch = self._lease.epoch
        return store

    def role(self, parts: Parts) -> Leased:
        """The role of this process, not started yet."""
        talking = Talking(parts, self._address, self._process)
        return Leased(parts, self._lease, talking, self.fence)
