"""Every step of schemas/spec/admission.md that needs a store, at a running broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan_protocol.agreement import AGREEMENT_TYPE
from saphan_protocol.identity import identity
from saphan_protocol.operation import parse_agreement_package
from saphan_schemas.codec import decode
from saphan_schemas.records import Statement
from support.admission_at_broker import BROKER_ROWS, RECIPIENT, SENDER, Bridge, BrokerRow
from support.agency import agreement
from support.brokers import World


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    """Two agencies with an agreement that stops what is in flight, and a line of each."""
    world = World(tmp_path, SENDER, RECIPIENT)
    await world.init()
    async with world.running() as broker:
        for agency in world.agencies.values():
            await broker.admit_operation(agency.enrolment())
        parties = list(world.agencies.values())
        package = agreement(parties, *world.pins.lasting, world.clock(), in_flight="stop")
        out, into = await world.line(SENDER), await world.line(RECIPIENT)
        result = await out.register(agreement=package)
        assert result.code is None, result
        name = identity(AGREEMENT_TYPE, parse_agreement_package(package).agreement)
        yield Bridge(world, out, into, name)


@pytest.mark.parametrize("row", BROKER_ROWS, ids=lambda row: f"{row.step}-{row.code}")
async def test_a_step_finds_its_defect_and_the_log_shows_what_the_page_says(
    bridge: Bridge, row: BrokerRow
) -> None:
    result = await row.provoke(bridge)
    assert result.code == row.code
    assert len(result.indices) == row.record
    if row.record:
        (index,) = result.indices
        line = bridge.into if row.step[0] in "SR" else bridge.out
        entry, given = await line.entry(index)
        assert entry.sender == entry.recipient == line.agency.name
        assert entry.type == "saphan/refused/1"
        assert decode(Statement, given.statement, 4096, "statement").code == row.code
    else:
        assert bool(result.retry_after_ms) is (row.code != "attachment_missing")


async def test_what_the_rows_spoil_is_taken(bridge: Bridge) -> None:
    result = await bridge.submit(bridge.made())
    assert result.code is None
    assert len(result.indices) == 1
