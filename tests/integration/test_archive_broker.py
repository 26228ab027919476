"""A broker whose finished bulletins have left the server's memory: nothing is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from saphan_broker import store_care
from saphan_broker.objects.directory import DirectoryObjects
from saphan_broker.store.redis import store as engine
from saphan_broker.store.redis.archive.policy import Policy
from saphan_broker.store.redis.store import RedisStore
from saphan_protocol.keys import SigningKey
from saphan_schemas.errors import Unavailable
from saphan_schemas.frames import Result
from saphan_schemas.records import Event, HeadRef, Role
from support.agency import Agency, Made
from support.archives import archive_all, held
from support.ceremony import add, revoke
from support.crews import Crew, until
from support.session import Line

A, B = "la.ospp", "kh.gpo"
NOTHING_KEPT = Policy(keep_blocks=0, keep_bulletins=0, keep_box=1, least_bulletins=1, least_box=1)


@pytest.fixture
async def crew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Crew]:
    """Two members, of which none leaves in memory what is signed and can leave."""
    monkeypatch.setattr(engine, "Policy", lambda: NOTHING_KEPT)
    monkeypatch.setattr(store_care, "RECALL_SECONDS", 0.02)
    crew = Crew(tmp_path, A, B)
    async with crew.carried(2):
        await crew.enrol()
        yield crew


async def archive(crew: Crew) -> None:
    store = crew.holder.broker.state.store
    assert isinstance(store, RedisStore)
    await archive_all(store)
    found = await held(crew.server, crew.choice.redis.name if crew.choice.redis else "")
    assert found["b"] == found["n"] == 0, found


async def accept(crew: Crew, line: Line, made: list[Made]) -> int:
    """Bulletins that A sent are taken over and accepted by B; gives the last entry's index."""
    last = 0
    for event in (Event.HANDOVER, Event.ACCEPTED):
        said = crew.agencies[B].statements(event, about(made), (A, B), crew.clock())
        answers = await line.state(*said)
        assert {answer.code for answer in answers} == {None}
        last = answers[-1].indices[0]
    return last


def about(made: list[Made]) -> list[tuple[bytes, bytes]]:
    return [(one.bulletin_id, one.ciphertext_digest) for one in made]


async def test_duplicates_replays_and_answers_are_known_after_they_were_archived(
    crew: Crew,
) -> None:
    """The first answer is given again by every process, for as long as the records live."""
    follower = crew.members[1]
    sender, receiver = crew.agencies[A], crew.agencies[B]
    made = [sender.bulletin([B], crew.clock()) for _ in range(5)]
    items, batch = sender.submissions(made, [receiver])
    out, into = await crew.line_at(follower, A), await crew.line_at(follower, B)
    first = await out.submit(items, batch)
    assert {result.code for result in first} == {None}
    said = {}
    answers: dict[Event, Sequence[Result]] = {}
    for event in (Event.HANDOVER, Event.ACCEPTED):
        said[event] = receiver.statements(event, about(made), (A, B), crew.clock())
        answers[event] = await into.state(*said[event])
        assert {result.code for result in answers[event]} == {None}
    await archive(crew)

    other = sender.bulletin([B], crew.clock(), nonce=made[2].header.nonce)
    replayed = sender.submissions([other], [receiver])
    for member in crew.members:
        line = await crew.line_at(member, A)
        assert [r.indices for r in await line.submit(items, batch)] == [r.indices for r in first]
        (bad,) = await line.submit(*replayed)
        assert bad.code == "replay"
        await line.close()
        line = await crew.line_at(member, B)
        for event in (Event.ACCEPTED, Event.HANDOVER):
            again = await line.state(*said[event])
            assert [r.indices for r in again] == [r.indices for r in answers[event]]
        stanzas = await line.stanzas(*(one.bulletin_id for one in made))
        assert [bool(stanza) for stanza in stanzas] == [True] * 5
        await line.close()

    read = receiver.statements(Event.READ, about(made[:1]), (A, B), crew.clock())
    (late,) = await into.state(*read)
    assert late.code is None
    await archive(crew)
    assert [r.indices for r in await into.state(*read)] == [late.indices]
    twice = receiver.statements(Event.READ, about(made[:1]), (A, B), crew.clock(), "system")
    (second,) = await into.state(*twice)
    assert second.code == "already_read"


