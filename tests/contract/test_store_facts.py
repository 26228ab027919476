"""One suite for every engine of the broker's store: facts, mailboxes, life (design section 9)."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from saphan_broker.store.base import (
    CosignatureRow,
    LogHead,
    LogState,
    SignedHead,
    Store,
)
from saphan_broker.store.memory import MemoryStore
from saphan_broker.store.sqlite import SqliteStore
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Blob
from support.store_commits import START, Story, digest

PAIR = ("la.ospp", "kh.gpo")
PLENTY = {"max_items": 100, "max_bytes": 10**9}


# --- facts ---------------------------------------------------------------------------------------


async def test_look_ups_find_what_is_stored_and_leave_out_the_rest(store: Store) -> None:
    commit = Story().bulletins(3)
    await store.commit(commit)
    row, delivery = commit.bulletins[1], commit.deliveries[1]
    key = (row.id, "kh.gpo")
    facts = (await store.bulletins([row.id, digest("unknown")]))[row.id]
    assert (facts.header_identity, facts.expires) == (row.header_identity, row.expires)
    by_nonce = await store.by_nonce([(row.sender, row.nonce), ("th.oncb", row.nonce)])
    assert by_nonce == {(row.sender, row.nonce): facts}
    assert await store.deliveries([key, (row.id, "th.oncb")]) == {key: delivery}
    said = (row.id, digest("said", row.id))
    known, unknown = (*said, "kh.gpo"), (*said, "th.oncb")
    assert await store.statements([known, unknown]) == {known: 1}
    assert await store.corridors([PAIR, PAIR[::-1]]) == {PAIR: (3, 2)}
    assert await store.bodies([row.id, digest("unknown")]) == {row.id: row}
    assert await store.stanzas([key]) == {key: commit.stanzas[1]}
    signature = commit.signatures[0]
    found = (signature.key, signature.size, signature.root)
    assert await store.signatures({found: 1, (digest(0), 1, digest(0)): 0}) == {found: signature}


async def test_attachments_are_kept_with_the_facts(store: Store) -> None:
    blobs = tuple(Blob(2**40 + at, digest("attachment", at)) for at in range(32))
    story = Story(attachments=blobs)
    commit = story.bulletins(1)
    await store.commit(commit)
    story.attachments = ()
    bare = story.bulletins(1, name="bare")
    await store.commit(bare)
    row, other = commit.bulletins[0], bare.bulletins[0]
    facts = await store.bulletins([row.id, other.id])
    assert facts[row.id].attachments == blobs
    assert facts[other.id].attachments == ()
    assert (await store.bodies([row.id]))[row.id] == row
    (fed, _bare) = await store.feed("kh.gpo", None, 2, **PLENTY)
    assert fed.bulletin == row


async def test_a_signature_stored_before_stays_as_it_is(store: Store) -> None:
    story = Story()
    first = story.bulletins(1)
    await store.commit(first)
    again = replace(story.bulletins(1, name=1), signatures=first.signatures)
    await store.commit(again)
    signature = first.signatures[0]
    key = (signature.key, signature.size, signature.root)
    assert await store.signatures({key: 0}) == {key: signature}
    assert await store.signatures({key: 1}) == {key: signature}


async def test_a_statement_logged_twice_keeps_its_first_answer(store: Store) -> None:
    story = Story()
    first = story.bulletins(1)
    await store.commit(first)
    (key,) = first.statements
    later = story.bulletins(1, name=1)
    await store.commit(replace(later, statements={**later.statements, key: 1}))
    assert await store.statements([key, *later.statements]) == {key: 0, **later.statements}


async def test_what_was_refused_first_may_be_admitted_later(store: Store) -> None:
    """A refusal is a statement about a bulletin that is not stored."""
    story, id_ = Story(), digest("refused first")
    refused = story.refusal(id_)
    await store.commit(refused)
    await store.commit(story.bulletins(1))
    assert await store.bulletins([id_]) == await store.bodies([id_]) == {}
    assert await store.statements(refused.statements) == refused.statements
    admitted = story.admission([id_])
    await store.commit(admitted)
    key = (id_, "kh.gpo")
    assert await store.bodies([id_]) == {id_: admitted.bulletins[0]}
    assert await store.deliveries([key]) == {key: admitted.deliveries[0]}
    again = story.refusal(id_)
    await store.commit(again)
    assert len(await store.due(2**53, 10)) == 2
    accepted = story.event(admitted.deliveries[0], "accepted", "accepted")
    await store.commit(accepted)
    said = [commit.statements for commit in (refused, admitted, again, accepted)]
    for statements in said:
        assert await store.statements(statements) == statements
    assert len(await store.due(2**53, 10)) == 1


async def test_deliveries_and_stanzas_are_replaced(store: Store) -> None:
    story = Story()
    first = story.bulletins(1)
    await store.commit(first)
    again = story.event(first.deliveries[0], "consigned", "submitted", deadline=START)
    stanza = replace(first.stanzas[0], sealed=b"new stanza")
    await store.commit(replace(again, stanzas=[stanza]))
    key = (stanza.bulletin, stanza.recipient)
    assert await store.stanzas([key]) == {key: stanza}
    assert await store.deliveries([key]) == {key: again.deliveries[0]}


async def test_due_deliveries_come_earliest_first_and_only_while_they_wait(store: Store) -> None:
    story = Story()
    commit = story.bulletins(5)
    await store.commit(commit)
    end = START + DAY_MS
    assert await store.due(end - 1, 10) == []
    assert await store.due(end + 2, 10) == commit.deliveries[:3]
    assert await store.due(end + 9, 2) == commit.deliveries[:2]
    await store.commit(story.event(commit.deliveries[0], "expired", "expired"))
    assert await store.due(end + 2, 10) == commit.deliveries[1:3]
    assert (await store.counts()).deliveries_waiting == 4


async def test_open_deliveries_are_counted_by_sender_until_their_outcome(store: Store) -> None:
    assert await store.open_deliveries() == {}
    story = Story()
    ours = story.bulletins(3)
    theirs = story.bulletins(2, "kh.gpo", "la.ospp")
    for commit in (ours, theirs):
        await store.commit(commit)
    assert await store.open_deliveries() == {"la.ospp": 3, "kh.gpo": 2}
    first = ours.deliveries[0]
    await store.commit(story.event(first, "handover", "handed_over", deadline=START + 2))
    await store.commit(story.refusal(digest("never admitted")))
    assert await store.open_deliveries() == {"la.ospp": 3, "kh.gpo": 2}
    await store.commit(story.event(first, "accepted", "accepted"))
    for delivery in theirs.deliveries:
        await store.commit(story.event(delivery, "expired", "expired"))
    assert await store.open_deliveries() == {"la.ospp": 2}


async def test_more_open_deliveries_than_are_counted_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saphan_broker.store.redis.fact_reads.OPEN", 4)
    story = Story()
    for sender, recipient in (("la.ospp", "kh.gpo"), ("kh.gpo", "la.ospp")):
        await store.commit(story.bulletins(4, sender, recipient))
    assert await store.open_deliveries() == {"la.ospp": 4, "kh.gpo": 4}


# --- mailboxes -----------------------------------------------------------------------------------


async def test_a_feed_is_in_order_and_holds_both_ends_of_a_corridor(store: Store) -> None:
    story = Story()
    commits = [
        story.bulletins(2),
        story.bulletins(2, "kh.gpo", "la.ospp", name=1),
        story.bulletins(2, "th.oncb", "vn.c04", name=2),
        story.bulletins(1, "kh.gpo", "kh.gpo", name=3),
    ]
    for commit in commits:
        await store.commit(commit)
    rows = await store.feed("kh.gpo", None, 100, **PLENTY)
    assert [row.entry.index for row in rows] == [0, 1, 2, 3, 6]
    assert [row.entry for row in rows[:2]] == commits[0].entries
    assert [row.bulletin for row in rows[:2]] == commits[0].bulletins
    assert [row.bulletin for row in rows[2:4]] == [None, None]  # what it sent itself
    assert all(row.stanza is None for row in rows)
    assert [row.entry.index for row in await store.feed("vn.c04", None, 100, **PLENTY)] == [4, 5]
    assert await store.feed("mm.ccdac", None, 100, **PLENTY) == []
    assert await store.last_entry("vn.c04") == 5
    assert await store.last_entry("kh.gpo") == rows[-1].entry.index
    assert await store.last_entry("mm.ccdac") is None


async def test_a_feed_resumes_after_a_position_and_stops_below_the_signed_size(
    store: Store,
) -> None:
    await store.commit(Story().bulletins(6))

    async def indices(after: int | None, below: int, items: int = 100) -> list[int]:
        rows = await store.feed("kh.gpo", after, below, max_items=items, max_bytes=10**9)
        return [row.entry.index for row in rows]

    assert await indices(None, 4) == [0, 1, 2, 3]
    assert await indices(0, 100) == [1, 2, 3, 4, 5]
    assert await indices(3, 4) == []
    assert await indices(2, 100, items=2) == [3, 4]
    assert await indices(5, 100) == []


async def test_a_feed_stops_at_its_bytes_but_always_moves(store: Store) -> None:
    await store.commit(Story(body_bytes=1000).bulletins(6))
    everything = await store.feed("kh.gpo", None, 100, **PLENTY)
    weight = everything[0].weight
    assert weight > 1000
    for limit, number in ((1, 1), (2 * weight, 2), (3 * weight - 1, 2), (6 * weight, 6)):
        rows = await store.feed("kh.gpo", None, 100, max_items=100, max_bytes=limit)
        assert rows == everything[:number]


async def test_the_stanza_comes_with_the_handover_to_the_recipient_only(store: Store) -> None:
    story = Story()
    first = story.bulletins(1)
    await store.commit(first)
    await store.commit(story.event(first.deliveries[0], "handover", "handed_over"))
    received = await store.feed("kh.gpo", 0, 100, **PLENTY)
    sent = await store.feed("la.ospp", 0, 100, **PLENTY)
    assert [row.stanza for row in received] == first.stanzas
    assert [(row.bulletin, row.stanza) for row in sent] == [(None, None)]
    assert received[0].bulletin is None


async def test_entries_of_every_corridor_come_in_order(store: Store) -> None:
    story = Story()
    commits = [story.bulletins(2), story.anchor(1), story.bulletins(2, "th.oncb", "vn.c04", 1)]
    for commit in commits:
        await store.commit(commit)
    entries = commits[0].entries + commits[2].entries
    assert await store.entries(0, 100) == entries
    assert await store.entries(1, 4) == entries[1:3]


# --- life ----------------------------------------------------------------------------------------


async def test_a_closed_store_says_so(store: Store) -> None:
    await store.close()
    await store.close()
    with pytest.raises(OperatorError) as refused:
        await store.state("evidence")
    assert refused.value.code == "store_closed"
    with pytest.raises(OperatorError):
        await store.commit(Story().bulletins(1))


async def test_sqlite_keeps_everything_over_a_reopening(tmp_path: Path) -> None:
    store = await SqliteStore.create(tmp_path / "data")
    story = Story()
    first = story.bulletins(300)
    await store.commit(first)
    await store.put_note("evidence", 300, b"note")
    row = CosignatureRow("kh.gpo", 300, 9, b"lines")
    await store.put_cosignature("evidence", row)
    before = await store.feed("kh.gpo", None, 1000, max_items=1000, max_bytes=10**9)
    await store.close()

    again = await SqliteStore.open(tmp_path / "data")
    assert await again.state("evidence") == LogState(first.head, first.time)
    assert await again.note("evidence") == SignedHead(300, b"note")
    assert await again.cosignatures("evidence") == [row]
    feed = await again.feed("kh.gpo", None, 1000, max_items=1000, max_bytes=10**9)
    assert feed == before
    assert len(feed) == 300
    await again.commit((await Story.resumed(again)).bulletins(2, name="later"))
    assert (await again.state("evidence")).head.size == 302
    await again.close()


# --- what only memory polices --------------------------------------------------------------------


async def test_memory_refuses_what_would_damage_a_log() -> None:
    story = Story()
    store = MemoryStore()
    await store.commit(story.bulletins(2))
    good = story.bulletins(2)
    tile = good.tiles[0, 0]
    gap = [replace(good.entries[0], number=9), good.entries[1]]
    bad = (
        replace(good, tiles={}),
        replace(good, tiles={**good.tiles, (1, 0): tile[:32]}),
        replace(good, tiles={(0, 0): bytes(32) + tile[32:]}),
        replace(good, tiles={(0, 0): tile[:-32] + bytes(32)}),
        replace(good, tiles={(0, 0): tile + bytes(32)}),
        replace(good, leaves=[b"other", *good.leaves[1:]]),
        replace(good, head=LogHead(good.head.size, digest("root"))),
        replace(good, entries=gap),
        replace(good, corridors={}),
        replace(good, deliveries=[replace(good.deliveries[0], bulletin=digest("unknown"))]),
        replace(good, deliveries=[replace(good.deliveries[0], last=99)]),
        replace(good, stanzas=[replace(good.stanzas[0], recipient="vn.c04")]),
    )
    for commit in bad:
        with pytest.raises(RuntimeError):
            await store.commit(commit)
    await store.commit(good)
