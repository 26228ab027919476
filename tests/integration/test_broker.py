"""A running broker over real sockets and a real SQLite store: what agencies can rely on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from saphan_protocol.batch import verify_item
from saphan_protocol.stanza import open_stanza
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import Change, SignedAgreement
from saphan_schemas.frames import DirectoryLeaves
from saphan_schemas.records import Consignment, Event, HeadRef, Role
from support.agency import agreement
from support.brokers import World
from support.ceremony import NOW

A, B = "la.ospp", "kh.gpo"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A broker that runs, two agencies enrolled, one agreement logged."""
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
        yield world


async def test_bulletin_crosses_from_submission_to_acceptance(world: World) -> None:
    sender, recipient = world.agencies[A], world.agencies[B]
    out, into = await world.line(A), await world.line(B)
    made = sender.bulletin([B], world.clock())
    items, batch = sender.submissions([made], [recipient])
    (result,) = await out.submit(items, batch)
    assert result.code is None, result
    entry, arrived = await into.entry(result.indices[0])
    assert (entry.sender, entry.recipient, entry.number, entry.previous) == (A, B, 1, None)
    assert arrived.ciphertext == made.ciphertext
    assert arrived.header == made.header_bytes
    assert arrived.stanza is None
    assert arrived.item is not None
    verify_item(
        arrived.item, into.signatures, sender.node.verifying(), entry.type, arrived.statement
    )
    assert await into.stanzas(made.bulletin_id) == (None,)

    about = [(made.bulletin_id, made.ciphertext_digest)]
    said, batch = recipient.statements(Event.HANDOVER, about, (A, B), world.clock())
    (handed,) = await into.state(said, batch)
    assert handed.code is None, handed
    entry, release = await into.entry(handed.indices[0])
    assert (entry.number, entry.previous) == (2, result.indices[0])
    assert release.stanza is not None
    assert release.item is None
    key = open_stanza(release.stanza, recipient.mailbox, made.bulletin_id, B)
    assert key == made.content_key
    assert await into.stanzas(made.bulletin_id) == (release.stanza,)

    said, batch = recipient.statements(Event.ACCEPTED, about, (A, B), world.clock())
    (accepted,) = await into.state(said, batch)
    entry, receipt = await out.entry(accepted.indices[0])
    assert entry.type == "saphan/accepted/1"
    assert receipt.stanza is None
    assert receipt.ciphertext is None
    _, taken = await out.entry(handed.indices[0])
    assert taken.stanza is None
    assert receipt.item is not None


async def test_directory_reaches_both_parties_before_their_entries(world: World) -> None:
    line = await world.line(B)
    # Three operations or types and the agreement; the anchor that names all four comes after them.
    await line.until(lambda: bool(line.anchors) and line.anchors[-1][1] == 4)
    assert len(line.leaves) == 4
    assert len(line.packages) == 1


