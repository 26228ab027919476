"""Which engine carries a broker: the operator's choice, and the store that comes of it.

Without a server the store is SQLite in the data directory, for one process; with one it is Redis or
Valkey, for many. Whoever opens a store says what it is by a `StoreChoice` and asks here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from saphan_protocol.pins import Pins, origin_number
from saphan_schemas.errors import OperatorError

from saphan_broker.objects.place import check_objects, objects_from
from saphan_broker.store.base import Store
from saphan_broker.store.sqlite import SqliteStore
from saphan_broker.store.sqlite_reader import SqliteReader

if TYPE_CHECKING:  # a broker on SQLite loads no client of a server
    from saphan_broker.objects.base import Objects
    from saphan_broker.store.redis.address import RedisAddress


OBJECTS_NAME: Final = "objects"
ATTACHMENTS_NAME: Final = "blobs"


@dataclass(frozen=True, slots=True)
class BlobPlace:
    """Where attachments and long ciphertexts lie; every process must reach it.

    Args:
        where: a directory, or s3://BUCKET/PREFIX; what follows is for S3 only (`open_s3`).
    """

    where: str
    credentials: Path | None = None
    endpoint: str | None = None
    region: str | None = None
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class StoreChoice:
    """Where a broker's logs and objects lie.

    Args:
        redis: the server; None: SQLite in the data directory.
        blobs: None: in the data directory.
    """

    redis: RedisAddress | None = None
    blobs: BlobPlace | None = None

    @property
    def shared(self) -> bool:
        """Whether several processes may serve from it."""
        return self.redis is not None

    def of(self, pins: Pins) -> StoreChoice:
        """The same for the broker of these pins: its keys in the server are named after it.

        A log that follows a lost one has keys of its own, `NAME#NUMBER`: the lost one's stay.
        """
        number = origin_number(pins.evidence.origin)[1]
        return self.named(pins.name if number == 1 else f"{pins.name}#{number}")

    def named(self, name: str) -> StoreChoice:
        """The same for a broker whose keys in the server have this name."""
        if self.redis is None:
            return self
        return replace(self, redis=msgspec.structs.replace(self.redis, name=name))


SQLITE = StoreChoice()
"""The store of a broker that no server carries."""


def open_objects(data: Path, choice: StoreChoice) -> Objects:
    """The objects of a broker; nothing is made or asked yet.

    Raises:
        OperatorError: `s3_not_installed`, `s3_place`, `s3_credentials`, `s3_ca`,
            `key_file_exposed`.
    """
    place = choice.blobs or BlobPlace(str(data / OBJECTS_NAME))
    return objects_from(
        place.where,
        credentials=place.credentials,
        endpoint=place.endpoint,
        region=place.region,
        ca_file=place.ca_file,
    )


def attachments_place(data: Path, choice: StoreChoice) -> str:
    """Where a broker's attachments lie: among its objects, or where they lay before there were."""
    if choice.blobs is not None:
        return choice.blobs.where
    return str(data / (OBJECTS_NAME if choice.shared else ATTACHMENTS_NAME))


async def check_vacant(data: Path, choice: StoreChoice) -> None:
    """Refuse a server that cannot be used, or that holds a store of this broker already.

    Raises:
        OperatorError: `store_exists`, and what opening raises except `store_missing`.
    """
    if choice.redis is None:
        return
    from saphan_broker.server_look import check_server
    from saphan_broker.store.redis.creating import identify

    await check_server(choice.redis)
    if choice.blobs is not None:  # else a directory that is still to be made
        objects = await asyncio.to_thread(open_objects, data, choice)
        try:
            await check_objects(objects)
        finally:
            await objects.close()
    try:
        await identify(choice.redis)
    except OperatorError as error:
        if error.code != "store_missing":
            raise
        return
    name, place = choice.redis.name, choice.redis.place
    raise OperatorError(
        "store_exists",
        f"the server at {place} holds a store of {name} already",
        field="redis",
        hint=f"start that broker with `saphan-broker run`; if it was never in use, remove the keys "
        f"saphan:{{{name}/*}}:* there, or give the new broker another --name",
    )


async def create_store(data: Path, choice: StoreChoice, objects: Objects | None) -> Store:
    """Make an empty store.

    Args:
        choice: `named` after the broker.
        objects: where a shared store's long bodies lie; None for SQLite.

    Raises:
        OperatorError: `store_exists`, and what opening raises.
    """
    if choice.redis is None:
        return await SqliteStore.create(data)
    from saphan_broker.store.redis.store import RedisStore

    return await RedisStore.create(choice.redis, objects=objects)


async def open_store(
    data: Path, choice: StoreChoice, objects: Objects | None, *, epoch: int = 0
) -> Store:
    """Open a store that is there; arguments as for `create_store`.

    Args:
        epoch: of the lease under which a shared store will be written.

    Raises:
        OperatorError: `store_missing`, `store_lossy`, `redis_*`, ...; Unavailable:
            `redis_unreachable`, `replicas_missing`.
    """
    if choice.redis is None:
        return await SqliteStore.open(data)
    from saphan_broker.store.redis.store import RedisStore

    return await RedisStore.open(choice.redis, objects=objects, epoch=epoch)


@asynccontextmanager
async def reading(data: Path, choice: StoreChoice) -> AsyncIterator[SqliteReader | Store]:
    """What exports read, beside the processes that serve from the same store.

    Raises:
        OperatorError: as `open_store`, without `store_locked`.
    """
    if choice.redis is None:
        reader = await SqliteReader.open(data)
        try:
            yield reader
        finally:
            await reader.close()
        return
    objects = await asyncio.to_thread(open_objects, data, choice)
    try:
        store = await open_store(data, choice, objects)
        try:
            yield store
        finally:
            await store.close()
    finally:
        await objects.close()
