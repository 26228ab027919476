"""One suite for every engine of the broker's store: logs and signed heads (design section 9)."""

from __future__ import annotations

import threading

import pytest
from msgspec.structs import replace
from saphan_broker.store.base import (
    AnchorRow,
    CosignatureRow,
    HeadMoved,
    LogHead,
    LogState,
    SignedHead,
    Store,
)
from saphan_protocol.merkle import EMPTY_ROOT
from saphan_protocol.tile_tree import TileTree
from saphan_schemas.errors import Unavailable
from support.store_commits import Story, digest

PAIR = ("la.ospp", "kh.gpo")
PLENTY = {"max_items": 100, "max_bytes": 10**9}


async def test_a_new_store_is_empty(store: Store) -> None:
    for log in ("directory", "evidence"):
        assert await store.state(log) == LogState(LogHead(0, EMPTY_ROOT), 0)
        assert await store.note(log) is None
        assert await store.edge_tiles(log) == {}
        assert await store.leaves(log, 0, 10) == []
        assert await store.cosignatures(log) == []
    assert await store.feed("kh.gpo", None, 100, **PLENTY) == []
    assert await store.anchor(100) is None
    assert await store.due(2**53, 10) == []


# --- logs ----------------------------------------------------------------------------------------


async def test_a_commit_moves_head_leaves_and_tiles_together(store: Store) -> None:
    story = Story()
    commits = [story.bulletins(n, name=n) for n in (1, 3, 300)]
    for commit in commits:
        await store.commit(commit)
        assert await store.state("evidence") == LogState(commit.head, commit.time)
    leaves = [leaf for commit in commits for leaf in commit.leaves]
    assert await store.leaves("evidence", 0, 1000) == leaves
    assert await store.leaves("evidence", 2, 5) == leaves[2:5]
    full = await store.tile("evidence", 0, 0)
    assert full is not None
    assert len(full) == 8192
    assert await store.tile("evidence", 0, 2) is None
    tree = TileTree(304, await store.edge_tiles("evidence"), lambda level, n: full)
    assert tree.root() == story.head.root
    assert (await store.state("directory")).head.size == 0


async def test_of_two_commits_on_one_head_the_second_is_refused_whole(store: Store) -> None:
    await store.commit(Story().bulletins(2, name="winner"))
    loser = Story().bulletins(3, sender="th.oncb", name="loser")
    with pytest.raises(HeadMoved) as refused:
        await store.commit(loser)
    assert refused.value.code == "head_moved"
    assert (await store.state("evidence")).head.size == 2
    assert await store.bulletins([row.id for row in loser.bulletins]) == {}
    assert await store.feed("th.oncb", None, 100, **PLENTY) == []


async def test_the_same_commit_again_is_refused(store: Store) -> None:
    commit = Story().bulletins(2)
    await store.commit(commit)
    with pytest.raises(HeadMoved):
        await store.commit(commit)
    assert (await store.counts()).bulletins == 2


async def test_equal_sizes_with_another_root_are_another_head(store: Store) -> None:
    story, other = Story(), Story()
    await store.commit(story.bulletins(2))
    other.bulletins(2, name="other")
    with pytest.raises(HeadMoved):
        await store.commit(other.bulletins(1))


async def test_illegal_commits_raise_and_leave_nothing(store: Store) -> None:
    story = Story()
    first = story.bulletins(2)
    await store.commit(first)
    good = story.bulletins(2)
    entry = good.entries[0]
    bad = (
        replace(good, time=first.time - 1),
        replace(good, leaves=good.leaves[:1]),
        replace(good, entries=[replace(entry, index=0)]),
        replace(good, entries=list(reversed(good.entries))),
        replace(good, bulletins=first.bulletins),
        replace(good, bulletins=[replace(good.bulletins[0], nonce=first.bulletins[0].nonce)]),
        replace(good, anchors=[AnchorRow(good.head.size, 1, digest(1))]),
        replace(good, packages={2: b"agreement"}),
        replace(good, statements={(digest(0), digest(1), "kh.gpo"): 1}),
    )
    for commit in bad:
        with pytest.raises(RuntimeError):
            await store.commit(commit)
        assert (await store.state("evidence")).head == first.head
        assert (await store.counts()).bulletins == 2
    await store.commit(good)


async def test_a_commit_without_leaves_changes_deliveries_only(store: Store) -> None:
    story = Story()
    commit = story.bulletins(1)
    await store.commit(commit)
    row = replace(commit.deliveries[0], state="unanswered", deadline=None)
    quiet = story.leaves([], deliveries=[row])
    await store.commit(quiet)
    await store.commit(quiet)
    assert await store.deliveries([(row.bulletin, row.recipient)]) == {
        (row.bulletin, row.recipient): row
    }
    assert (await store.state("evidence")).head.size == 1


