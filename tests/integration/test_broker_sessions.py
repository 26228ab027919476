"""Sessions with a broker: who gets in, what ends a session, and that it ends only that one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import aiohttp
import msgspec
import pytest
from saphan_broker.witnessed import witness_keys
from saphan_protocol.checkpoint import Head, cosign_lines, verify_cosignatures
from saphan_protocol.notes import add_lines
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import Change
from saphan_schemas.frames import Ack, Closing, Cosign, FromBroker, Ping, Register
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import HeadRef, Role
from support.brokers import World
from support.session import Line

A, B = "la.ospp", "kh.gpo"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A broker that runs, two agencies enrolled, one agreement logged."""
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
        yield world


async def refused(world: World, **login: object) -> Closing:
    """Why the broker refuses a login with these fields replaced."""
    line = Line(world.agencies[A], world.pins, world.clock, True)
    await line.connect(world.url, **login)
    await line.close()
    assert line.closing is not None
    return line.closing


async def test_strangers_make_room_for_those_who_log_in(world: World) -> None:
    """More connections than may be open before a login: the oldest go, and a node gets in."""
    async with aiohttp.ClientSession() as http:
        opened = [
            await http.ws_connect(f"{world.url}/v1/session") for _ in range(LIMITS.strangers + 3)
        ]
        for ws in opened:
            await ws.receive_bytes()  # the challenge
        for ws in opened[:3]:
            said = msgspec.msgpack.decode(await ws.receive_bytes(), type=FromBroker)
            assert isinstance(said, Closing)
            assert said.code == "login_timeout"
        line = await world.line(A)
        assert line.closing is None
        assert line.token
        for ws in opened:
            await ws.close()


async def test_login_of_more_than_a_login_is_not_parsed(world: World) -> None:
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{world.url}/v1/session") as ws:
        await ws.receive_bytes()
        await ws.send_bytes(bytes(LIMITS.login_bytes + 1))
        said = msgspec.msgpack.decode(await ws.receive_bytes(), type=FromBroker)
    assert isinstance(said, Closing)
    assert said.code == "too_large"


async def test_login_with_another_agencys_name_is_refused(world: World) -> None:
    assert (await refused(world, agency=B)).code == "key_foreign"


async def test_login_with_an_unknown_key_is_refused(world: World) -> None:
    assert (await refused(world, key=bytes(32))).code == "key_unknown"


async def test_login_signed_for_another_challenge_is_refused(world: World) -> None:
    assert (await refused(world, nonce=bytes(32))).code == "signature_invalid"


async def test_login_by_a_clock_a_day_off_names_both_clocks(world: World) -> None:
    wrong = world.clock() - 86_400_000
    closing = await refused(world, clock=wrong)
    assert closing.code == "clock_skew"
    assert str(wrong) in closing.message
    assert world.broker.ready().ready


async def test_node_that_knows_more_than_the_store_sounds_an_alarm(world: World) -> None:
    """Timeline: the store is put back from a copy; a node comes with a head that it lacks."""
    line = await world.line(A)
    await line.until(lambda: len(line.heads) == 2)
    await line.close()
    real = line.heads[world.pins.evidence.origin]
    ahead = Line(world.agencies[A], world.pins, world.clock, True)
    for size, root in ((real.size + 5, real.root), (real.size, bytes(32))):
        ahead.heads = {real.origin: other_head(real, size, root)}
        await ahead.connect(world.url)
        assert ahead.closing is not None
        assert ahead.closing.code == "store_behind_node"
        await ahead.close()
    assert "store_behind_node" in {alarm.code for alarm in world.broker.state.alarms.active()}


