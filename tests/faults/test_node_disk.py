"""A node whose disk fails at a write, in both ways: nothing kept, or kept and reported failed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from saphan.node.rows.db import Database
from saphan_schemas.errors import OperatorError
from support.bridge import KH, LA, Bridge, agreed, eventually, states, wish

LATER = 1_000
"""More writes than any test makes fail."""


class Disk:
    """Fails the writes whose numbers are given; counts all of them."""

    def __init__(self, folder: str, failing: range, *, kept: bool) -> None:
        self.folder = folder
        self.failing = failing
        self.kept = kept
        self.writes = 0

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        disk, whole, opened = self, Database.transaction, Database.__init__
        places: dict[int, Path] = {}

        def remember(db: Database, folder: Path) -> None:
            opened(db, folder)
            places[id(db)] = folder

        @contextmanager
        def transaction(db: Database) -> Iterator[sqlite3.Connection]:
            ours = disk.folder in str(places[id(db)])
            disk.writes += ours
            fails = ours and disk.writes in disk.failing
            with whole(db) as tx:
                yield tx
                if fails and not disk.kept:
                    raise _full()
            if fails:
                raise _full()

        monkeypatch.setattr(Database, "__init__", remember)
        monkeypatch.setattr(Database, "transaction", transaction)


def _full() -> OperatorError:
    return OperatorError("disk_full", "there is no room left")


@pytest.mark.parametrize("kept", [False, True], ids=["not_kept", "kept_but_reported_failed"])
@pytest.mark.parametrize("first", [1, 2, 3])
async def test_a_recipient_whose_disk_fails_goes_on_where_it_was(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, first: int, kept: bool
) -> None:
    """Two writes fail, then there is room again: each bulletin is there, and once."""
    disk = Disk(f"/{KH}/", range(first, first + 2), kept=kept)
    disk.install(monkeypatch)
    async with bridge.broker_running():
        await bridge.enrol()
        disk.writes = LATER
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            disk.writes = 0  # a start that finds no room is no start
            sent = [await la.send(wish()) for _ in range(3)]
            await eventually(lambda: all(states(la, one) == ["accepted"] for one in sent), 40)
            assert disk.writes >= first
            await eventually(lambda: len(kh.bulletins.inbox(0, 9)) == 3)
            assert kh.db.rows("SELECT 1 FROM statements WHERE state = 'refused'") == []
        # What was replayed is on disk too: the next start begins with all of it.
        async with bridge.node(KH) as kh:
            assert kh.logs.directory.size == la.logs.directory.size
            assert sorted(row["id"] for row in kh.bulletins.inbox(0, 9)) == sorted(
                one.hex() for one in sent
            )
