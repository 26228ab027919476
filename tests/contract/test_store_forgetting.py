"""One suite for every engine of the broker's store: what is forgotten, and what is cleansed."""

from __future__ import annotations

from msgspec.structs import replace
from saphan_broker.store.base import Store
from support.aging_commits import admitted, destruction, hold, keys, release, wrapped_anew
from support.store_commits import Story, digest

PLENTY = {"max_items": 1000, "max_bytes": 10**9}
DUE = 30_000
ORDER = digest("order")


async def forget_all(store: Store, before_day: int, limit: int = 1000) -> int:
    total = 0
    while done := await store.forget(before_day, limit):
        assert done <= limit
        total += done
    return total


async def test_what_is_forgotten_answers_as_if_it_had_never_been(store: Store) -> None:
    story = Story()
    old, rows = await admitted(store, story, 3, "old")
    gone, _after = destruction(story, rows)
    await store.commit(gone)
    refused = story.refusal(digest("never admitted"))
    await store.commit(refused)
    story.record_day = 33_001
    new, _rows = await admitted(store, story, 2, "new")
    size = story.tree.size
    leaves = await store.leaves("evidence", 0, size)
    state = await store.state("evidence")
    assert await store.forget(33_000, 100) == 0
    await forget_all(store, 33_001)
    ids = [row.id for row in old.bulletins]
    assert await store.bulletins(ids) == await store.bodies(ids) == {}
    assert await store.by_nonce([(row.sender, row.nonce) for row in old.bulletins]) == {}
    assert await store.deliveries(keys(rows)) == {}
    assert await store.deliveries_of(ids) == {}
    said = [*old.statements, *gone.statements, *refused.statements]
    assert await store.statements(said) == {}
    assert await store.signatures({(s.key, s.size, s.root): 0 for s in old.signatures}) == {}
    assert [row.index for row in await store.entries(0, size)] == list(range(10, size))
    feed = await store.feed("kh.gpo", None, 100, **PLENTY)
    assert [row.entry.index for row in feed] == list(range(10, size))
    assert await store.last_entry("la.ospp") == size - 1
    assert await store.leaves("evidence", 0, size) == leaves
    assert await store.state("evidence") == state
    assert await store.first_undestroyed() == DUE
    assert await store.bodies([new.bulletins[0].id]) == {new.bulletins[0].id: new.bulletins[0]}
    assert await store.statements(new.statements) == new.statements
    await store.commit(story.bulletins(2, name="newer"))  # its corridors go on
    assert (await store.state("evidence")).head.size == size + 2


async def test_forgetting_goes_on_in_small_steps(store: Store) -> None:
    story = Story()
    old, rows = await admitted(store, story, 9)
    gone, _after = destruction(story, rows)
    await store.commit(gone)
    while await store.forget(33_001, 4):
        left = await store.entries(0, 100)
        assert [row.index for row in left] == list(range(27 - len(left), 27))
    assert await store.entries(0, 100) == []
    assert await store.bulletins([row.id for row in old.bulletins]) == {}
    assert await store.last_entry("kh.gpo") is None
    assert await store.first_undestroyed() is None
    assert await store.forget(10**6, 100) == 0


async def test_a_signature_is_kept_as_long_as_the_last_commit_that_names_it(store: Store) -> None:
    story = Story()
    first, rows = await admitted(store, story, 1)
    story.record_day = 33_001
    again = replace(story.bulletins(1, name=1), signatures=first.signatures)
    await store.commit(again)
    gone, _after = destruction(story, rows)
    await store.commit(gone)
    await forget_all(store, 33_001)
    (signature,) = first.signatures
    key = (signature.key, signature.size, signature.root)
    assert await store.signatures({key: 2}) == {key: signature}


async def test_a_hold_keeps_a_bulletin_longer_than_its_records(store: Store) -> None:
    story = Story()
    commit, rows = await admitted(store, story, 2)
    held, kept = hold(story, rows[:1], ORDER)
    await store.commit(held)
    await store.commit(wrapped_anew(story, await store.stanzas_due(DUE + 1, 9), 34_000))
    gone, _after = destruction(story, rows[1:])
    await store.commit(gone)
    await forget_all(store, 33_001)
    row, other = commit.bulletins
    assert await store.bodies([row.id, other.id]) == {row.id: replace(row, header=b"")}
    assert await store.deliveries_of([row.id, other.id]) == {row.id: kept}
    assert await store.entries(0, 100) == []
    assert await store.first_undestroyed() == 34_000
    target = rows[0].submitted
    assert await store.holds([(target, ORDER)]) == {(target, ORDER): held.holds[0]}
    freed, again = release(story, kept, held.holds)
    await store.commit(freed)
    gone, _after = destruction(story, again)
    await store.commit(gone)
    assert await forget_all(store, 33_001) > 0
    assert await store.bodies([row.id]) == {}
    assert await store.holds([(target, ORDER)]) == {}


async def test_what_is_removed_is_cleansed_in_the_end(store: Store) -> None:
    story = Story(body_bytes=9000)
    _commit, rows = await admitted(store, story, 6)
    gone, _after = destruction(story, rows)
    await store.commit(gone)
    for _ in range(200):
        if await store.cleanse():
            break
    assert await store.cleanse()
    assert await store.destroyable(DUE, 10) == []
    await admitted(store, story, 2, "later")
    assert len(await store.destroyable(DUE, 10)) == 2