async def test_node_that_knows_what_is_not_published_yet_comes_again(world: World) -> None:
    """Another process has shown the head; the one that wrote it waits for its replicas."""
    book, line = world.broker.state.evidence, await world.line(A)
    before = book.published
    made = world.agencies[A].bulletin([B], world.clock())
    items, batch = world.agencies[A].submissions([made], [world.agencies[B]])
    await line.submit(items, batch)
    await line.until(lambda: line.heads[book.origin].size == book.tree.size)
    await line.close()
    now, book.published = book.published, before
    again = Line(world.agencies[A], world.pins, world.clock, True)
    again.heads = {book.origin: line.heads[book.origin]}
    await again.connect(world.url)
    assert again.closing is not None
    assert (again.closing.code, again.closing.retry_after_ms > 0) == ("busy", True)
    await again.close()
    assert not world.broker.state.alarms.active()
    book.published = now
    await (await world.line(A, resume=line)).close()


def other_head(head: Head, size: int, root: bytes) -> Head:
    """The same head with another size and root, as a liar or a lost store would show it."""
    return replace(head, size=size, root=root)


async def test_node_that_knows_more_keeps_a_started_broker_from_signing(world: World) -> None:
    """Timeline: a restart on an old copy; the node with the newer head comes first, then one
    that has missed as much as the copy."""
    line = await world.line(A)
    await line.until(lambda: len(line.heads) == 2)
    await world.broker.stop()
    async with world.running() as broker:
        real = line.heads[world.pins.evidence.origin]
        ahead = Line(world.agencies[A], world.pins, world.clock, True)
        ahead.heads = {real.origin: other_head(real, real.size + 1, real.root)}
        await ahead.connect(world.url)
        await ahead.close()
        other = await world.line(B)
        assert other.closing is not None
        assert other.closing.code == "signer_held"
        assert not broker.ready().ready


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "malformed"),
        (b"\xc1", "malformed"),
        (b"\x91" * 1_000_000, "malformed"),
        (b"\x93\x0a\x01", "malformed"),
        (encode([99, 1]), "malformed"),
        (encode([16, "soon"]), "malformed"),
        (b"\x92\x10\xa1\xff", "malformed"),
        (b"\x92\x10\xcd\x00\x01", "not_canonical"),
    ],
)
async def test_malformed_message_ends_only_its_own_session(
    world: World, data: bytes, code: str
) -> None:
    line, other = await world.line(A), await world.line(B)
    await line.ws.send_bytes(data)
    closing = await line.closed()
    assert closing.code == code
    sender = world.agencies[A]
    again = await world.line(A)
    items, batch = sender.submissions([sender.bulletin([B], world.clock())], [world.agencies[B]])
    (result,) = await again.submit(items, batch)
    await other.entry(result.indices[0])


async def test_text_and_second_login_are_refused(world: World) -> None:
    line = await world.line(A)
    await line.ws.send_str("hello")
    assert (await line.closed()).code == "malformed"


async def test_message_over_the_limit_ends_the_session(world: World) -> None:
    line, other = await world.line(A), await world.line(B)
    with suppress(ConnectionError):  # the broker stops reading in the middle of it
        await line.ws.send_bytes(bytes(LIMITS.frame_bytes + 2))
    await line.ended()
    sender = world.agencies[A]
    again = await world.line(A)
    items, batch = sender.submissions([sender.bulletin([B], world.clock())], [world.agencies[B]])
    (result,) = await again.submit(items, batch)
    await other.entry(result.indices[0])


async def test_first_message_must_be_a_login(world: World) -> None:
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{world.url}/v1/session") as ws:
        await ws.receive()
        await ws.send_bytes(encode(Ping(0)))
        message = await ws.receive()
        closing = msgspec.msgpack.decode(message.data, type=FromBroker)
        assert isinstance(closing, Closing)
        assert closing.code == "login_expected"


async def test_sessions_of_one_agency_are_bounded(world: World) -> None:
    lines = [await world.line(A) for _ in range(LIMITS.sessions_per_agency)]
    extra = await world.line(A)
    assert extra.closing is not None
    assert extra.closing.code == "sessions_full"
    assert all(line.closing is None for line in lines)
    other = await world.line(B)
    assert other.closing is None


