"""Bad input at a running broker: a code and a hint each, nothing half-kept, and nobody is stopped.

docs/bad-input.md lists every kind with the test that shows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import msgspec
import pytest
from saphan_schemas import messages
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import Change, CorridorRule, SignedAgreement
from saphan_schemas.errors import Refused
from saphan_schemas.frames import Register, Result, Submission, Submit
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Consignment, Role
from support.agency import Agency, Made, agreement
from support.bad_submissions import SUBMISSIONS, statements
from support.brokers import World
from support.ceremony import revoke
from support.session import Line

A, B = "la.ospp", "kh.gpo"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Two agencies with agreements, and a third, enrolled, that agreed on nothing."""
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
        await _more_agreed(world)
        world.agencies["th.oncb"] = Agency("th.oncb", world.clock())
        await world.broker.admit_operation(world.agencies["th.oncb"].enrolment())
        yield world


async def _more_agreed(world: World) -> None:
    """A second agreement, for a schema that no program registers."""
    rule = CorridorRule(A, B, ("saphan/unheard_of/1",), "amber", 400)
    parties = [world.agencies[A], world.agencies[B]]
    pins = world.pins.lasting
    package = agreement(parties, *pins, world.clock(), reference="second", rules=(rule,))
    line = await world.line(A)
    assert (await line.register(agreement=package)).code is None
    await line.close()


def explained(result: Result, code: str) -> None:
    """The code, in a sentence, with a way out: the broker's own or the catalogue's."""
    assert result.code == code, result
    assert result.message
    assert messages.error_hint(Refused(code, "", hint=result.hint)), f"{code} has no hint"
    assert messages.has_text(f"error.{code}")


async def deliver(world: World, line: Line) -> tuple[Made, int]:
    """A good bulletin goes through."""
    made = world.agencies[A].bulletin([B], world.clock())
    items, batch = world.agencies[A].submissions([made], [world.agencies[B]])
    (result,) = await line.submit(items, batch)
    assert result.code is None, result
    return made, result.indices[0]


@pytest.mark.parametrize("name", SUBMISSIONS)
async def test_a_bad_submission_is_refused_whole(world: World, name: str) -> None:
    bad = SUBMISSIONS[name]
    sender, recipient = world.agencies[A], world.agencies[B]
    out, into = await world.line(A), await world.line(B)
    made, before = await deliver(world, out)
    items, batch = bad.make(sender, recipient, world.clock(), made)
    (result,) = await out.submit(items, batch)
    explained(result, bad.code)
    assert len(result.indices) == bad.logged
    ids = [decode(Consignment, items[0].consignment, 99_999, "c").bulletin] if bad.logged else []
    assert set(await world.broker.store.bulletins(ids)) <= {made.bulletin_id}
    # A refusal before the sender is proven leaves no trace, one after it leaves its record alone.
    _, after = await deliver(world, out)
    assert after == before + 1 + bad.logged
    await into.entry(after)
    assert sorted(index for index in into.entries if index >= before) == [before, after]
    assert world.broker.ready().ready


async def test_an_agency_that_agreed_on_nothing_is_refused(world: World) -> None:
    stranger, recipient = world.agencies["th.oncb"], world.agencies[B]
    line, out = await world.line("th.oncb"), await world.line(A)
    made = stranger.bulletin([B], world.clock())
    items, batch = stranger.submissions([made], [recipient])
    (result,) = await line.submit(items, batch)
    explained(result, "agreement_missing")
    assert await world.broker.store.bulletins([made.bulletin_id]) == {}
    await deliver(world, out)


async def test_an_agency_that_nobody_knows_gets_no_session(world: World) -> None:
    stranger = Agency("vn.vks", world.clock())
    line = Line(stranger, world.pins, world.clock, True)
    await line.connect(world.url)
    await line.close()
    assert line.closing is not None
    assert line.closing.code == "agency_unknown"
    assert messages.error_hint(Refused("agency_unknown", "", hint=line.closing.hint))
    await deliver(world, await world.line(A))


