"""A process that commits without end, saying what has returned; killed or starved by its parent.

Arguments: the store's directory or its server's URL, bulletins a commit, and optionally a limit on
file sizes in bytes.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path

from saphan_broker.store.redis.address import RedisAddress
from saphan_broker.store.redis.store import RedisStore
from saphan_broker.store.sqlite import SqliteStore
from saphan_schemas.errors import SaphanError, Unavailable

from support.store_commits import Story

BODY_BYTES = 9 * 1024


async def open_store(place: str) -> RedisStore | SqliteStore:
    if "://" in place:
        return await RedisStore.open(RedisAddress(url=place))
    return await SqliteStore.open(Path(place))


async def commit_without_end(place: str, group: int, file_limit: int | None) -> None:
    store = await open_store(place)
    story = await Story.resumed(store)
    story.body_bytes = BODY_BYTES
    if file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    print("ready", flush=True)
    while True:
        commit = story.bulletins(group, name=story.time)
        note = b"note of %d" % commit.head.size
        while True:
            try:
                if (await store.state("evidence")).head != commit.head:
                    await store.commit(commit)
                print("committed", commit.head.size, flush=True)
                await store.put_note("evidence", commit.head.size, note)
                break
            except SaphanError:
                if "://" not in place:
                    raise
                store = await opened_again(store, place)
        print("signed", commit.head.size, flush=True)


async def opened_again(store: RedisStore | SqliteStore, place: str) -> RedisStore | SqliteStore:
    """As the sequencer does after a doubt; however long the server needs to come back."""
    await store.close()
    while True:
        try:
            return await open_store(place)
        except Unavailable:
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    limit = int(sys.argv[3]) if len(sys.argv) > 3 else None
    try:
        asyncio.run(commit_without_end(sys.argv[1], int(sys.argv[2]), limit))
    except SaphanError as error:
        print("failed", error.code, flush=True)
