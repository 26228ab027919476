"""Somebody's clock is a day ahead or behind: it stopped, or somebody has set it.

A desk's is in `tests/integration/test_desk.py::test_a_wrong_clock_is_said_and_nothing_is_lost`.
"""

from __future__ import annotations

import pytest
from saphan.node.service import NodeService
from saphan_schemas.codec import encode
from saphan_schemas.frames import Ping
from saphan_schemas.limits import DAY_MS, LIMITS, SECOND_MS
from support.bridge import KH, LA, Bridge, agreed, eventually, states, wish
from support.brokers import Clock, World
from support.session import Line

each_way = pytest.mark.parametrize("ahead", (DAY_MS, -DAY_MS), ids=("ahead", "behind"))


def wrong(ahead: int) -> Clock:
    made = Clock()
    made.ahead = ahead
    return made


def kept_out(node: NodeService) -> bool:
    """By the broker; that it is late or early, the node has seen for itself before."""
    return node.line.state.code == "clock_skew"


@each_way
async def test_the_brokers(world: World, ahead: int) -> None:
    """Who is there contradicts him, and he logs nothing; who comes is told, and stays away."""
    la, kh, right = world.agencies[LA], world.agencies[KH], Clock()
    out = await world.line(LA)
    await out.until(lambda: bool(out.anchors) and out.anchors[-1][1] == 4)
    items, batch = la.submissions([la.bulletin([KH], right())], [kh])
    before = world.broker.state.evidence.tree.size
    world.clock.ahead = ahead
    await out.ws.send_bytes(encode(Ping(right())))
    (result,) = await out.submit(items, batch)
    assert (result.code, result.retry_after_ms > 0) == ("clock_disagrees", True)
    assert world.broker.state.evidence.tree.size == before
    late = Line(kh, world.pins, right, True)
    await late.connect(world.url)
    assert late.closing is not None
    assert late.closing.code == "clock_skew"
    await late.close()

    world.clock.ahead = 0
    await out.ws.send_bytes(encode(Ping(right())))
    (result,) = await out.submit(items, batch)
    assert result.code is None
    entry, _ = await out.entry(result.indices[0])
    assert abs(entry.time - right()) < LIMITS.skew_ms


@each_way
async def test_a_senders(bridge: Bridge, ahead: int) -> None:
    """He is told, and nothing of his is logged. What he wrote on tomorrow's date is refused by a
    receipt once he is let in; what he writes then arrives."""
    async with bridge.broker_running() as broker, bridge.node(KH):
        async with bridge.node(LA) as la:
            await agreed(la)
        before, right = broker.state.evidence.tree.size, bridge.node_clock
        bridge.node_clock = wrong(ahead)
        async with bridge.node(LA) as la:
            await eventually(lambda: kept_out(la))
            early = await la.send(wish()) if ahead > 0 else None
        assert broker.state.evidence.tree.size == before
        bridge.node_clock = right
        async with bridge.node(LA) as la:
            bulletin = await la.send(wish())
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            if early is not None:
                (delivery,) = la.bulletins.status(early)["deliveries"]
                assert (delivery["state"], delivery["code"]) == ("refused", "created_in_future")


@each_way
async def test_a_recipients(bridge: Bridge, ahead: int) -> None:
    """He takes nothing over, so nothing of his is dated wrongly; then he takes it."""
    async with bridge.broker_running(), bridge.node(LA) as la:
        await agreed(la)
        bulletin = await la.send(wish())
        await eventually(lambda: states(la, bulletin) == ["submitted"])
        right, bridge.node_clock = bridge.node_clock, wrong(ahead)
        async with bridge.node(KH) as kh:
            await eventually(lambda: kept_out(kh))
        assert states(la, bulletin) == ["submitted"]
        bridge.node_clock = right
        async with bridge.node(KH):
            await eventually(lambda: states(la, bulletin) == ["accepted"])


@each_way
async def test_a_witnesss(world: World, ahead: int) -> None:
    """Time is what a head says and a witness confirms: his clock makes it no later, and the next
    witness makes good what he holds up."""
    origin = world.pins.evidence.origin
    one, two = await world.line(LA), await world.line(KH)
    await one.until(lambda: origin in one.heads)
    head, witnessed = one.heads[origin], world.broker.witnessed
    taken = witnessed.taken
    await one.cosign(head, head.time + ahead // SECOND_MS)
    await eventually(lambda: witnessed.taken > taken)
    assert witnessed.now == (head.time * SECOND_MS if ahead > 0 else head.time * SECOND_MS + ahead)
    await two.cosign(head)
    await eventually(lambda: witnessed.now == head.time * SECOND_MS)
