"""A day's budget on a real line: what it counts, what waits when it is spent, and what does not."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from saphan.node.service import NodeService, running
from saphan_schemas.limits import DAY_MS, MIB
from saphan_schemas.records import Urgency
from support.attaching import pdf, shown
from support.attaching import send as send_files
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, opened, states, wish
from support.counting_relay import counting


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made, made.broker_running():
        await made.enrol()
        yield made


def allow(node: NodeService, most: int | None) -> None:
    """Set the day's budget to less than a settings file may name."""
    node.settings.now = msgspec.structs.replace(node.settings.now, budget_bytes_per_day=most)
    node.engine.budget.look()


def tomorrow(bridge: Bridge, *nodes: NodeService) -> None:
    bridge.clock.ahead += DAY_MS
    bridge.node_clock.ahead += DAY_MS
    for node in nodes:
        node.engine.budget.look()


async def ended(sender: NodeService, bulletin: bytes) -> None:
    await eventually(lambda: states(sender, bulletin) == ["accepted"])


async def send(node: NodeService, urgency: Urgency = "routine") -> bytes:
    return await node.send(wish(urgency=urgency))


async def test_every_byte_of_the_line_is_counted(bridge: Bridge) -> None:
    async with (
        counting(bridge.url) as relay,
        running(dataclasses.replace(bridge.config(LA), broker=relay.url)) as la,
        bridge.node(KH),
    ):
        await agreed(la)
        for _ in range(5):
            await ended(la, await send(la))
        counted, carried = la.engine.budget.cost, relay.total
        assert carried < counted < 2 * carried


async def test_of_a_sender_that_has_spent_its_day_only_routine_bulletins_wait(
    bridge: Bridge,
) -> None:
    """Timeline: the budget is reached by what is sent; two classes flow; a new day begins."""
    async with bridge.node(LA) as la, bridge.node(KH):
        await agreed(la)
        await ended(la, await send(la))
        allow(la, la.engine.budget.cost + 20_000)
        sent = []
        while not la.engine.budget.spent:
            sent.append(await send(la))
            await ended(la, sent[-1])
        assert len(sent) >= 1
        assert [one.code for one in la.alarms.standing()] == ["budget_spent"]
        held = await send(la)
        for urgency in ("priority", "immediate"):
            await ended(la, await send(la, urgency))
        assert states(la, held) == ["queued"]
        tomorrow(bridge, la)
        await ended(la, held)
        assert la.alarms.standing() == []


async def test_to_a_recipient_that_has_spent_its_day_routine_ciphertexts_come_later(
    bridge: Bridge,
) -> None:
    """Timeline: kh has spent its day, starts again and still has; a new day begins."""
    async with bridge.node(LA) as la:
        async with bridge.node(KH) as kh:
            await agreed(la)
            await ended(la, await send(la))
            allow(kh, 1)
            await ended(la, await send(la, "priority"))
            held = await send(la)
            await ended(la, await send(la, "immediate"))
            assert kh.db.row("SELECT 1 FROM bulletins WHERE id = ?", (held,))
            assert kh.db.row("SELECT 1 FROM parts WHERE bulletin = ? AND stage = 0", (held,))
            assert states(la, held) == ["submitted"]
        async with bridge.node(KH) as kh:
            allow(kh, 1)
            await opened(kh)
            await ended(la, await send(la, "priority"))
            assert states(la, held) == ["submitted"]
            allow(kh, None)
            await ended(la, held)


async def test_attachments_stop_where_the_day_is_spent_and_go_on_from_there(bridge: Bridge) -> None:
    """Timeline: 2 MiB are on their way when the budget ends; an urgent one passes; it is raised."""
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        await ended(la, await send(la))
        allow(la, la.engine.budget.cost + MIB // 2)
        bulk = await send_files(la, pdf(2 * MIB))
        await eventually(lambda: la.engine.budget.spent)
        own = await send_files(la, pdf(MIB // 4, 2), urgency="priority")
        await ended(la, own)
        assert states(la, bulk) == ["queued"]
        assert la.engine.budget.cost < 2 * MIB
        allow(la, None)
        await ended(la, bulk)
        assert la.engine.budget.cost < 4 * MIB  # nothing was brought twice
        assert await shown(kh, bulk, 1) == pdf(2 * MIB)
