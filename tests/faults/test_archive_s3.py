"""The archive in a real S3 server, which is gone for a while."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from saphan_broker.objects import s3 as s3_objects
from saphan_broker.objects.s3 import open_s3
from saphan_broker.store.redis.archive import cache
from saphan_broker.store.redis.archive.policy import EAGER
from saphan_broker.store.redis.store import RedisStore
from saphan_schemas.errors import SaphanError
from saphan_schemas.limits import LIMITS
from support.archives import Twin, archive_all, held
from support.s3_server import BUCKET, S3Server
from support.servers import Server


async def test_nothing_is_lost_while_the_service_is_gone_and_it_goes_on_after(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = replace(LIMITS, object_retry_ms=300, object_commit_ms=300)
    monkeypatch.setattr(s3_objects, "LIMITS", hasty)
    server = await asyncio.to_thread(Server(tmp_path / "valkey").start)
    place = f"s3://{BUCKET}/archive/{tmp_path.name}"
    objects = open_s3(place, credentials=s3.credentials, endpoint=s3.endpoint)
    address = server.address(name=tmp_path.name)
    twin = Twin(await RedisStore.create(address, objects=objects, policy=EAGER))
    try:
        rows = await twin.finish(await twin.bulletins(40))
        await twin.bulletins(230)
        await archive_all(twin.store)
        await twin.check()
        assert (await held(server, tmp_path.name))["b"] == 230
        await twin.finish(await twin.bulletins(3))
        await asyncio.to_thread(s3.kill)
        monkeypatch.setattr(cache, "LIMITS", hasty)
        try:
            with pytest.raises(SaphanError) as away:
                await twin.store.archive_some()
            await twin.store.close()  # what another process finds while the service is down
            twin.store = await RedisStore.open(address, objects=objects, policy=EAGER)
            with pytest.raises(SaphanError) as waits:
                await twin.store.bulletins([row.bulletin for row in rows])
            assert waits.value.code == "blobs_unreachable"
            await twin.bulletins(2)
        finally:
            monkeypatch.setattr(cache, "LIMITS", LIMITS)
            await asyncio.to_thread(s3.start)
        assert away.value.code == "blobs_unreachable"
        assert (await held(server, tmp_path.name))["b"] == 235
        await archive_all(twin.store)
        await twin.check()
        assert (await held(server, tmp_path.name))["b"] == 232
    finally:
        await twin.store.close()
        await objects.close()
        server.free()