async def test_bad_statements_are_refused_and_the_good_one_is_taken(world: World) -> None:
    out, into = await world.line(A), await world.line(B)
    made, index = await deliver(world, out)
    await into.entry(index)
    for name, (code, item, batch) in statements(world.agencies[B], made, world.clock()).items():
        (result,) = await into.state([item], batch)
        assert result.code == code, (name, result)
        explained(result, code)
    assert await into.stanzas(made.bulletin_id) == (None,)
    row = (await world.broker.store.deliveries([(made.bulletin_id, B)]))[made.bulletin_id, B]
    assert row.state == "submitted"


async def test_bad_operations_and_agreements_are_refused(world: World) -> None:
    line = await world.line(A)
    agency = world.agencies[A]
    version, newest, _ = world.broker.state.directory.version(A)
    assert newest is not None
    size = world.broker.state.directory.size
    own = [agency, world.agencies[B]]
    pins = world.pins.lasting
    good = agreement(own, *pins, world.clock(), reference="third")
    signed = decode(SignedAgreement, good, LIMITS.frame_bytes, "agreement")
    stranger = Agency("vn.vks", world.clock())
    foreign = agreement([agency, stranger], *pins, world.clock(), rules=(_rule("vn.vks"),))
    unsigned = encode(SignedAgreement(signed.agreement, signed.signatures[:1], signed.salt))
    for code, operation, package in (
        ("malformed", agency.enrolment()[:-1], None),
        ("malformed", b"\x91" * 65_000, None),
        ("operation_chain", agency.operation(version + 7, newest, [_revoked(agency)]), None),
        ("malformed", None, good[:-1]),
        ("malformed", None, b"\x91" * 1_000_000),
        ("agreement_threshold", None, unsigned),
        ("agreement_roots", None, foreign),
    ):
        explained(await line.register(operation, package), code)
    assert world.broker.state.directory.size == size
    assert (await line.register(agreement=good)).code is None
    again = await line.register(agreement=good)
    assert again.code is None or again.code == "agreement_known"


def _rule(other: str) -> CorridorRule:
    return CorridorRule(A, other, ("saphan/training_notice/1",), "amber", 400)


def _revoked(agency: Agency) -> Change:
    return revoke(Role.OFFICER, agency.officer.key_id)


@pytest.mark.parametrize("part", ["header", "consignment", "ciphertext", "items", "operation"])
async def test_a_part_over_its_limit_ends_the_session_and_keeps_nothing(
    world: World, part: str
) -> None:
    """Frames are parsed with every bound in place: what is too long is never taken apart."""
    line = await world.line(A)
    _, before = await deliver(world, line)
    made = world.agencies[A].bulletin([B], world.clock())
    (item,), batch = world.agencies[A].submissions([made], [world.agencies[B]])
    sizes = {"header": LIMITS.header_bytes, "consignment": LIMITS.consignment_bytes}
    if part == "items":
        frame: object = Submit(7, (item,) * (LIMITS.frame_items + 1), (batch,))
    elif part == "operation":
        frame = Register(7, bytes(LIMITS.operation_bytes + 1), None)
    else:
        size = sizes.get(part, LIMITS.ciphertext_bytes)
        frame = Submit(7, (_with(item, part, bytes(size + 1)),), (batch,))
    await line.ws.send_bytes(encode(frame))
    closing = await line.closed()
    assert closing.code == "malformed"
    assert messages.error_hint(Refused(closing.code, "", hint=closing.hint))
    assert await world.broker.store.bulletins([made.bulletin_id]) == {}
    _, after = await deliver(world, await world.line(A))
    assert after == before + 1


def _with(item: Submission, part: str, data: bytes) -> Submission:
    return msgspec.structs.replace(item, **{part: data})


@pytest.mark.parametrize(
    "data",
    [
        b"\x00" * 4096,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"GET /v1/session HTTP/1.1\r\n" + b"A: " + b"x" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
    ],
    ids=["zeros", "a TLS greeting", "a long field", "a long path", "a huge body"],
)
async def test_a_stranger_who_speaks_something_else_stops_nobody(world: World, data: bytes) -> None:
    host, port = world.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    answer = await reader.read(64)
    assert answer[:10] in (b"HTTP/1.0 4", b"HTTP/1.1 4")
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    async with aiohttp.ClientSession() as http, http.get(f"{world.url}/v1/session") as plain:
        assert plain.status == 400
    await deliver(world, await world.line(A))
