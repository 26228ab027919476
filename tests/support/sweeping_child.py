"""A process that destroys, cleanses and forgets what is due in a store, until its parent kills it.

Argument: the store's directory. It says after each commit how many deliveries are destroyed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from saphan_broker.store.sqlite import SqliteStore

from support.aging_commits import destruction
from support.store_commits import Story

DAY = 40_000
"""Everything is due by then; records are older than that, too."""
GROUP = 16


async def sweep(place: Path) -> None:
    store = await SqliteStore.open(place)
    story = await Story.resumed(store)
    print("ready", flush=True)
    done = 0
    while rows := await store.destroyable(DAY, GROUP):
        commit, _after = destruction(story, rows)
        await store.commit(commit)
        done += len(rows)
        print("destroyed", done, flush=True)
        await store.cleanse()
    while not await store.cleanse():
        print("cleansing", flush=True)
    while await store.forget(DAY, GROUP):
        print("forgot", flush=True)
    print("ended", flush=True)
    await store.close()


if __name__ == "__main__":
    asyncio.run(sweep(Path(sys.argv[1])))