async def test_pipelined_requests_are_all_answered_in_log_order(world: World) -> None:
    sender = world.agencies[A]
    out = await world.line(A)
    made = [sender.bulletin([B], world.clock()) for _ in range(100)]
    waiting = []
    for one in made:
        items, batch = sender.submissions([one], [world.agencies[B]])
        waiting.append(await out.send_submit(items, batch))
    indices = [(await answer)[0].indices[0] for answer in waiting]
    assert indices == sorted(indices)
    assert len(set(indices)) == 100


def revocation(world: World, name: str) -> bytes:
    """The agency's next operation: its node key is revoked."""
    agency = world.agencies[name]
    version, newest, _ = world.broker.state.directory.version(name)
    assert newest is not None
    change = Change("revoke", Role.NODE, agency.node.key_id, None, None, None)
    return agency.operation(version + 1, newest, [change])


async def test_revoked_node_key_ends_what_it_may_do(world: World) -> None:
    out = await world.line(A)
    result = await out.register(operation=revocation(world, A))
    assert result.code is None, result
    assert (await out.closed()).code == "key_revoked"
    assert (await refused(world)).code == "key_revoked"


async def test_revoked_node_that_takes_nothing_gets_nothing_more(world: World) -> None:
    """Timeline: a node does not take its feed; its key is revoked; it asks for stanzas."""
    out = await world.line(A)
    await out.until(lambda: bool(out.anchors) and out.anchors[-1][1] == 4)
    (session,) = world.broker._sessions
    assert session._pump is not None

    begun = asyncio.Event()

    async def stalled(_data: bytes) -> None:
        begun.set()
        await asyncio.Event().wait()

    session._pump._send = stalled
    world.clock.ahead += LIMITS.head_quiet_ms
    world.broker.freshen()  # a fresh head to be told
    await begun.wait()
    assert await world.broker.admit_operation(revocation(world, A))
    with suppress(asyncio.CancelledError):
        await out.stanzas(bytes(32))
        raise AssertionError("it was answered")
    assert (await out.closed()).code == "key_revoked"


async def test_who_cuts_the_line_of_a_stolen_node_does_not_stop_its_revocation(
    world: World,
) -> None:
    """Any other agency's session brings it: its roots' signatures count, not who carries it."""
    carrier = await world.line(B)
    operation = revocation(world, A)
    result = await carrier.register(operation=operation)
    assert result.code is None, result
    assert (await carrier.register(operation=operation)).code is None  # also by its owner, later
    assert (await refused(world)).code == "key_revoked"


async def test_first_operation_of_an_agency_over_a_session_is_refused(world: World) -> None:
    line = await world.line(B)
    result = await line.register(operation=world.agencies[A].enrolment())
    assert result.code == "operation_peer"
    both = Register(2**40, b"\x00", b"\x00")
    number, answer = line._ask()
    await line.ws.send_bytes(encode(msgspec.structs.replace(both, request=number)))
    assert (await answer)[0].code == "malformed"


async def test_cosigned_head_becomes_witnessed_time(world: World) -> None:
    line = await world.line(A)
    origin = world.pins.evidence.origin
    await line.until(lambda: origin in line.heads)
    head = line.heads[origin]
    await line.cosign(head)
    items, batch = world.agencies[A].submissions(
        [world.agencies[A].bulletin([B], world.clock())], [world.agencies[B]]
    )
    await line.submit(items, batch)  # answered after the cosignature before it was read
    assert world.broker.witnessed.now == head.time * 1000
    rows = await world.broker.store.cosignatures("evidence")
    assert [(row.agency, row.size) for row in rows] == [(A, head.size)]