async def test_both_logs_live_side_by_side(store: Store) -> None:
    directory = Story(log="directory")
    await store.commit(directory.leaves([b"types"]))
    await store.commit(directory.leaves([b"operation", b"agreement"], packages={2: b"package"}))
    await store.commit(Story().anchor(3))
    assert await store.leaves("directory", 0, 9) == [b"types", b"operation", b"agreement"]
    assert await store.packages(0, 3) == {2: b"package"}
    assert await store.packages(0, 2) == {}
    late = directory.leaves([], packages={1: b"found again"})
    await store.commit(late)
    await store.commit(late)
    assert await store.packages(0, 3) == {1: b"found again", 2: b"package"}
    with pytest.raises(RuntimeError):
        await store.commit(directory.leaves([], packages={3: b"beside nothing"}))
    counts = await store.counts()
    assert (counts.directory, counts.evidence) == (3, 1)


async def test_the_newest_anchor_below_an_index(store: Store) -> None:
    story = Story()
    for commit in (story.anchor(1), story.bulletins(2), story.anchor(2)):
        await store.commit(commit)
    first, last = await store.anchors(0, 4)
    assert (first.index, last.index, last.size) == (0, 3, 2)
    assert await store.anchor(0) is None
    assert await store.anchor(3) == first
    assert await store.anchor(4) == last
    assert await store.anchors(1, 4) == [last]


# --- signed heads --------------------------------------------------------------------------------


async def test_a_note_is_kept_replaced_and_idempotent(store: Store) -> None:
    story = Story()
    await store.commit(story.bulletins(3))
    await store.put_note("evidence", 2, b"note of 2")
    await store.put_note("evidence", 2, b"note of 2")
    assert await store.note("evidence") == SignedHead(2, b"note of 2")
    await store.put_note("evidence", 2, b"signed anew")
    await store.put_note("evidence", 3, b"note of 3")
    assert await store.note("evidence") == SignedHead(3, b"note of 3")
    assert await store.note("directory") is None


async def test_a_note_never_runs_ahead_or_back(store: Store) -> None:
    await store.commit(Story().bulletins(3))
    await store.put_note("evidence", 2, b"note")
    for size in (4, 1):
        with pytest.raises(RuntimeError):
            await store.put_note("evidence", size, b"other")
    assert await store.note("evidence") == SignedHead(2, b"note")


async def test_a_commit_is_signed_once_it_is_there_and_its_note_kept(store: Store) -> None:
    story = Story()
    await store.commit(story.bulletins(1))
    threads: list[int] = []

    def sign() -> bytes:
        threads.append(threading.get_ident())
        return b"note of 3"

    commit = story.bulletins(2)
    await store.commit(commit, sign)
    assert (await store.state("evidence")).head == commit.head
    assert await store.note("evidence") == SignedHead(3, b"note of 3")
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()  # it may block on a disk
    with pytest.raises(HeadMoved):
        await store.commit(commit, sign)
    assert len(threads) == 1  # what was not committed is not signed
    assert await store.note("evidence") == SignedHead(3, b"note of 3")


async def test_a_commit_stays_when_its_signature_fails(store: Store) -> None:
    story = Story()
    await store.commit(story.bulletins(1), lambda: b"note of 1")

    def refuse() -> bytes:
        raise Unavailable("signer_unheard", "injected")

    commit = story.bulletins(2)
    with pytest.raises(Unavailable) as refused:
        await store.commit(commit, refuse)
    assert refused.value.code == "signer_unheard"
    assert (await store.state("evidence")).head == commit.head
    assert await store.note("evidence") == SignedHead(1, b"note of 1")
    await store.put_note("evidence", 3, b"note of 3")  # signed later, by whoever finds it so
    assert await store.note("evidence") == SignedHead(3, b"note of 3")
    await store.commit(story.bulletins(1), lambda: b"note of 4")


async def test_the_newest_cosignature_of_each_agency_is_kept(store: Store) -> None:
    story = Story()
    await store.commit(story.bulletins(2))
    newest = CosignatureRow("la.ospp", 2, 50, b"lines")
    other = CosignatureRow("kh.gpo", 1, 40, b"other")
    await store.put_cosignature("evidence", newest)
    await store.put_cosignature("evidence", CosignatureRow("la.ospp", 1, 60, b"older"))
    await store.put_cosignature("evidence", other)
    assert await store.cosignatures("evidence") == [other, newest]
    await store.commit(story.bulletins(1, name=1))
    await store.put_cosignature("evidence", CosignatureRow("la.ospp", 2, 49, b"late"))
    assert await store.cosignatures("evidence") == [other, newest]
    assert await store.cosignatures("directory") == []
