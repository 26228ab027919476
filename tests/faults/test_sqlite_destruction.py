"""What the SQLite store destroys is in none of its files, whatever interrupts it."""

from __future__ import annotations

import asyncio
import random
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from importlib import resources
from pathlib import Path

import pytest
from msgspec.structs import replace
from saphan_broker.store import sqlite_file
from saphan_broker.store.base import Commit, DeliveryRow
from saphan_broker.store.sqlite import SqliteStore
from saphan_broker.store.sqlite_file import APPLICATION_ID, STORE_NAME
from saphan_broker.store.sqlite_read import FACT_NAMES
from saphan_protocol.merkle import EMPTY_ROOT
from saphan_schemas.errors import OperatorError
from support.aging_commits import destruction, hold, keys, settled, wrapped_anew
from support.rooms import ROOT
from support.store_commits import Story, digest
from support.sweeping_child import DAY

SECRET, KEPT = digest("what is destroyed")[:24], digest("what is kept")[:24]
"""Ciphertexts repeat one of them: every 48 bytes of such a ciphertext hold it whole."""
SIZES = (40, 900, 2_500, 8_000, 16_300, 40_000)
ORDER = digest("order")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def bodied(commit: Commit, marked: Iterable[bytes], seed: int) -> Commit:
    """The same bulletins with ciphertexts of many sizes, of the one mark or the other."""
    sizes, secret = random.Random(seed), set(marked)
    rows = []
    for row in commit.bulletins:
        mark = SECRET if row.id in secret else KEPT
        body = (mark * 2000)[: sizes.choice(SIZES)]
        rows.append(replace(row, ciphertext=body, ciphertext_length=len(body)))
    return replace(commit, bulletins=rows)


async def filled(store: SqliteStore, story: Story, groups: int) -> list[DeliveryRow]:
    """Bulletins of three days, mixed, with their outcome; those to be destroyed come back."""
    chosen, doomed = random.Random(7), []
    for group in range(groups):
        story.due_day = 30_000 + group % 3
        commit = story.bulletins(12, name=group)
        some = chosen.sample(commit.bulletins, 7)
        await store.commit(bodied(commit, [row.id for row in some], group))
        ended, rows = settled(story, commit.deliveries)
        await store.commit(ended)
        ids = {row.id for row in some}
        doomed += [row for row in rows if row.bulletin in ids]
    return doomed


def traces(data: Path, mark: bytes) -> dict[str, int]:
    """How often a mark is in each file, free pages and all."""
    found = {path.name: path.read_bytes().count(mark) for path in data.iterdir()}
    return {name: number for name, number in found.items() if number}


async def cleanse(store: SqliteStore) -> None:
    while not await store.cleanse():
        pass


async def destroy(store: SqliteStore, story: Story, rows: list[DeliveryRow]) -> None:
    for start in range(0, len(rows), 20):
        gone, _after = destruction(story, rows[start : start + 20])
        await store.commit(gone)


async def test_nothing_of_what_is_destroyed_is_in_any_file(data: Path) -> None:
    store, story = await SqliteStore.create(data), Story()
    doomed = await filled(store, story, 30)
    random.Random(3).shuffle(doomed)
    assert traces(data, SECRET)
    await destroy(store, story, doomed)
    assert traces(data, SECRET)  # the WAL has it still, and cleansing is what removes it
    await cleanse(store)
    assert traces(data, SECRET) == {}
    assert traces(data, KEPT).keys() == {STORE_NAME}
    left = await store.destroyable(DAY, 1000)
    assert len(left) == 30 * 5
    bodies = await store.bodies([row.bulletin for row in left])
    assert all(row.ciphertext.startswith(KEPT) for row in bodies.values())
    await store.close()


