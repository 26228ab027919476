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


async def commit_without_end(place: str, group: int, file_limit: int | None) -> None:
    store: RedisStore | SqliteStore
    if "://" in place:
        store = await RedisStore.open(RedisAddress(url=place))
    else:
        store = await SqliteStore.open(Path(place))
    story = await Story.resumed(store)
    story.body_bytes = BODY_BYTES
    if file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    print("ready", flush=True)
    while True:
        commit = story.bulletins(group, name=story.time)
        try:
            await store.commit(commit)
        except Unavailable:  # the server went away, and nothing was written: the same again
            await store.commit(commit)
        print("committed", commit.head.size, flush=True)
        await store.put_note("evidence", commit.head.size, b"note of %d" % commit.head.size)
        print("signed", commit.head.size, flush=True)


if __name__ == "__main__":
    limit = int(sys.argv[3]) if len(sys.argv) > 3 else None
    try:
        asyncio.run(commit_without_end(sys.argv[1], int(sys.argv[2]), limit))
    except SaphanError as error:
        print("failed", error.code, flush=True)