async def test_directory_comes_in_frames_of_bounded_size_with_its_agreements(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Agreements are longer than their leaves: they count, or a frame could be beyond any bound."""
    monkeypatch.setattr("saphan_broker.sessions.feed.LEAVES_BYTES", 30_000)
    parties = [world.agencies[A], world.agencies[B]]
    line = await world.line(A)
    for number in range(2, 7):
        more = agreement(
            parties, *world.pins.lasting, world.clock(), reference=f"exercise-{number}"
        )
        assert (await line.register(agreement=more)).code is None
    into = await world.line(B)
    frames: list[int] = []
    take = into._take

    async def measured(frame: Any) -> None:
        if isinstance(frame, DirectoryLeaves):
            frames.append(sum(map(len, (*frame.leaves, *frame.agreements))))
        await take(frame)

    monkeypatch.setattr(into, "_take", measured)
    await into.until(lambda: len(into.leaves) == 9)
    assert len(set(into.packages)) == 6
    assert len(frames) > 1
    assert max(frames) <= 30_000


async def test_duplicate_gets_the_first_answer(world: World) -> None:
    sender = world.agencies[A]
    out = await world.line(A)
    items, batch = sender.submissions(
        [sender.bulletin([B], world.clock()) for _ in range(3)], [world.agencies[B]]
    )
    first = await out.submit(items, batch)
    again = await out.submit([items[2], items[0], items[0]], batch)
    assert [result.indices for result in again] == [
        first[2].indices,
        first[0].indices,
        first[0].indices,
    ]
    assert {result.code for result in again} == {None}


async def test_same_random_bytes_with_other_content_are_a_replay(world: World) -> None:
    sender = world.agencies[A]
    out = await world.line(A)
    made = sender.bulletin([B], world.clock())
    other = sender.bulletin([B], world.clock(), nonce=made.header.nonce)
    items, batch = sender.submissions([made, other], [world.agencies[B]])
    good, bad = await out.submit(items, batch)
    assert good.code is None
    assert bad.code == "replay"
    entry, refusal = await out.entry(bad.indices[0])
    assert (entry.sender, entry.recipient, entry.type) == (A, A, "saphan/refused/1")
    assert refusal.item is None


async def test_one_bad_item_refuses_none_of_its_neighbours(world: World) -> None:

    sender = world.agencies[A]
    out = await world.line(A)
    made = [sender.bulletin([B], world.clock()) for _ in range(3)]
    items, batch = sender.submissions(made, [world.agencies[B]])
    flipped = bytes([items[1].ciphertext[0] ^ 1]) + items[1].ciphertext[1:]
    broken = msgspec.structs.replace(items[1], ciphertext=flipped)
    results = await out.submit([items[0], broken, items[2]], batch)
    assert [result.code for result in results] == [None, "bulletin_id", None]
    truncated = msgspec.structs.replace(items[1], header=items[1].header[:-1])
    (result,) = await out.submit([truncated], batch)
    assert (result.code, result.indices) == ("malformed", ())


async def test_forged_batch_signature_is_refused_before_anything_is_logged(world: World) -> None:

    sender = world.agencies[A]
    out = await world.line(A)
    items, batch = sender.submissions([sender.bulletin([B], world.clock())], [world.agencies[B]])
    forged = msgspec.structs.replace(batch, signature=bytes(3373))
    (result,) = await out.submit(items, forged)
    assert (result.code, result.indices) == ("signature_invalid", ())
    (result,) = await out.submit(items)
    assert (result.code, result.indices) == ("signature_missing", ())
    (result,) = await out.submit(items, batch)
    assert result.code is None


async def test_statement_out_of_order_is_refused_and_recorded(world: World) -> None:
    sender, recipient = world.agencies[A], world.agencies[B]
    out, into = await world.line(A), await world.line(B)
    made = sender.bulletin([B], world.clock())
    items, batch = sender.submissions([made], [recipient])
    await out.submit(items, batch)
    about = [(made.bulletin_id, made.ciphertext_digest)]
    said, batch = recipient.statements(Event.ACCEPTED, about, (A, B), world.clock())
    (result,) = await into.state(said, batch)
    assert result.code == "order_illegal"
    entry, _ = await into.entry(result.indices[0])
    assert (entry.sender, entry.recipient) == (B, B)
    said, batch = sender.statements(Event.RECALLED, about, (A, B), world.clock(), "error")
    (recalled,) = await out.state(said, batch)
    assert recalled.code is None
    said, batch = recipient.statements(Event.HANDOVER, about, (A, B), world.clock())
    (late,) = await into.state(said, batch)
    assert late.code == "already_decided"
    assert await into.stanzas(made.bulletin_id) == (None,)


async def test_unopened_is_followed_by_a_new_consignment(world: World) -> None:
    sender, recipient = world.agencies[A], world.agencies[B]
    out, into = await world.line(A), await world.line(B)
    made = sender.bulletin([B], world.clock())
    items, batch = sender.submissions([made], [recipient])
    await out.submit(items, batch)
    about = [(made.bulletin_id, made.ciphertext_digest)]
    for event, code in ((Event.HANDOVER, None), (Event.UNOPENED, "stanza_unopenable")):
        said, batch = recipient.statements(event, about, (A, B), world.clock(), code)
        (result,) = await into.state(said, batch)
        assert result.code is None, result
    items, batch = sender.submissions([made], [recipient])
    (anew,) = await out.submit(items, batch)
    assert anew.code is None, anew
    entry, arrived = await into.entry(anew.indices[0])
    assert entry.number == 4
    assert decode(Consignment, arrived.statement, 16384, "c").bulletin == made.bulletin_id


async def test_session_resumes_after_what_it_acknowledged(world: World) -> None:
    sender, recipient = world.agencies[A], world.agencies[B]
    out, into = await world.line(A), await world.line(B)
    items, batch = sender.submissions(
        [sender.bulletin([B], world.clock()) for _ in range(5)], [recipient]
    )
    first = await out.submit(items[:2], batch)
    await into.entry(first[1].indices[0])
    await into.close()
    rest = await out.submit(items[2:], batch)
    known = set(into.entries)
    again = await world.line(B, resume=into)
    await again.entry(rest[-1].indices[0])
    assert set(again.entries) - known == {result.indices[0] for result in rest}


async def test_restart_keeps_everything_and_goes_on(world: World, tmp_path: Path) -> None:
    sender, recipient = world.agencies[A], world.agencies[B]
    out = await world.line(A)
    items, batch = sender.submissions(
        [sender.bulletin([B], world.clock()) for _ in range(4)], [recipient]
    )
    first = await out.submit(items[:2], batch)
    await world.broker.stop()
    closing = await out.closed()
    assert closing.code == "shutting_down"
    async with world.running() as broker:
        assert not broker.ready().ready  # a node must be heard before anything is signed
        line = await world.line(A, resume=out)
        assert broker.ready().ready
        again = await line.submit(items, batch)
        assert [r.indices for r in again[:2]] == [r.indices for r in first]
        assert [r.code for r in again] == [None] * 4


async def test_sender_cannot_make_up_the_head_it_has_seen(world: World) -> None:
    """In the log, such a head would read as a second history that the broker had shown."""
    sender, to = world.agencies[A], [world.agencies[B]]
    out = await world.line(A)
    shown = world.broker.state.evidence.published
    assert shown is not None
    heads = {
        HeadRef(shown.origin, shown.size, bytes(32)): "seen_differs",
        HeadRef(shown.origin, shown.size + 1, shown.root): "seen_differs",
        HeadRef(shown.origin, 0, bytes(32)): "seen_differs",
        shown.ref: None,
        HeadRef("bridge.test/evidence/0", 9, bytes(32)): None,
    }
    for head, code in heads.items():
        made = sender.bulletin([B], world.clock())
        items, batch = sender.submissions([made], to, head)
        (result,) = await out.submit(items, batch)
        assert result.code == code, head
    made = sender.bulletin([B], world.clock())
    items, batch = sender.submissions([made], to, shown.ref)  # grown over since
    (result,) = await out.submit(items, batch)
    assert result.code is None


async def test_backlog_comes_with_the_anchor_that_each_entry_is_judged_by(world: World) -> None:
    """Timeline: b is away; a sends, revokes its officer's key, sends again; b comes back."""
    sender, recipient = world.agencies[A], world.agencies[B]
    out = await world.line(A)
    items, batch = sender.submissions(
        [sender.bulletin([B], world.clock()) for _ in range(2)], [recipient]
    )
    (before,) = await out.submit(items[:1], batch)
    version, newest, _ = world.broker.state.directory.version(A)
    assert newest is not None
    change = Change("revoke", Role.OFFICER, sender.officer.key_id, None, None, None)
    result = await out.register(operation=sender.operation(version + 1, newest, [change]))
    assert result.code is None, result
    (after,) = await out.submit(items[1:], batch)
    into = await world.line(B)
    await into.entry(after.indices[0])
    told = {index: size for index, size in into.anchors if index < after.indices[0]}
    assert told[max(index for index in told if index < before.indices[0])] == 4
    assert told[max(told)] == 5
    assert before.indices[0] < max(told) < after.indices[0]


async def test_one_agreement_under_another_salt_is_the_same_agreement(world: World) -> None:
    """Or one party could fill the directory, which everybody keeps, with copies of it."""
    parties = list(world.agencies.values())
    line = await world.line(A)
    package = agreement(parties, *world.pins.lasting, NOW, reference="second")
    first = await line.register(agreement=package)
    signed = decode(SignedAgreement, package, 2**20, "agreement")
    salted = encode(SignedAgreement(signed.agreement, signed.signatures, bytes(32)))
    again = await line.register(agreement=salted)
    assert first.code is None
    assert first.indices
    assert again == first


async def test_one_reading_of_a_delivery_is_logged(world: World) -> None:
    """The second one, another statement in the same batch or later, is refused by a record."""
    sender, recipient = world.agencies[A], world.agencies[B]
    out, into = await world.line(A), await world.line(B)
    made = sender.bulletin([B], world.clock())
    items, batch = sender.submissions([made], [recipient])
    await out.submit(items, batch)
    about = [(made.bulletin_id, made.ciphertext_digest)]
    for event in (Event.HANDOVER, Event.ACCEPTED):
        said, batch = recipient.statements(event, about, (A, B), world.clock())
        (result,) = await into.state(said, batch)
        assert result.code is None
    now = world.clock()
    first, batch = recipient.statements(Event.READ, about, (A, B), now)
    second, other = recipient.statements(Event.READ, about, (A, B), now + 1)
    results = await into.state([*first, *second], batch, other)
    assert [result.code for result in results] == [None, "already_read"]
    assert [len(result.indices) for result in results] == [1, 1]
    (repeated,) = await into.state(first, batch)
    assert repeated == results[0]
    third, batch = recipient.statements(Event.READ, about, (A, B), now + 2, "system")
    (result,) = await into.state(third, batch)
    assert result.code == "already_read"
