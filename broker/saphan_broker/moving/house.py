"""One end of a move: where a broker's store and its attachments are, on whichever engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from saphan_schemas.errors import OperatorError

from saphan_broker.objects.base import Objects
from saphan_broker.objects.directory import DirectoryObjects
from saphan_broker.opening import (
    SQLITE,
    StoreChoice,
    attachments_place,
    open_objects,
    open_store,
)
from saphan_broker.store.base import Store
from saphan_broker.store.sqlite import SqliteStore


@dataclass(frozen=True, slots=True)
class House:
    """A data directory and the engine that carries its broker.

    Args:
        choice: `named` after the broker.
    """

    data: Path
    choice: StoreChoice = SQLITE

    @property
    def on_server(self) -> bool:
        """Whether the store is in a Redis server."""
        return self.choice.redis is not None

    @asynccontextmanager
    async def objects(self) -> AsyncIterator[Objects]:
        """Where its broker looks for attachments, and on a server for long ciphertexts too."""
        if self.choice == SQLITE:
            made: Objects = DirectoryObjects(Path(attachments_place(self.data, self.choice)))
        else:
            made = await asyncio.to_thread(open_objects, self.data, self.choice)
        try:
            yield made
        finally:
            await made.close()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Store]:
        """The store on a server, read beside the processes that serve from it.

        Raises:
            OperatorError: `objects_elsewhere`, and what else opening raises.
        """
        async with self.objects() as objects:
            store = await open_store(self.data, self.choice, objects)
            try:
                yield store
            finally:
                await store.close()

    @asynccontextmanager
    async def alone(self, *, create: bool = False) -> AsyncIterator[Store]:
        """The store with nobody else sequencing: SQLite's lock, or the server's lease.

        Args:
            create: make an empty one where there is none.

        Raises:
            OperatorError: `store_locked`, `store_in_use`, and what opening raises.
        """
        if self.choice.redis is None:
            store = await _sqlite(self.data, create)
            try:
                yield store
            finally:
                await store.close()
            return
        from saphan_broker.moving.leased import leased, open_alone  # loads the server's client

        async with self.objects() as objects:
            served = await open_alone(self.choice.redis, objects, create)
            try:
                async with leased(self.choice.redis, served):
                    yield served
            finally:
                await served.close()


async def _sqlite(data: Path, create: bool) -> SqliteStore:
    if create:
        try:
            return await SqliteStore.create(data)
        except OperatorError as error:
            if error.code != "store_exists":  # what a copy that was cut off has left
                raise
    return await SqliteStore.open(data)
