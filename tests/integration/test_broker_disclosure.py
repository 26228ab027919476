"""A disclosure at the broker: an agency's own word about a bulletin that it sent or received."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from saphan_broker.quotas import Quotas
from saphan_protocol.quota import Quota
from saphan_schemas.frames import Result
from saphan_schemas.records import Event
from support.agency import Made
from support.brokers import World
from support.session import Line

A, B, C = "la.ospp", "kh.gpo", "th.oncb"
COMMITMENT = b"\x0d" * 32


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A broker that runs, three agencies enrolled, one agreement logged."""
    world = World(tmp_path, A, B, C)
    await world.init()
    async with world.running():
        await world.enrol()
        yield world


async def sent(world: World) -> Made:
    """A bulletin from A to B."""
    out = await world.line(A)
    made = world.agencies[A].bulletin([B], world.clock())
    await out.submit(*world.agencies[A].submissions([made], [world.agencies[B]]))
    await out.close()
    return made


async def disclose(
    world: World, line: Line, made: Made, detail: Any = COMMITMENT, **changes: Any
) -> Result:
    name = line.agency.name
    told: dict[str, Any] = {"corridor": (name, name), "code": "disclosed"} | changes
    items, batch = line.agency.statements(
        Event.EXPORTED,
        [(made.bulletin_id, told.get("digest", made.ciphertext_digest))],
        told["corridor"],
        world.clock(),
        told["code"],
        detail,
    )
    (result,) = await line.state(items, batch)
    (again,) = await line.state(items, batch)
    assert result.code is not None or again == result  # a duplicate gets the first answer
    return result


async def test_sender_and_recipient_disclose_as_often_as_they_must(world: World) -> None:
    made = await sent(world)
    for name in (A, B):
        line = await world.line(name)
        results = [await disclose(world, line, made, bytes([at] * 32)) for at in range(2)]
        assert [result.code for result in results] == [None, None]
        await line.entry(results[1].indices[0])
        entry, _given = line.entries[results[1].indices[0]]
        assert (entry.sender, entry.recipient) == (name, name)
    key = (made.bulletin_id, B)
    row = (await world.broker.store.deliveries([key]))[key]
    assert (row.state, row.last) == ("submitted", row.submitted)  # a step of no delivery


async def test_what_an_agency_has_nothing_to_do_with_it_cannot_have_disclosed(world: World) -> None:
    made = await sent(world)
    line = await world.line(C)
    assert (await disclose(world, line, made)).code == "bulletin_unknown"
    unknown = world.agencies[A].bulletin([B], world.clock())
    line = await world.line(A)
    assert (await disclose(world, line, unknown)).code == "bulletin_unknown"
    assert (await disclose(world, line, made, digest=b"\x01" * 32)).code == "statement_subject"


async def test_only_in_the_agency_s_own_corridor_with_a_commitment_and_its_code(
    world: World,
) -> None:
    made = await sent(world)
    line = await world.line(B)
    assert (await disclose(world, line, made, corridor=(A, B))).code == "corridor_wrong"
    assert (await disclose(world, line, made, corridor=(A, A))).code == "issuer_wrong"
    assert (await disclose(world, line, made, code=None)).code == "code_unknown"
    assert (await disclose(world, line, made, code="error")).code == "code_unknown"
    assert (await disclose(world, line, made, None)).code == "detail_malformed"


async def test_a_delivery_s_statement_has_no_place_in_an_agency_s_own_corridor(
    world: World,
) -> None:
    made = await sent(world)
    line = await world.line(B)
    about = [(made.bulletin_id, made.ciphertext_digest)]
    items, batch = line.agency.statements(Event.HANDOVER, about, (B, B), world.clock())
    (result,) = await line.state(items, batch)
    assert (result.code, result.indices) == ("corridor_wrong", ())


async def test_disclosures_without_end_use_up_a_quota(world: World) -> None:
    """Of every other statement a delivery has only so many."""
    made = await sent(world)
    world.broker.state.quotas = Quotas(named={B: Quota(bulletins_per_minute=1)})
    line = await world.line(B)
    first = await disclose(world, line, made)
    second = await disclose(world, line, made, b"\x02" * 32)
    assert (first.code, second.code, second.indices) == (None, "quota_rate", ())
    assert second.retry_after_ms > 0
    about = [(made.bulletin_id, made.ciphertext_digest)]
    items, batch = line.agency.statements(Event.HANDOVER, about, (A, B), world.clock())
    (result,) = await line.state(items, batch)
    assert result.code is None  # what answers is never held up
