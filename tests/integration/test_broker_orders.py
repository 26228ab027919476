"""Orders on agreements at a running broker, and what they and revocations overtake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan_protocol.agreement import AGREEMENT_TYPE
from saphan_protocol.identity import identity
from saphan_protocol.operation import parse_agreement_package
from saphan_schemas.directory_records import Change
from saphan_schemas.frames import Result
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Event, Role
from support.agency import Agency, Made, agreement, order_by
from support.brokers import World
from support.ceremony import revoke
from support.session import Line

A, B, C = "la.ospp", "kh.gpo", "vn.bca"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A broker that runs, three agencies enrolled, no agreement yet."""
    world = World(tmp_path, A, B, C)
    await world.init()
    async with world.running():
        for agency in world.agencies.values():
            await world.broker.admit_operation(agency.enrolment())
        yield world


async def agree(world: World, in_flight: str = "deliver", days: int = 3000) -> bytes:
    """One agreement of A and B; its identity."""
    parties = [world.agencies[A], world.agencies[B]]
    package = agreement(
        parties,
        *world.pins.lasting,
        world.clock(),
        in_flight=in_flight,
        valid_until=world.clock() + days * DAY_MS,
    )
    line = await world.line(A)
    result = await line.register(agreement=package)
    assert result.code is None, result
    await line.close()
    return identity(AGREEMENT_TYPE, parse_agreement_package(package).agreement)


async def send(world: World, out: Line) -> tuple[Made, Result]:
    made = world.agencies[A].bulletin([B], world.clock())
    items, batch = world.agencies[A].submissions([made], [world.agencies[B]])
    (result,) = await out.submit(items, batch)
    return made, result


async def hand_over(world: World, into: Line, made: Made) -> str | None:
    about = [(made.bulletin_id, made.ciphertext_digest)]
    said, batch = world.agencies[B].statements(Event.HANDOVER, about, (A, B), world.clock())
    (result,) = await into.state(said, batch)
    return result.code


async def test_suspended_agreement_admits_nothing_until_it_is_resumed(world: World) -> None:
    name = await agree(world)
    out, into = await world.line(A), await world.line(B)
    suspended = await into.register(order=order_by(world.agencies[B], name, "suspend"))
    assert suspended.code is None, suspended
    _, result = await send(world, out)
    assert result.code == "agreement_suspended"
    assert result.indices  # the sender is proven: the refusal is a record
    resumed = await into.register(order=order_by(world.agencies[B], name, "resume", 2))
    assert resumed.code is None, resumed
    _, result = await send(world, out)
    assert result.code is None


@pytest.mark.parametrize(("in_flight", "code"), [("deliver", None), ("stop", "agreement_stopped")])
async def test_what_is_in_flight_is_treated_as_agreed(
    world: World, in_flight: str, code: str | None
) -> None:
    name = await agree(world, in_flight)
    out, into = await world.line(A), await world.line(B)
    made, result = await send(world, out)
    assert result.code is None, result
    await into.register(order=order_by(world.agencies[A], name, "suspend"))
    assert await hand_over(world, into, made) == code
    if code is not None:
        await out.register(order=order_by(world.agencies[A], name, "resume", 2))
        assert await hand_over(world, into, made) is None


async def test_agreement_ends_by_its_date_and_stops_what_is_in_flight(world: World) -> None:
    await agree(world, "stop", days=2)
    out, into = await world.line(A), await world.line(B)
    made, result = await send(world, out)
    assert result.code is None, result
    await out.close()
    await into.close()
    world.clock.ahead += 3 * DAY_MS
    into = await world.line(B)
    assert await hand_over(world, into, made) == "agreement_stopped"


async def test_an_order_sent_again_gets_its_first_answer(world: World) -> None:
    name = await agree(world)
    out, into = await world.line(A), await world.line(B)
    package = order_by(world.agencies[B], name, "suspend")
    first = await into.register(order=package)
    assert first.code is None
    assert await into.register(order=package) == first
    assert await out.register(order=package) == first  # the other side may bring it too


async def test_a_stranger_learns_nothing_of_an_agreement_by_ordering(world: World) -> None:
    name = await agree(world)
    line = await world.line(C)
    known = await line.register(order=order_by(world.agencies[C], name, "suspend"))
    unknown = await line.register(order=order_by(world.agencies[C], bytes(32), "suspend"))
    assert (known.code, known.message) == (unknown.code, unknown.message)
    assert known.code == "agreement_unknown"


async def test_parties_get_the_order_and_others_its_commitment_only(world: World) -> None:
    name = await agree(world)
    line = await world.line(B)
    await line.register(order=order_by(world.agencies[B], name, "suspend"))
    size = world.broker.state.directory.size
    for party, opened in ((A, 2), (B, 2), (C, 0)):
        line = await world.line(party)
        await line.until(lambda line=line: len(line.leaves) == size)  # type: ignore[misc]
        assert len(line.packages) == opened, party


async def test_thief_of_a_node_key_gets_no_bulletin_handed_over_after_the_revocation(
    world: World,
) -> None:
    """Timeline: a forged bulletin is logged; the revocation, delayed, is logged; B wants it."""
    await agree(world)
    thief, into = await world.line(A), await world.line(B)
    made, result = await send(world, thief)
    assert result.code is None, result
    await into.register(operation=_revokes(world, A, Role.NODE, world.agencies[A].node.key_id))
    assert await hand_over(world, into, made) == "consignment_revoked"


async def test_revoked_mailbox_key_gets_no_stanza(world: World) -> None:
    await agree(world)
    out, into = await world.line(A), await world.line(B)
    made, result = await send(world, out)
    assert result.code is None, result
    key = world.agencies[B].mailbox.key_id
    assert (await into.register(operation=_revokes(world, B, Role.MAILBOX, key))).code is None
    assert await hand_over(world, into, made) == "mailbox_revoked"


async def test_broker_restarted_knows_its_orders(tmp_path: Path) -> None:
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
        (agreed,) = world.broker.state.directory.agreements_of(A)
        line = await world.line(B)
        result = await line.register(order=order_by(world.agencies[B], agreed.name, "suspend"))
        assert result.code is None, result
    async with world.running():
        _, result = await send(world, await world.line(A))
        assert result.code == "agreement_suspended"


async def test_a_renewal_brought_again_gets_its_first_answer(world: World) -> None:
    name = await agree(world)
    parties = [world.agencies[A], world.agencies[B]]
    renewal = agreement(parties, *world.pins.lasting, world.clock(), replaces=name)
    line, other = await world.line(A), await world.line(B)
    first = await line.register(agreement=renewal)
    assert first.code is None
    assert await other.register(agreement=renewal) == first


def _revokes(world: World, name: str, role: Role, key: bytes) -> bytes:
    agency: Agency = world.agencies[name]
    version, newest, _ = world.broker.state.directory.version(name)
    assert newest is not None
    change: Change = revoke(role, key)
    return agency.operation(version + 1, newest, [change])
