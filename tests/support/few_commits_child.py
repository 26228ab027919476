"""A process that makes a store, or opens it, commits a few times and closes it, saying what has
returned; its parent makes system calls fail under it.

Arguments: the store's directory, bulletins a commit, commits.
"""

from __future__ import annotations

import asyncio
import errno
import sys
from pathlib import Path

from saphan_broker.store.sqlite import SqliteStore
from saphan_broker.store.sqlite_file import STORE_NAME
from saphan_schemas.errors import SaphanError

from support.store_commits import Story


async def work(place: Path, group: int, commits: int) -> None:
    made = (place / STORE_NAME).exists()
    store = await (SqliteStore.open(place) if made else SqliteStore.create(place))
    print("ready", flush=True)
    try:
        story = await Story.resumed(store)
        story.body_bytes = 9 * 1024
        for turn in range(commits):
            commit = story.bulletins(group, name=story.time)
            note = b"note of %d" % commit.head.size
            if turn % 2:
                await store.commit(commit)
                print("committed", commit.head.size, flush=True)
                await store.put_note("evidence", commit.head.size, note)
            else:
                await store.commit(commit, lambda note=note: note)  # type: ignore[misc]
                print("committed", commit.head.size, flush=True)
            print("signed", commit.head.size, flush=True)
    finally:
        await store.close()


if __name__ == "__main__":
    try:
        asyncio.run(work(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
        print("done", flush=True)
    except SaphanError as error:
        print("failed", error.code, flush=True)
    except OSError as error:
        print("failed", errno.errorcode[error.errno or 0], flush=True)
