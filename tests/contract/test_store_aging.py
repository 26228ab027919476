"""One suite for every engine of the broker's store: what is due, destroyed and held."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from saphan_broker.store.base import DayCount, HoldRow, Store
from saphan_broker.store.memory import MemoryStore
from saphan_schemas.records import Blob
from support.aging_commits import (
    admitted,
    copies,
    destruction,
    hold,
    keys,
    release,
    settled,
    wrapped_anew,
)
from support.store_commits import Story, digest

PLENTY = {"max_items": 1000, "max_bytes": 10**9}
DUE = 30_000
ORDER, OTHER = digest("order"), digest("another order")


# --- what is due ---------------------------------------------------------------------------------


async def test_what_is_due_comes_by_day_and_then_in_log_order(store: Store) -> None:
    story = Story()
    _first, later = await admitted(store, story, 3, "a")
    story.due_day = DUE - 2
    _second, sooner = await admitted(store, story, 3, "b")
    assert await store.destroyable(DUE - 3, 10) == []
    assert await store.destroyable(DUE - 1, 10) == sooner
    assert await store.destroyable(DUE, 4) == [*sooner, later[0]]
    assert await store.destroyable(DUE, 10) == [*sooner, *later]
    assert await store.first_undestroyed() == DUE - 2


async def test_what_has_a_deadline_is_not_destroyed_before_it_is_expired(store: Store) -> None:
    story = Story()
    commit = story.bulletins(2)
    await store.commit(commit)
    assert await store.destroyable(DUE, 10) == []
    await store.commit(story.event(commit.deliveries[1], "expired", "expired"))
    assert keys(await store.destroyable(DUE, 10)) == keys(commit.deliveries[1:])


async def test_an_empty_store_needs_no_day_and_has_nothing_due(store: Store) -> None:
    assert await store.first_undestroyed() is None
    assert await store.destroyable(10**6, 10) == []
    assert await store.due_counts(10**6) == []
    assert await store.stanzas_due(10**6, 10) == []
    assert await store.deliveries_of([digest("unknown")]) == {}
    assert await store.holds([(0, ORDER)]) == {}
    assert await store.forget(10**6, 10) == 0


async def test_a_plan_counts_what_is_due_by_day(store: Store) -> None:
    story = Story(attachments=(Blob(5000, digest("blob")), Blob(300, digest("blob 2"))))
    commit, rows = await admitted(store, story, 4)
    await store.commit(copies(story, commit, "th.oncb"))  # with a deadline: expired first
    story.due_day, story.attachments = DUE - 1, ()
    _sooner, others = await admitted(store, story, 2, "b")
    held, _after = hold(story, [rows[0], others[0], others[1]], ORDER)
    await store.commit(held)
    sooner, later = DayCount(DUE - 1, 0, 0, 2), DayCount(DUE, 7, 4 * 5364, 1)
    assert await store.due_counts(DUE) == [sooner, later]
    assert await store.due_counts(DUE - 1) == [sooner]
    assert await store.due_counts(DUE - 2) == []
    gone, _rows = destruction(story, rows[1:3], [])
    await store.commit(gone)
    assert await store.due_counts(DUE) == [sooner, DayCount(DUE, 5, 4 * 5364, 1)]


async def test_every_delivery_of_a_bulletin_by_recipient(store: Store) -> None:
    story = Story()
    commit, rows = await admitted(store, story, 2)
    more = copies(story, commit, "ca.rcmp")
    await store.commit(more)
    first, second = commit.bulletins
    assert await store.deliveries_of([first.id, digest("unknown"), second.id]) == {
        first.id: [more.deliveries[0], rows[0]],
        second.id: [more.deliveries[1], rows[1]],
    }


# --- destruction ---------------------------------------------------------------------------------


async def test_what_is_destroyed_is_gone_and_its_record_stays(store: Store) -> None:
    story = Story(body_bytes=5000)
    commit, rows = await admitted(store, story, 4)
    gone, after = destruction(story, rows[:2])
    await store.commit(gone)
    row, kept = commit.bulletins[0], commit.bulletins[2]
    found = await store.bodies([row.id, kept.id])
    assert found == {row.id: replace(row, ciphertext=b""), kept.id: kept}
    assert await store.stanzas(keys(rows)) == {
        (s.bulletin, s.recipient): s for s in commit.stanzas[2:]
    }
    assert await store.deliveries(keys(rows)) == dict(
        zip(keys(rows), [*after, *rows[2:]], strict=True)
    )
    assert (await store.bulletins([row.id]))[row.id].ciphertext_digest == row.ciphertext_digest
    assert (await store.by_nonce([(row.sender, row.nonce)])).keys() == {(row.sender, row.nonce)}
    assert await store.destroyable(DUE, 10) == rows[2:]
    assert [row.event for row in await store.entries(8, 20)] == ["destroyed"] * 2
    assert await store.statements(gone.statements) == gone.statements


async def test_a_feed_has_nothing_of_what_is_destroyed(store: Store) -> None:
    story = Story()
    commit = story.bulletins(2)
    await store.commit(commit)
    for delivery in commit.deliveries:
        await store.commit(story.event(delivery, "handover", "handed_over"))
    _commit, rows = settled(story, [])
    rows = list((await store.deliveries(keys(commit.deliveries))).values())
    gone, _after = destruction(story, rows[:1])
    await store.commit(gone)
    feed = await store.feed("kh.gpo", None, 100, **PLENTY)
    assert [row.entry.event for row in feed] == ["submitted"] * 2 + ["handover"] * 2 + ["destroyed"]
    assert [row.bulletin for row in feed] == [None, commit.bulletins[1], None, None, None]
    assert [row.stanza for row in feed] == [None, None, None, commit.stanzas[1], None]


async def test_a_ciphertext_stays_until_its_last_delivery_is_destroyed(store: Store) -> None:
    story = Story(body_bytes=2000)
    commit, rows = await admitted(store, story, 1)
    await store.commit(copies(story, commit, "th.oncb"))
    (row,) = commit.bulletins
    gone, _after = destruction(story, rows, [])
    await store.commit(gone)
    assert await store.bodies([row.id]) == {row.id: row}
    for agency, bulletin in (("kh.gpo", None), ("th.oncb", row)):
        first = (await store.feed(agency, None, 100, **PLENTY))[0]
        assert (first.entry.event, first.bulletin) == ("submitted", bulletin)
    other = list((await store.deliveries([(row.id, "th.oncb")])).values())
    ended, other = settled(story, other)
    await store.commit(ended)
    gone, _after = destruction(story, other)
    await store.commit(gone)
    assert await store.bodies([row.id]) == {row.id: replace(row, ciphertext=b"")}
    assert await store.destroyable(DUE, 10) == []


async def test_a_sweep_goes_on_where_it_ended(store: Store) -> None:
    story = Story()
    for name in range(2):
        await admitted(store, story, 5, name)
    seen: list[bytes] = []
    while rows := await store.destroyable(DUE, 4):
        seen += [row.bulletin for row in rows]
        gone, _after = destruction(story, rows)
        await store.commit(gone)
        await store.cleanse()
    assert len(seen) == len(set(seen)) == 10
    left = await store.bodies(seen)
    assert {row.ciphertext for row in left.values()} == {b""}
    assert await store.stanzas([(id_, "kh.gpo") for id_ in seen]) == {}
    assert await store.first_undestroyed() == 33_000  # records only


async def test_what_was_gone_already_is_no_error(store: Store) -> None:
    story = Story()
    commit, rows = await admitted(store, story, 1)
    gone, after = destruction(story, rows)
    await store.commit(gone)
    again, _after = settled(story, after)
    again = replace(again, deliveries=after, destroyed=keys(after), bodiless=gone.bodiless)
    await store.commit(again)
    assert (await store.bodies(gone.bodiless))[commit.bulletins[0].id].ciphertext == b""


async def test_what_was_destroyed_before_it_was_copied_has_no_ciphertext(store: Store) -> None:
    """As a copy brings it: rows in the order of the log, and what is gone is not there."""
    story = Story(body_bytes=2000)
    commit = story.bulletins(2)
    first, second = commit.bulletins
    without = replace(first, ciphertext=b"")
    await store.commit(replace(commit, bulletins=[without, second], stanzas=commit.stanzas[1:]))
    ended, rows = settled(story, commit.deliveries)
    await store.commit(ended)
    assert await store.bodies([first.id, second.id]) == {first.id: without, second.id: second}
    gone, after = destruction(story, rows[:1])
    await store.commit(gone)
    assert await store.bodies([first.id, second.id]) == {first.id: without, second.id: second}
    assert await store.destroyable(DUE, 10) == rows[1:]
    assert await store.deliveries_of([first.id]) == {first.id: after}
    gone, _after = destruction(story, rows[1:])
    await store.commit(gone)
    while not await store.cleanse():
        pass
    assert (await store.bodies([second.id]))[second.id].ciphertext == b""


# --- holds ---------------------------------------------------------------------------------------


async def test_what_is_held_is_not_destroyable_until_every_hold_is_released(store: Store) -> None:
    story = Story()
    _commit, rows = await admitted(store, story, 3)
    first, held = hold(story, rows[:2], ORDER)
    await store.commit(first)
    second, held = hold(story, held[:1], OTHER, "kh.gpo")
    await store.commit(second)
    assert await store.destroyable(DUE, 10) == rows[2:]
    target = rows[0].submitted
    found = await store.holds([(target, ORDER), (target, OTHER), (target, digest("no order"))])
    assert found == {(target, ORDER): first.holds[0], (target, OTHER): second.holds[0]}
    ids = [row.bulletin for row in rows]
    of_first = sorted([first.holds[0], second.holds[0]], key=lambda row: row.order)
    assert await store.holds_of(ids) == {ids[0]: of_first, ids[1]: [first.holds[1]]}
    assert await store.deliveries(keys(rows[:1])) == {keys(rows)[0]: held[0]}
    freed, once = release(story, held, first.holds[:1])
    await store.commit(freed)
    assert await store.destroyable(DUE, 10) == rows[2:]
    assert await store.holds([(target, ORDER)]) == {(target, ORDER): freed.holds[0]}
    freed, twice = release(story, once, second.holds)
    await store.commit(freed)
    assert await store.destroyable(DUE, 10) == [twice[0], rows[2]]
    assert twice[0].holds == 0


async def test_held_stanzas_are_wrapped_anew_and_then_asked_for_no_longer(store: Store) -> None:
    story = Story(body_bytes=3000)
    commit, rows = await admitted(store, story, 5)
    held, kept = hold(story, rows[1:4], ORDER)
    await store.commit(held)
    due = await store.stanzas_due(DUE + 1, 10)
    assert sorted(keys(due), key=repr) == sorted(keys(kept), key=repr)
    assert await store.stanzas_due(DUE, 10) == []
    assert len(await store.stanzas_due(DUE + 1, 2)) == 2
    anew = wrapped_anew(story, due, DUE + 40)
    await store.commit(anew)
    await store.commit(anew)  # without leaves it may be repeated
    assert await store.stanzas_due(DUE + 1, 10) == []
    assert len(await store.stanzas_due(DUE + 41, 10)) == 3
    gone, _after = destruction(story, [rows[0], rows[4]])
    await store.commit(gone)
    assert await store.first_undestroyed() == DUE + 40
    assert await store.stanzas(keys(rows)) == {(s.bulletin, s.recipient): s for s in anew.stanzas}
    ids = [row.id for row in commit.bulletins[1:4]]
    assert await store.bodies(ids) == {row.id: row for row in commit.bulletins[1:4]}
    assert [row.due_day for row in (await store.deliveries(keys(kept))).values()] == [DUE] * 3


async def test_what_was_held_goes_at_once_when_it_is_released_after_its_day(store: Store) -> None:
    story = Story(body_bytes=3000)
    commit, rows = await admitted(store, story, 2)
    held, kept = hold(story, rows[:1], ORDER)
    await store.commit(held)
    await store.commit(wrapped_anew(story, await store.stanzas_due(DUE + 1, 9), DUE + 40))
    freed, again = release(story, kept, held.holds)
    await store.commit(freed)
    assert await store.stanzas_due(DUE + 41, 10) == []
    assert await store.first_undestroyed() == DUE
    assert await store.destroyable(DUE, 10) == [again[0], rows[1]]
    gone, _after = destruction(story, again)
    await store.commit(gone)
    id_ = commit.bulletins[0].id
    assert (await store.bodies([id_]))[id_].ciphertext == b""
    assert await store.stanzas(keys(again)) == {}


# --- what only memory polices --------------------------------------------------------------------


async def test_memory_refuses_what_would_destroy_too_much_or_too_little() -> None:
    story, store = Story(), MemoryStore()
    commit, rows = await admitted(store, story, 3)
    await store.commit(copies(story, commit, "th.oncb"))
    held, kept = hold(story, rows[:1], ORDER)
    await store.commit(held)
    good, after = destruction(story, rows[1:2], [])
    late = replace(after[0], destroyed=0)
    other = HoldRow(rows[1].submitted, OTHER, "la.ospp", rows[1].bulletin, "kh.gpo", 9, None)
    bad = (
        replace(good, bodiless=[rows[1].bulletin]),  # somebody has not had it yet
        replace(good, bodiless=[digest("unknown")]),
        replace(good, destroyed=[]),
        replace(good, deliveries=[]),
        replace(good, deliveries=[late]),
        replace(good, deliveries=[replace(kept[0], destroyed=after[0].destroyed)]),
        replace(good, deliveries=[replace(after[0], deadline=5)]),
        replace(good, deliveries=[replace(after[0], holds=1)]),
        replace(good, stanzas=commit.stanzas[1:2]),
        replace(good, holds=[other]),
        replace(good, holds=[replace(other, recipient="mm.ccdac")]),
        replace(good, entries=[replace(good.entries[0], record_day=1)]),
    )
    for one in bad:
        with pytest.raises(RuntimeError):
            await store.commit(one)
    await store.commit(good)
    for alone in ({"holds": [other]}, {"bodiless": [rows[2].bulletin]}):
        with pytest.raises(RuntimeError):
            await store.commit(story.leaves([], **alone))
    back = story.event(rows[1], "consigned", "submitted", deadline=None)
    with pytest.raises(RuntimeError):
        await store.commit(back)
