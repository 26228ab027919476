"""The SQLite store after kills, on full disks, in the wrong hands: whole, or a clear refusal."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from importlib import resources
from pathlib import Path

import pytest
from saphan_broker.store import sqlite_wal
from saphan_broker.store.base import FORMAT, Commit, CommitUnknown, LogHead
from saphan_broker.store.sqlite import SqliteStore
from saphan_broker.store.sqlite_file import APPLICATION_ID, STORE_NAME
from saphan_broker.store.sqlite_read import FACT_NAMES
from saphan_broker.store.sqlite_reader import SqliteReader
from saphan_protocol.merkle import EMPTY_ROOT
from saphan_schemas.errors import OperatorError
from saphan_schemas.records import Blob
from support import whole_store
from support.rooms import ROOT
from support.store_commits import Story

GROUP = 7


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
async def store(data: Path) -> AsyncIterator[SqliteStore]:
    made = await SqliteStore.create(data)
    yield made
    await made.close()


async def make_empty(data: Path) -> None:
    await (await SqliteStore.create(data)).close()


async def check_whole(store: SqliteStore) -> LogHead:
    return await whole_store.check_whole(store, GROUP)


def start_child(data: Path, *limits: int) -> subprocess.Popen[str]:
    arguments = [str(data), str(GROUP), *map(str, limits)]
    return subprocess.Popen(
        [sys.executable, "-m", "support.committing_child", *arguments],
        cwd=ROOT / "tests",
        stdout=subprocess.PIPE,
        text=True,
    )


# --- kills ---------------------------------------------------------------------------------------


async def test_a_killed_broker_keeps_every_commit_that_returned_and_none_in_part(
    data: Path,
) -> None:
    """Five lives on one store, each ended by SIGKILL while it commits."""
    await make_empty(data)
    for life in range(5):
        child = start_child(data)
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(1 + 5 * life + life % 2)]
        child.kill()  # somewhere inside what follows the line just read
        said += child.stdout.readlines()
        assert child.wait() == -signal.SIGKILL
        child.stdout.close()
        sizes = {
            word: [int(line.split()[1]) for line in said if line.startswith(word)]
            for word in ("committed", "signed")
        }
        store = await SqliteStore.open(data)
        head = await check_whole(store)
        assert head.size >= max(sizes["committed"], default=0)
        note = await store.note("evidence")
        assert (note.size if note else 0) >= max(sizes["signed"], default=0)
        await store.close()


# --- full disks ----------------------------------------------------------------------------------


async def test_a_full_disk_refuses_a_commit_whole_and_the_store_goes_on(
    store: SqliteStore, data: Path
) -> None:
    story = Story(body_bytes=9000)
    await store.commit(story.bulletins(GROUP))
    before = await check_whole(store)
    (pages,) = store._writer.connection.execute("PRAGMA page_count").fetchone()
    store._writer.connection.execute(f"PRAGMA max_page_count={pages + 4}")

    big = Story(body_bytes=9000)
    big.bulletins(GROUP)
    with pytest.raises(OperatorError) as refused:
        await store.commit(big.bulletins(10 * GROUP, name="too much"))
    assert refused.value.code == "disk_full"
    assert refused.value.hint
    assert await check_whole(store) == before
    await store.put_note("evidence", GROUP, b"note")  # what fits still goes through

    store._writer.connection.execute(f"PRAGMA max_page_count={pages + 1000}")
    await store.commit(story.bulletins(GROUP, name="later"))
    await store.close()
    again = await SqliteStore.open(data)
    assert (await check_whole(again)).size == 2 * GROUP
    await again.close()


async def test_a_write_that_fails_below_sqlite_is_unknown_and_reopening_tells(
    data: Path,
) -> None:
    """The kernel refuses a write into the WAL: the process must not guess, the next one reads."""
    await make_empty(data)
    child = start_child(data, 600 * 1024)
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    lines = out.splitlines()
    assert lines[-1] == "failed commit_unknown"
    sizes = [int(line.split()[1]) for line in lines if line.startswith("committed")]
    assert sizes
    store = await SqliteStore.open(data)
    head = await check_whole(store)
    assert head.size in (sizes[-1], sizes[-1] + GROUP)
    await store.commit((await Story.resumed(store)).bulletins(GROUP, name="later"))
    await check_whole(store)
    await store.close()


async def test_after_an_unknown_write_the_object_is_dead_until_reopened(
    store: SqliteStore, data: Path
) -> None:
    story = Story()
    await store.commit(story.bulletins(GROUP))
    store._writer.connection.execute("DROP TABLE entry")  # an error SQLite has no business to give
    with pytest.raises(CommitUnknown) as unknown:
        await store.commit(story.bulletins(GROUP, name=1))
    assert unknown.value.code == "commit_unknown"
    for attempt in (store.state("evidence"), store.put_note("evidence", 1, b"note")):
        with pytest.raises(CommitUnknown):
            await attempt
    await store.close()


# --- wrong hands ---------------------------------------------------------------------------------


def write_files(directory: Path, *names: str) -> None:
    directory.mkdir(exist_ok=True)
    for name in names:
        (directory / name).write_bytes(b"not a database at all " * 100)


def files_in(directory: Path) -> dict[str, os.stat_result]:
    return {path.name: path.stat() for path in directory.iterdir()}


async def refusal(data: Path) -> OperatorError:
    with pytest.raises(OperatorError) as refused:
        await SqliteStore.open(data)
    assert refused.value.hint
    return refused.value


async def test_two_processes_cannot_open_one_store(store: SqliteStore, data: Path) -> None:
    child = start_child(data)
    out, _ = child.communicate(timeout=60)
    assert out == "failed store_locked\n"
    assert (await refusal(data)).code == "store_locked"
    await store.close()
    await (await SqliteStore.open(data)).close()


async def test_a_store_of_a_newer_format_is_refused_untouched(data: Path) -> None:
    await make_empty(data)
    with sqlite3.connect(data / STORE_NAME) as newer:
        newer.execute(f"PRAGMA user_version={FORMAT + 1}")
    newer.close()
    before = (data / STORE_NAME).read_bytes()
    error = await refusal(data)
    assert error.code == "store_format_newer"
    assert str(FORMAT + 1) in error.message
    assert (data / STORE_NAME).read_bytes() == before


async def test_another_programs_database_is_refused(data: Path) -> None:
    write_files(data)
    other = sqlite3.connect(data / STORE_NAME)
    other.execute("CREATE TABLE theirs (x)")
    other.commit()
    other.close()
    assert (await refusal(data)).code == "store_foreign"
    write_files(data, STORE_NAME)
    assert (await refusal(data)).code == "store_unreadable"


async def test_opening_never_creates_and_creating_never_overwrites(data: Path) -> None:
    assert (await refusal(data)).code == "store_missing"
    write_files(data)
    assert (await refusal(data)).code == "store_missing"
    assert not (data / STORE_NAME).exists()
    await make_empty(data)
    with pytest.raises(OperatorError) as refused:
        await SqliteStore.create(data)
    assert refused.value.code == "store_exists"
    await (await SqliteStore.open(data)).close()


async def test_what_a_crash_in_create_left_is_not_a_store(data: Path) -> None:
    write_files(data, *(f"{STORE_NAME}{suffix}" for suffix in (".new", ".new-wal", ".new-journal")))
    assert (await refusal(data)).code == "store_missing"
    await make_empty(data)
    assert files_in(data).keys() == {STORE_NAME, "broker.lock"}


async def test_the_files_are_their_owners_only(store: SqliteStore, data: Path) -> None:
    await store.commit(Story().bulletins(GROUP))
    found = files_in(data)
    assert f"{STORE_NAME}-wal" in found
    assert {name: oct(info.st_mode & 0o077) for name, info in found.items()} == dict.fromkeys(
        found, "0o0"
    )


@pytest.mark.parametrize("number", [1, 16, 64])
async def test_what_a_commit_adds_to_the_wal_is_known_well_enough(
    store: SqliteStore, data: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """By it the next move is timed. A commit of one entry writes whole pages as one of many does: a
    trickle once made a WAL so long that its disk had no room for attachments."""
    monkeypatch.setattr("saphan_broker.store.sqlite.CHECKPOINT_BYTES", 2**40)
    story = Story(body_bytes=9000)
    guessed = 0
    for turn in range(40):
        commit = story.bulletins(number, name=turn)
        await store.commit(commit, lambda: b"note" * 100)
        guessed += sqlite_wal.size(commit)
    written = files_in(data)[f"{STORE_NAME}-wal"].st_size
    assert written / 2 < guessed < written * 2


async def test_a_long_wal_is_moved_into_the_file(
    store: SqliteStore, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without autocheckpoint something must keep the WAL short: the writer, beyond the limit."""
    monkeypatch.setattr("saphan_broker.store.sqlite.CHECKPOINT_BYTES", 200_000)
    monkeypatch.setattr("saphan_broker.store.sqlite.WAL_LIMIT_BYTES", 1_000_000)
    story = Story(body_bytes=9000)
    for turn in range(60):
        commit = story.bulletins(GROUP, name=turn)
        await store.commit(commit)
        await store.put_note("evidence", commit.head.size, b"note")
    await check_whole(store)
    found = files_in(data)
    assert found[f"{STORE_NAME}-wal"].st_size < 14_000_000  # of 27 MB that were written
    assert found[STORE_NAME].st_size > 3_000_000