async def test_what_was_archived_is_disclosed_by_both_and_each_time_once(crew: Crew) -> None:
    """A court asks years later; the answer is the first one, from every process and for ever."""
    sender, receiver = crew.agencies[A], crew.agencies[B]
    made = [sender.bulletin([B], crew.clock()) for _ in range(5)]
    out, into = await crew.line_at(crew.holder, A), await crew.line_at(crew.members[1], B)
    await out.submit(*sender.submissions(made, [receiver]))
    await accept(crew, into, made)
    await archive(crew)
    said = [
        agency.statements(
            Event.EXPORTED, about(made[:1]), (name, name), crew.clock(), "disclosed", detail
        )
        for name, agency, detail in ((A, sender, b"1" * 32), (A, sender, b"2" * 32))
    ]
    own = receiver.statements(
        Event.EXPORTED, about(made[:1]), (B, B), crew.clock(), "disclosed", b"1" * 32
    )
    first = [await out.state(*one) for one in said] + [await into.state(*own)]
    assert {result.code for (result,) in first} == {None}
    await archive(crew)
    repeated = [await out.state(*one) for one in said] + [await into.state(*own)]
    assert repeated == first


async def test_what_a_revoked_key_said_has_its_first_answer_out_of_the_archive(crew: Crew) -> None:
    """Both change their node keys; then each says it all again, at either process."""
    sender, receiver = crew.agencies[A], crew.agencies[B]
    made = [sender.bulletin([B], crew.clock()) for _ in range(3)]
    submissions = sender.submissions(made[:2], [receiver])
    unsaid = sender.submissions(made[2:], [receiver])
    out, into = await crew.line_at(crew.holder, A), await crew.line_at(crew.members[1], B)
    first = await out.submit(*submissions)
    handovers = receiver.statements(Event.HANDOVER, about(made[:2]), (A, B), crew.clock())
    taken = await into.state(*handovers)
    assert {result.code for result in (*first, *taken)} == {None}
    late = receiver.statements(Event.ACCEPTED, about(made[:2]), (A, B), crew.clock())
    for name, line in ((A, out), (B, into)):
        await change_node_key(crew, line, crew.agencies[name])
    await archive(crew)
    for member in crew.members:
        out, into = await crew.line_at(member, A), await crew.line_at(member, B)
        assert await out.submit(*submissions) == first
        assert await into.state(*handovers) == taken
        refused = [*await out.submit(*unsaid), *await into.state(*late)]
        assert {result.code for result in refused} == {"key_revoked"}
        for line in (out, into):
            await line.close()


async def change_node_key(crew: Crew, line: Line, agency: Agency) -> None:
    """A new one is added and the old one revoked, in one operation; sessions use the new one."""
    version, newest, _ = crew.holder.broker.state.directory.version(agency.name)
    assert newest is not None
    new = SigningKey(Role.NODE, agency.random(64))
    changes = [add(Role.NODE, new.public), revoke(Role.NODE, agency.node.key_id)]
    result = await line.register(operation=agency.operation(version + 1, newest, changes, [new]))
    assert result.code is None, result
    agency.node = new
    for member in crew.members:
        await until(lambda: member.broker.state.directory.version(agency.name)[0] == version + 1)  # noqa: B023


async def test_who_has_nothing_is_fed_everything_from_the_archive(crew: Crew) -> None:
    """By a process that has started since, so nothing of it is in anybody's memory."""
    sender, receiver = crew.agencies[A], crew.agencies[B]
    made = [sender.bulletin([B], crew.clock()) for _ in range(300)]
    out, into = await crew.line_at(crew.members[0], A), await crew.line_at(crew.members[0], B)
    items, batch = sender.submissions(made, [receiver])
    results = [*await out.submit(items[:150], batch), *await out.submit(items[150:], batch)]
    assert {result.code for result in results} == {None}
    for event in (Event.HANDOVER, Event.ACCEPTED):
        said, signature = receiver.statements(event, about(made), (A, B), crew.clock())
        for at in (0, 150):
            answers = await into.state(said[at : at + 150], signature)
            assert {answer.code for answer in answers} == {None}
    await archive(crew)
    member = await crew.join()
    line = await crew.line_at(member, B)
    for one, result in zip(made, results, strict=True):
        _entry, given = await line.entry(result.indices[0])
        assert (given.header, given.ciphertext) == (one.header_bytes, one.ciphertext)


