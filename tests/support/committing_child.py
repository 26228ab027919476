"""A process that commits without end, saying what has returned; killed or starved by its parent.

Arguments: the store's directory, bulletins a commit, and optionally a limit on file sizes in bytes.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path

from saphan_broker.store.sqlite import SqliteStore
from saphan_schemas.errors import SaphanError

from support.store_commits import Story

BODY_BYTES = 9 * 1024


async def commit_without_end(directory: Path, group: int, file_limit: int | None) -> None:
    store = await SqliteStore.open(directory)
    story = await Story.resumed(store)
    story.body_bytes = BODY_BYTES
    if file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    print("ready", flush=True)
    while True:
        commit = story.bulletins(group, name=story.time)
        await store.commit(commit)
        print("committed", commit.head.size, flush=True)
        await store.put_note("evidence", commit.head.size, b"note of %d" % commit.head.size)
        print("signed", commit.head.size, flush=True)


if __name__ == "__main__":
    limit = int(sys.argv[3]) if len(sys.argv) > 3 else None
    try:
        asyncio.run(commit_without_end(Path(sys.argv[1]), int(sys.argv[2]), limit))
    except SaphanError as error:
        print("failed", error.code, flush=True)
