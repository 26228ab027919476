"""What the newest commits brought is fed from memory exactly as the store would feed it."""

from __future__ import annotations

import itertools

import pytest
from msgspec.structs import replace
from saphan_broker.logs.recent_rows import KEPT_BYTES, RecentRows
from saphan_broker.store.base import Commit
from saphan_broker.store.memory import MemoryStore
from support.store_commits import Story

A, B, C = "la.ospp", "kh.gpo", "th.oncb"
EVERYTHING = (100, 10**9)


def told(groups: int) -> list[Commit]:
    """Bulletins both ways, to oneself and to a third agency; each is handed over and accepted."""
    story = Story(body_bytes=3000)
    commits: list[Commit] = []
    for turn in range(groups):
        pair = ((A, B), (B, A), (A, C), (A, A))[turn % 4]
        made = story.bulletins(1 + turn % 3, *pair, name=turn)
        commits += [made, story.anchor(turn + 1)]
        for delivery in made.deliveries:
            commits.append(story.event(delivery, "handover", "handed_over"))
            commits.append(story.event(delivery, "accepted", "accepted"))
    return commits


@pytest.mark.parametrize("kept", (KEPT_BYTES, 60_000, 20_000))
async def test_rows_are_those_of_the_store_or_the_store_is_asked(kept: int) -> None:
    store, recent = MemoryStore(), RecentRows(kept)
    from_memory = asked = 0
    for commit in told(12):
        await store.commit(commit)
        recent.add(commit)
        size = commit.head.size
        places = (None, *range(0, size, 3), size - 2, size - 1)
        bounds = ((100, 10**9), (2, 10**9), (100, 1), (100, 7000))
        for agency, after, below, bound in itertools.product(
            (A, B, C, "vn.c04"), places, (size, size - 1), bounds
        ):
            rows = recent.feed(agency, after, below, *bound)
            if rows is None:
                asked += 1
                continue
            from_memory += 1
            expected = await store.feed(agency, after, below, *bound)
            # A row whose stanza is too old ends the answer early; the store is asked for it next.
            assert rows == expected[: len(rows)]
            assert rows or not expected
            if kept == KEPT_BYTES:
                assert rows == expected
    assert from_memory
    assert bool(asked) == (kept != KEPT_BYTES)


def test_memory_is_bounded_and_given_back() -> None:
    recent = RecentRows(20_000)
    story = Story(body_bytes=3000)
    for turn in range(50):
        recent.add(story.bulletins(2, name=turn))
        assert recent.bytes <= 20_000
    rows = recent.feed(B, story.head.size - 3, story.head.size, *EVERYTHING)
    assert rows is not None
    assert len(rows) == 2
    assert recent.feed(B, 0, story.head.size, *EVERYTHING) is None
    recent.add(story.bulletins(100, name="one that is larger than all there may be"))
    assert recent.bytes == 0
    assert recent.feed(B, story.head.size - 2, story.head.size, *EVERYTHING) is None


async def test_a_stanza_that_was_replaced_is_not_fed() -> None:
    recent, store = RecentRows(), MemoryStore()
    story = Story()
    first = story.bulletins(1)
    delivery, stanza = first.deliveries[0], first.stanzas[0]
    newer = replace(stanza, sealed=b"newer" * 200)
    again = replace(story.event(delivery, "consigned", "submitted"), stanzas=[newer])
    for commit in (first, again, story.event(delivery, "handover", "handed_over")):
        await store.commit(commit)
        recent.add(commit)
    rows = recent.feed(B, 1, 3, *EVERYTHING)
    assert rows == await store.feed(B, 1, 3, *EVERYTHING)
    assert rows is not None
    assert rows[0].stanza == newer


def test_after_a_gap_or_a_new_start_the_store_is_asked() -> None:
    recent, story = RecentRows(), Story()
    assert recent.feed(A, None, 10, *EVERYTHING) is None
    recent.add(story.bulletins(1))
    assert recent.feed(A, None, 1, *EVERYTHING)
    story.bulletins(1, name="never seen here")
    recent.add(story.bulletins(1, name="after it"))
    assert recent.feed(A, 0, 3, *EVERYTHING) is None
    assert recent.feed(A, 1, 3, *EVERYTHING)
    recent.clear()
    assert recent.feed(A, 1, 3, *EVERYTHING) is None
    assert recent.bytes == 0