@pytest.mark.parametrize("part", ["facts", "blocks"])
async def test_what_the_archive_has_lost_waits_and_its_neighbours_go_on(
    crew: Crew, tmp_path: Path, part: str
) -> None:
    """A duplicate is not taken for new, nor does it hold up what comes in one group with it."""
    sender, receiver = crew.agencies[A], crew.agencies[B]
    made = [sender.bulletin([B], crew.clock()) for _ in range(100)]
    out, into = await crew.line_at(crew.holder, A), await crew.line_at(crew.holder, B)
    old, batch = sender.submissions(made, [receiver])
    assert {result.code for result in await out.submit(old, batch)} == {None}
    last = await accept(crew, into, made)
    for line in (out, into):
        await line.entry(last)
    await archive(crew)
    broker = crew.holder.broker
    await broker.state.reopen_store()
    moved = await asyncio.to_thread(_hide, tmp_path, part)
    items, batch = sender.submissions(
        [made[3], *(sender.bulletin([B], crew.clock()) for _ in range(3)), made[5]],
        [receiver],
        seen=HeadRef(broker.state.evidence.origin, 200, bytes(32)) if part == "blocks" else None,
    )
    results = await out.submit(items, batch)
    codes = [result.code for result in results]
    lost = "record_unreadable"
    assert codes == ([lost] * 5 if part == "blocks" else [lost, None, None, None, lost])
    assert "object_missing" in {alarm.code for alarm in broker.state.alarms.active()}
    assert not broker.sequencer.broken
    for path, hidden in moved.items():
        await asyncio.to_thread(hidden.rename, path)
    codes = [result.code for result in await out.submit(items, batch)]
    decided = "already_decided"
    late = ["seen_differs"] * 5 if part == "blocks" else [decided, None, None, None, decided]
    assert codes == late


async def test_while_the_objects_are_out_of_reach_only_duplicates_of_old_ones_wait(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, receiver = crew.agencies[A], crew.agencies[B]
    made = [sender.bulletin([B], crew.clock()) for _ in range(2)]
    out, into = await crew.line_at(crew.holder, A), await crew.line_at(crew.holder, B)
    old = sender.submissions(made, [receiver])
    first = await out.submit(*old)
    last = await accept(crew, into, made)
    for line in (out, into):
        await line.entry(last)
    await archive(crew)
    with monkeypatch.context() as away:

        async def unreachable(*_arguments: object) -> None:
            raise Unavailable("blobs_unreachable", "injected")

        for call in ("get", "get_range", "size", "exists"):
            away.setattr(DirectoryObjects, call, unreachable)
        await crew.holder.broker.state.reopen_store()
        new = sender.submissions([sender.bulletin([B], crew.clock()) for _ in range(3)], [receiver])
        held_up, going_on = await asyncio.gather(out.submit(*old), out.submit(*new))
        assert {result.code for result in held_up} == {"blobs_unreachable"}
        assert {result.code for result in going_on} == {None}
        assert not crew.holder.broker.sequencer.broken
    assert [result.indices for result in await out.submit(*old)] == [
        result.indices for result in first
    ]


async def test_a_feed_that_meets_a_lost_object_ends_with_an_alarm_and_goes_on_later(
    crew: Crew, tmp_path: Path
) -> None:
    sender, receiver = crew.agencies[A], crew.agencies[B]
    made = [sender.bulletin([B], crew.clock()) for _ in range(260)]
    out = await crew.line_at(crew.holder, A)
    last = 0
    for at in (0, 130):
        sent = await out.submit(*sender.submissions(made[at : at + 130], [receiver]))
        assert {result.code for result in sent} == {None}
        last = sent[-1].indices[0]
    store = crew.holder.broker.state.store
    assert isinstance(store, RedisStore)
    await archive_all(store)
    member = await crew.join()
    moved = await asyncio.to_thread(_hide, tmp_path, "blocks")
    line = await crew.line_at(member, B)
    assert (await line.closed()).code == "object_missing"
    assert [alarm.code for alarm in member.broker.state.alarms.active()] == ["object_missing"]
    for path, hidden in moved.items():
        await asyncio.to_thread(hidden.rename, path)
    line = await crew.line_at(member, B)
    await line.entry(last)
    await until(lambda: not member.broker.state.alarms.active())


def _hide(place: Path, part: str) -> dict[Path, Path]:
    """Objects of a kind under other names; gives both."""
    found = [path for path in place.rglob("*") if path.is_file() and f"/{part}/" in str(path)]
    assert found
    return {path: path.rename(path.with_name(f".{path.name}")) for path in found}
