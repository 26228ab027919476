"""Every engine of the broker's store, for the one suite they all have to pass."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from obstore.store import MemoryStore as MemoryObjects
from saphan_broker.blobs.base import Attachments
from saphan_broker.blobs.in_objects import ObjectAttachments
from saphan_broker.blobs.store import BlobStore
from saphan_broker.objects.base import Objects
from saphan_broker.objects.remote import RemoteObjects
from saphan_broker.objects.s3 import open_s3
from saphan_broker.store.base import Store
from saphan_broker.store.memory import MemoryStore
from saphan_broker.store.redis.store import RedisStore
from saphan_broker.store.sqlite import SqliteStore
from support.archives import EagerStore
from support.attachment_places import Place
from support.s3_server import BUCKET, S3Server
from support.servers import ENGINES, Engine, Server

ARCHIVED: Final[dict[str, Engine]] = {"valkey-archived": "valkey", "redis-archived": "redis"}
"""Engines from whose memory everything that can leaves after each commit."""


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Engine, Server]]:
    """One server of each kind for all tests; each test's store has a name of its own there."""
    running: dict[Engine, Server] = {}
    yield running
    for server in running.values():
        server.free()


@pytest.fixture(params=["memory", "sqlite", *ENGINES, *ARCHIVED])
async def store(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    servers: dict[Engine, Server],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Store]:
    # On a busy machine a rewriting takes long, and then the next one would be waited for.
    monkeypatch.setattr("saphan_broker.store.redis.rewriting.REST", 0)
    made: Store
    if request.param == "memory":
        made = MemoryStore()
    elif request.param == "sqlite":
        made = await SqliteStore.create(tmp_path / "data")
    else:
        engine: Engine = ARCHIVED.get(request.param, request.param)
        if engine not in servers:
            servers[engine] = Server(tmp_path_factory.mktemp(engine), engine).start()
        address = servers[engine].address(name=tmp_path.name)
        if request.param in ARCHIVED:
            made = await EagerStore.make(address, tmp_path / "objects")
        else:
            made = await RedisStore.create(address)
    yield made
    await made.close()


@pytest.fixture(params=["files", "objects-memory", "objects-s3"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    objects: Objects | None = None
    if request.param == "objects-memory":
        objects = RemoteObjects(MemoryObjects(), "the memory")
    elif request.param == "objects-s3":
        server: S3Server = request.getfixturevalue("s3")
        where = f"s3://{BUCKET}/attachments/{tmp_path.name}"
        objects = open_s3(where, credentials=server.credentials, endpoint=server.endpoint)

    def make(clock: Callable[[], int], most: int) -> Attachments:
        if objects is not None:
            return ObjectAttachments(objects, clock, staged_bytes=most)
        return BlobStore(tmp_path / "blobs", clock, staged_bytes=most, shared=True)

    made = Place(make)
    yield made
    for one in made.made:
        one.close()
    if objects is not None:
        await objects.close()