# --- formats -------------------------------------------------------------------------------------


def make_format_1(data: Path, commit: Commit) -> None:
    """A store as the first release's program left it, with one bulletin."""
    data.mkdir()
    script = resources.files("saphan_broker.store").joinpath("sql/0001.sql")
    row = commit.bulletins[0]
    facts = [getattr(row, name) for name in FACT_NAMES[:-1]]
    with closing(sqlite3.connect(data / STORE_NAME, isolation_level=None)) as db:
        db.executescript(script.read_text(encoding="utf-8"))
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.execute("PRAGMA user_version=1")
        db.executemany(
            "INSERT INTO log (log, size, root, time) VALUES (?, 0, ?, 0)",
            [(0, EMPTY_ROOT), (1, EMPTY_ROOT)],
        )
        db.execute("INSERT INTO bulletin VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)", facts)


async def test_a_store_of_the_first_format_is_brought_up_to_date(data: Path) -> None:
    commit = Story().bulletins(1)
    await asyncio.to_thread(make_format_1, data, commit)
    id_ = commit.bulletins[0].id
    with pytest.raises(OperatorError) as refused:
        await SqliteReader.open(data)
    assert refused.value.code == "store_format_older"
    for _ in range(2):
        store = await SqliteStore.open(data)
        assert (await store.bulletins([id_]))[id_].attachments == ()
        await store.close()
    story = Story(attachments=(Blob(5000, id_),), corridors={})
    store = await SqliteStore.open(data)
    later = story.bulletins(1, name="later")
    await store.commit(later)
    row = later.bulletins[0]
    assert (await store.bulletins([row.id]))[row.id].attachments == row.attachments
    await store.close()
    reader = await SqliteReader.open(data)
    assert (await reader.bulletins([row.id]))[row.id].attachments == row.attachments
    await reader.close()
