"""Each system call by which the SQLite store reaches the disk fails once, or is the last one.

A real process commits under strace. Oracle: what it reported is there after reopening, nothing is
there in part, and what it says of a failure is one of the store's codes.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from saphan_broker.store.sqlite import SqliteStore
from saphan_broker.store.sqlite_file import LOCK_NAME, STORE_NAME
from support import traced
from support.store_commits import Story
from support.traced import CALLS, PATIENCE_S, Fault, Ran, need_strace, said
from support.whole_store import check_whole

GROUP, COMMITS = 3, 2
CHILD: Final = "support.few_commits_child"
CODES: Final = {
    "commit_unknown": "the fate of a write is not known; the next one who opens it looks",
    "disk_full": "refused whole",
    "store_unreadable": "it cannot be opened now",
    "store_missing": "nothing got its name",
    "EIO": "before there is a store: lock and first file; the program says it in its own words",
    "ENOSPC": "the same",
}

pytestmark = pytest.mark.timeout(PATIENCE_S)


def files_of(place: Path) -> list[Path]:
    """Whatever the engine touches; the directory itself is synced, too."""
    sqlite = [
        f"{name}{end}"
        for name in (STORE_NAME, f"{STORE_NAME}.new")
        for end in ("", "-wal", "-shm", "-journal")
    ]
    return [place, place / LOCK_NAME, *(place / name for name in sqlite)]


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with some bulletins; each child gets a copy."""
    need_strace()
    place = tmp_path_factory.mktemp("stock") / "data"

    async def make() -> None:
        store = await SqliteStore.create(place)
        await store.commit(Story(body_bytes=9 * 1024).bulletins(GROUP), lambda: b"note of 3")
        await store.close()

    asyncio.run(make())
    return place


def words(data: Path, source: Path | None) -> list[str]:
    return [str(data), str(GROUP), str(0 if source is None else COMMITS)]


def begin(data: Path, source: Path | None) -> Path:
    if source is not None:
        shutil.copytree(source, data)
    return data


def hit(place: Path, call: str, source: Path | None, which: tuple[int, Fault]) -> Ran:
    """One child, and the oracle over what it left."""
    at, fault = which
    data = begin(place / f"{call}-{at}-{fault}", source)
    ran = traced.run(CHILD, words(data, source), files_of(data), call, fault, at)
    try:
        judge_words(ran)
        asyncio.run(judge_store(data, ran))
    except BaseException as error:
        error.add_note(f"{call} number {at}: {fault}; said {ran.said}, {ran.noise[-2000:]}")
        raise
    shutil.rmtree(data)
    return ran


def judge_words(ran: Ran) -> None:
    assert "Traceback" not in ran.noise
    if ran.status == -signal.SIGKILL:
        return
    assert ran.status == 0
    last = ran.said[-1].split()
    assert last[0] == "done" or (last[0] == "failed" and last[1] in CODES)
    if not ran.hit:
        assert last == ["done"]


async def judge_store(data: Path, ran: Ran) -> None:
    if (data / STORE_NAME).exists():
        store = await SqliteStore.open(data)
    else:  # what is left behind is in nobody's way
        assert "ready" not in ran.said
        store = await SqliteStore.create(data)
    head = await check_whole(store, GROUP)
    assert head.size >= max(ran.sizes("committed"), default=0)
    note = await store.note("evidence")
    assert (note.size if note else 0) >= max(ran.sizes("signed"), default=0)
    assert note is None or note.note == b"note of %d" % note.size
    later = (await Story.resumed(store)).bulletins(GROUP, name="later")
    await store.commit(later, lambda: b"later")
    assert await check_whole(store, GROUP) == later.head
    await store.close()


def sweep(place: Path, call: str, source: Path | None) -> list[Ran]:
    def count() -> int:
        data = begin(place / "counted", source)
        return traced.count(CHILD, words(data, source), files_of(data), call)

    return traced.sweep(count, partial(hit, place, call, source))


@pytest.mark.parametrize("call", CALLS)
def test_a_commit_under_which_a_call_fails_is_whole_or_not_there(
    call: str, stock: Path, tmp_path: Path
) -> None:
    found = sweep(tmp_path, call, stock)
    print(f"{call}: {len(found)} times hit; " + said(found))
    assert found or call in ("write", "rename", "fsync"), "no commit uses it any more"


@pytest.mark.parametrize("call", CALLS)
def test_a_store_under_whose_making_a_call_fails_is_there_whole_or_not_at_all(
    call: str, tmp_path: Path
) -> None:
    need_strace()
    found = sweep(tmp_path, call, None)
    print(f"{call}: {len(found)} times hit; " + said(found))
    assert found or call == "write", "no store is made with it any more"