async def test_cosigned_head_is_told_to_who_has_entries_under_it(world: World) -> None:
    """Timeline: a consigns to b; b cosigns the head that it was told; a gets b's lines alone."""
    out, into = await world.line(A), await world.line(B)
    origin = world.pins.evidence.origin
    items, batch = world.agencies[A].submissions(
        [world.agencies[A].bulletin([B], world.clock())], [world.agencies[B]]
    )
    (result,) = await out.submit(items, batch)
    await out.entry(result.indices[0])
    await into.entry(result.indices[0])
    head = into.heads[origin]
    await into.cosign(head)
    world.clock.ahead += 2_000  # past the shortest pause
    await out.until(lambda: bool(out.witnessed))
    (told,) = out.witnessed
    assert told.head == head.ref == out.heads[origin].ref
    pairs = witness_keys(world.broker.state, B)
    assert verify_cosignatures(add_lines(head.note, told.lines), pairs)
    assert into.witnessed == []  # its own lines are nothing new to it


async def test_cosignature_by_another_witness_or_on_another_root_ends_the_session(
    world: World,
) -> None:
    line = await world.line(A)
    origin = world.pins.evidence.origin
    await line.until(lambda: origin in line.heads)
    head, witness = line.heads[origin], world.agencies[B].witness
    lines = cosign_lines(witness.ed25519, witness.mldsa44, B, head.text, head.time)
    await line.ws.send_bytes(encode(Cosign(head.ref, lines)))
    assert (await line.closed()).code == "witness_unknown"
    line = await world.line(A)
    await line.ws.send_bytes(encode(Cosign(HeadRef(origin, head.size, bytes(32)), lines)))
    assert (await line.closed()).code == "head_unknown"
    assert world.broker.witnessed.now == 0


async def test_stop_answers_what_was_sent_and_says_why(world: World) -> None:
    sender = world.agencies[A]
    out = await world.line(A)
    made = [sender.bulletin([B], world.clock()) for _ in range(64)]
    items, batch = sender.submissions(made, [world.agencies[B]])
    waiting = [await out.send_submit([item], batch) for item in items[:32]]
    first = await waiting[0]
    assert first[0].code is None
    await world.broker.stop()
    assert (await out.closed()).code == "shutting_down"
    answered = [
        answer
        for answer in waiting
        if asyncio.isfuture(answer) and answer.done() and not answer.cancelled()
    ]
    # What was read is answered; what was not is not half-kept: it is not there.
    codes = {answer.result()[0].code for answer in answered}
    assert codes <= {None, "shutting_down"}
    logged = sum(answer.result()[0].code is None for answer in answered)
    async with world.running() as broker:
        facts = await broker.store.bulletins([one.bulletin_id for one in made])
        assert len(facts) == logged


async def test_stop_does_not_wait_for_one_who_never_logs_in(world: World) -> None:
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{world.url}/v1/session") as ws:
        await ws.receive()
        await world.broker.stop()
        message = await ws.receive()
        closing = msgspec.msgpack.decode(message.data, type=FromBroker)
        assert isinstance(closing, Closing)
        assert closing.code == "shutting_down"


async def test_receiver_that_stalls_costs_little_and_resumes(world: World) -> None:
    """Timeline: B stops acknowledging; more than its window waits; others go on; B returns."""
    sender = world.agencies[A]
    out, stalled = await world.line(A), await world.line(B, ack=False)
    count = LIMITS.feed_window_items + 200
    made = [sender.bulletin([B], world.clock()) for _ in range(count)]
    last = 0
    for start in range(0, count, 64):
        items, batch = sender.submissions(made[start : start + 64], [world.agencies[B]])
        results = await out.submit(items, batch)
        last = results[-1].indices[0]
    await out.entry(last)
    await stalled.until(lambda: bool(stalled.entries))
    assert len(stalled.entries) <= LIMITS.feed_window_items
    assert last not in stalled.entries
    await stalled.ws.send_bytes(encode(Ack(stalled.after or 0)))
    stalled.ack = True
    await stalled.entry(last)
    assert sum(entry.sender == A for entry, _ in stalled.entries.values()) == count
