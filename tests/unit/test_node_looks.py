"""What a node looks for again and again: from what waits on, never through all that it has."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from saphan.node.resting import SHARE, rest
from saphan.node.rows.db import Database
from saphan.node.subjects import indexing
from saphan.node.telling import recalls


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("query", "first"),
    [
        (indexing._WAITS, {"unindexed"}),
        (recalls._WATCHED, {"recall_orders", "recalled"}),
    ],
    ids=["index of references", "unanswered recalls"],
)
def test_a_look_begins_with_the_few_that_wait(db: Database, query: str, first: set[str]) -> None:
    steps = [str(row[3]).split() for row in db.rows(f"EXPLAIN QUERY PLAN {query}")]
    assert {step[1] for step in steps if step[0] == "SCAN"} == first


async def test_work_that_nobody_waits_for_rests_four_times_as_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    now = asyncio.get_running_loop().time()
    await rest(now - 10, 0.1)
    await rest(now + 10, 0.1)  # took nothing
    assert slept[0] >= 10 * (SHARE - 1)
    assert slept[1] == 0.1
