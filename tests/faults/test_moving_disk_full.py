"""A disk that fills up while a broker is backed up or put back: nothing half is left there."""

from __future__ import annotations

import asyncio
import errno
import resource
import subprocess
from pathlib import Path

import pytest
from saphan_broker.moving.kept import UNFINISHED
from saphan_broker.store.sqlite import SqliteStore
from saphan_broker.store.sqlite_file import LOCK_NAME
from support.broker_command import BrokerRan, broker_line, saphan_broker_here
from support.brokers import World
from support.command import environment

FULL = 200_000
"""Bytes of the longest file; the store of the test is longer."""


@pytest.fixture
def world(carried_world: World) -> World:
    """It is only read."""
    return carried_world


def without_room(*words: str | Path) -> BrokerRan:
    """The command, unable to write any file beyond `FULL` bytes: what a full disk refuses."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (FULL, FULL))

    ended = subprocess.run(
        broker_line(*words),
        capture_output=True,
        text=True,
        env=environment(PYTHONDONTWRITEBYTECODE="1"),
        preexec_fn=limit,
        check=False,
    )
    return BrokerRan(ended.returncode, ended.stdout, ended.stderr)


def test_a_disk_that_fills_up_leaves_nothing_half_and_room_lets_it_go_on(
    world: World, tmp_path: Path
) -> None:
    kept, new = tmp_path / "kept", tmp_path / "new"
    assert (world.data / "broker.db").stat().st_size > FULL
    backup = ("backup", "--data", world.data, "--out", kept)
    assert without_room(*backup).code == "file_unwritable"
    assert [path.name for path in kept.iterdir()] == [UNFINISHED]
    saphan_broker_here(*backup)
    restore = ("restore", "--from", kept, "--data", new, "--keys", world.keys)
    assert without_room(*restore).code == "file_unwritable"
    assert [path.name for path in new.iterdir()] == [LOCK_NAME]
    saphan_broker_here(*restore)
    assert (new / "broker.db").exists()


def test_a_store_that_cannot_be_made_is_said_in_words(tmp_path: Path) -> None:
    """What `backup` of a server and `copy --to sqlite` do first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FULL // 40, hard))
    try:
        with pytest.raises(OSError, match="SQLite says") as refused:
            asyncio.run(SqliteStore.create(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert refused.value.errno == errno.EIO  # a limit, not a full disk
    assert refused.value.filename == str(tmp_path / "broker.db")
    asyncio.run(made(tmp_path))


async def made(place: Path) -> None:
    await (await SqliteStore.create(place)).close()