async def test_what_was_held_for_a_while_leaves_nothing_on_either_day(data: Path) -> None:
    store, story = await SqliteStore.create(data), Story()
    doomed = await filled(store, story, 12)
    held, kept = hold(story, doomed[::2], ORDER)
    await store.commit(held)
    while stanzas := await store.stanzas_due(30_100, 16):
        await store.commit(wrapped_anew(story, stanzas, 30_100))
    await destroy(store, story, doomed[1::2])
    await cleanse(store)
    ids = [row.bulletin for row in kept]
    assert {row.ciphertext[:24] for row in (await store.bodies(ids)).values()} == {SECRET}
    freed = [replace(row, holds=0) for row in kept]
    ended, _rows = settled(story, freed)
    released = [replace(row, released=row.held) for row in held.holds]
    await store.commit(replace(ended, deliveries=freed, holds=released))
    await destroy(store, story, freed)
    await cleanse(store)
    assert traces(data, SECRET) == {}
    await store.close()


async def test_a_day_without_ciphertexts_has_no_table_and_its_pages_are_used_again(
    data: Path,
) -> None:
    store, story = await SqliteStore.create(data), Story(body_bytes=9000)
    sizes = []
    for turn in range(4):
        story.due_day = 30_000 + turn
        commit = story.bulletins(300, name=turn)
        await store.commit(commit)
        ended, rows = settled(story, commit.deliveries)
        await store.commit(ended)
        await destroy(store, story, rows)
        await cleanse(store)
        sizes.append((data / STORE_NAME).stat().st_size)
    await store.close()
    assert sizes[-1] < 1.5 * sizes[0]
    with closing(sqlite3.connect(data / STORE_NAME)) as db:
        query = "SELECT name FROM sqlite_schema WHERE name LIKE 'body\\_3%' ESCAPE '\\'"
        assert db.execute(query).fetchall() == []
        assert db.execute("SELECT count(*) FROM body_day").fetchone() == (0,)


async def test_forgetting_keeps_the_wal_short(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saphan_broker.store.sqlite.CHECKPOINT_BYTES", 200_000)
    monkeypatch.setattr("saphan_broker.store.sqlite.WAL_LIMIT_BYTES", 1_000_000)
    store, story = await SqliteStore.create(data), Story(body_bytes=300)
    for turn in range(6):
        commit = story.bulletins(100, name=turn)
        await store.commit(commit)
        ended, rows = settled(story, commit.deliveries)
        await store.commit(ended)
        await destroy(store, story, rows)
    await cleanse(store)
    longest = 0
    while await store.forget(DAY, 8):
        longest = max(longest, (data / f"{STORE_NAME}-wal").stat().st_size)
    assert longest < 8_000_000  # of 40 MB that were written
    await store.close()


async def test_who_still_reads_an_older_state_only_delays_the_cleansing(data: Path) -> None:
    store, story = await SqliteStore.create(data), Story()
    doomed = await filled(store, story, 3)
    with closing(sqlite3.connect(data / STORE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM leaf").fetchone()
        await destroy(store, story, doomed)
        assert not await store.cleanse()
        later = story.bulletins(2, name="later")
        await store.commit(later)  # nobody waits for the reader
        assert traces(data, SECRET)
        other.execute("COMMIT")
    await cleanse(store)
    assert traces(data, SECRET) == {}
    await store.close()


# --- full disks ----------------------------------------------------------------------------------


async def test_a_full_disk_destroys_nothing_in_part_and_the_sweep_goes_on(data: Path) -> None:
    store, story = await SqliteStore.create(data), Story(body_bytes=300)
    commit = story.bulletins(200)
    await store.commit(commit)
    ended, rows = settled(story, commit.deliveries)
    await store.commit(ended)
    head = await store.state("evidence")
    (pages,) = store._writer.connection.execute("PRAGMA page_count").fetchone()
    store._writer.connection.execute(f"PRAGMA max_page_count={pages}")
    gone, after = destruction(story, rows)
    with pytest.raises(OperatorError) as refused:
        await store.commit(gone)
    assert refused.value.code == "disk_full"
    assert await store.state("evidence") == head
    assert await store.destroyable(DAY, 1000) == rows
    assert len(await store.stanzas(keys(rows))) == len(rows)
    assert all(row.ciphertext for row in (await store.bodies(gone.bodiless)).values())
    store._writer.connection.execute(f"PRAGMA max_page_count={pages + 1000}")
    await store.commit(gone)
    assert await store.deliveries(keys(rows)) == dict(zip(keys(rows), after, strict=True))
    await store.close()


async def test_a_disk_that_takes_no_more_delays_the_cleansing(data: Path) -> None:
    store, story = await SqliteStore.create(data), Story()
    doomed = await filled(store, story, 6)
    await destroy(store, story, doomed)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((data / STORE_NAME).stat().st_size, hard))
    try:
        assert not await store.cleanse()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert traces(data, SECRET)
    await cleanse(store)
    assert traces(data, SECRET) == {}
    assert (await store.state("evidence")).head.size == story.tree.size
    await store.close()


# --- kills ---------------------------------------------------------------------------------------


async def check_agreement(data: Path, rows: list[DeliveryRow]) -> int:
    """Every delivery is destroyed with all that belongs to it or not at all; how many are."""
    store = await SqliteStore.open(data)
    size = (await store.state("evidence")).head.size
    said = {row.bulletin: row.index for row in await store.entries(0, size) if row.number > 0}
    found = await store.deliveries(keys(rows))
    bodies = await store.bodies([row.bulletin for row in rows])
    stanzas = await store.stanzas(keys(rows))
    for key, row in found.items():
        gone = row.destroyed is not None
        assert gone == (key not in stanzas) == (not bodies[row.bulletin].ciphertext)
        assert not gone or said.get(row.bulletin, row.destroyed) == row.destroyed
    await store.close()
    return sum(row.destroyed is not None for row in found.values())


@pytest.mark.parametrize("after", [1, 3, 9, 17, 30])
async def test_a_sweep_that_is_killed_goes_on_where_it_was(data: Path, after: int) -> None:
    store, story = await SqliteStore.create(data), Story(body_bytes=9000)
    rows = []
    for turn in range(4):
        story.due_day = 30_000 + turn
        commit = story.bulletins(60, name=turn)
        await store.commit(commit)
        ended, settled_rows = settled(story, commit.deliveries)
        await store.commit(ended)
        rows += settled_rows
    await store.close()
    said = await asyncio.to_thread(run_child, data, after)
    done = await check_agreement(data, rows)
    assert done >= max([int(line.split()[1]) for line in said if line[:9] == "destroyed"])
    await asyncio.to_thread(run_child, data, None)
    store = await SqliteStore.open(data)
    assert await store.first_undestroyed() is None
    assert await store.deliveries(keys(rows)) == {}
    await store.close()


def run_child(data: Path, kill_after: int | None) -> list[str]:
    """Let a child sweep until it has said so many lines, then kill it; None: until its end."""
    arguments = [sys.executable, "-m", "support.sweeping_child", str(data)]
    child = subprocess.Popen(arguments, cwd=ROOT / "tests", stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    lines = []
    for line in child.stdout:
        lines.append(line)
        if kill_after is not None and len(lines) > kill_after:
            child.send_signal(signal.SIGKILL)
            break
    child.stdout.close()
    assert child.wait(60) == (0 if kill_after is None else -signal.SIGKILL)
    return lines


# --- formats -------------------------------------------------------------------------------------


def make_format_2(data: Path, commit: Commit) -> None:
    """A store as the release before left it, with bulletins."""
    data.mkdir()
    folder = resources.files("saphan_broker.store").joinpath("sql")
    with closing(sqlite3.connect(data / STORE_NAME, isolation_level=None)) as db:
        for number in (1, 2):
            script = folder.joinpath(f"{number:04d}.sql")
            db.executescript(script.read_text(encoding="utf-8"))
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.execute("PRAGMA user_version=2")
        db.execute("PRAGMA journal_mode=WAL")
        for number in range(2):
            query = "INSERT INTO log (log, size, root, time) VALUES (?, 0, ?, 0)"
            db.execute(query, (number, EMPTY_ROOT))
        for seq, row in enumerate(commit.bulletins, 1):
            facts = [getattr(row, name) for name in FACT_NAMES[:-1]]
            db.execute(
                "INSERT INTO bulletin VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, x'')", [seq, *facts]
            )
            db.execute("INSERT INTO body VALUES (?, ?, ?)", (seq, row.header, row.ciphertext))
        for seq, one in enumerate(commit.deliveries, 1):
            values = [getattr(one, name) for name in one.__struct_fields__[1:11]]
            marks = ", ".join("?" * (1 + len(values)))
            db.execute(f"INSERT INTO delivery VALUES ({marks})", [seq, *values])  # noqa: S608
            db.execute(
                "INSERT INTO stanza VALUES (?, ?, ?, x'01')", (seq, one.recipient, one.due_day)
            )
        for batch in commit.signatures:
            values = [batch.key, batch.size, batch.root, batch.signature]
            db.execute("INSERT INTO signature VALUES (?, ?, ?, ?)", values)


async def test_a_store_of_format_2_has_what_it_had_and_destroys_it(data: Path) -> None:
    story = Story()
    commit = story.bulletins(150)
    doomed = [row.id for row in commit.bulletins[::2]]
    commit = bodied(commit, doomed, 5)
    rows = [replace(row, deadline=None) for row in commit.deliveries]
    await asyncio.to_thread(make_format_2, data, replace(commit, deliveries=rows))
    store = await SqliteStore.open(data)
    ids = [row.id for row in commit.bulletins]
    assert await store.bodies(ids) == dict(zip(ids, commit.bulletins, strict=True))
    assert await store.deliveries(keys(rows)) == dict(zip(keys(rows), rows, strict=True))
    assert await store.destroyable(DAY, 1000) == rows
    assert await store.first_undestroyed() == 30_000
    story = Story(corridors={})
    await destroy(store, story, rows[::2])
    await cleanse(store)
    assert traces(data, SECRET) == {}
    found = await store.bodies(ids)
    assert [bool(found[id_].ciphertext) for id_ in ids] == [False, True] * 75
    await store.close()


async def test_a_full_disk_leaves_a_store_of_format_2_as_it_was(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = Story(body_bytes=9000).bulletins(150)
    await asyncio.to_thread(make_format_2, data, commit)
    configure = sqlite_file._configure

    def without_room(connection: sqlite3.Connection, read_only: bool) -> None:
        configure(connection, read_only)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages + 20}")

    with monkeypatch.context() as full:
        full.setattr(sqlite_file, "_configure", without_room)
        with pytest.raises(OperatorError) as refused:
            await SqliteStore.open(data)
    assert refused.value.code == "disk_full"
    ids = [row.id for row in commit.bulletins]
    store = await SqliteStore.open(data)
    assert await store.bodies(ids) == dict(zip(ids, commit.bulletins, strict=True))
    await store.close()


async def test_an_upgrade_keeps_little_in_memory_and_does_not_double_the_file(data: Path) -> None:
    commit = Story(body_bytes=40_000).bulletins(1_000)
    await asyncio.to_thread(make_format_2, data, commit)
    before = (data / STORE_NAME).stat().st_size
    most = await asyncio.to_thread(upgrade_apart, data)
    assert most < 34_000_000  # of 40 MB of ciphertexts, and what SQLite caches
    assert (data / STORE_NAME).stat().st_size < 1.2 * before


def upgrade_apart(data: Path) -> int:
    """In a process of its own: by how many bytes its memory has grown."""
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from saphan_broker.store import sqlite_file\n"
        "def most(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = most(); sqlite_file.upgrade(Path(sys.argv[1])); print(most() - before)"
    )
    command = [sys.executable, "-c", script, str(data)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return int(said.stdout) * 1024
