"""An agreement is suspended, resumed, renewed, ended while bulletins are on their way under it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from saphan.node.events import Listener
from saphan.node.rows.deliveries import MAX_ATTEMPTS
from saphan.node.service import NodeService
from saphan_broker.sequencing import preparing
from saphan_protocol.agreement import AGREEMENT_TYPE
from saphan_protocol.agreements import Agreements
from saphan_protocol.identity import identity
from saphan_protocol.operation import parse_agreement_package
from saphan_protocol.stanza import seal_stanza
from saphan_schemas.codec import encode
from saphan_schemas.errors import Refused
from saphan_schemas.limits import DAY_MS
from support.attaching import pdf, send
from support.bridge import (
    KH,
    LA,
    VN,
    Bridge,
    agreed,
    bridged,
    eventually,
    opened,
    states,
    wish,
)
from support.suspending import only, order, ordered


def name_of(package: bytes) -> bytes:
    return identity(AGREEMENT_TYPE, parse_agreement_package(package).agreement)


@asynccontextmanager
async def one_on_its_way(
    bridge: Bridge, *attached: bytes, **terms: Any
) -> AsyncIterator[tuple[NodeService, bytes, Listener]]:
    """LA's node, a bulletin that KH has not handed over, and what LA's node tells from then on."""
    async with bridge.broker_running():
        await bridge.enrol(**terms)
        async with bridge.node(LA) as la:
            await agreed(la)
            bulletin = await send(la, *attached)
            await eventually(lambda: states(la, bulletin) == ["submitted"])
            with la.events.listen() as listener:
                yield la, bulletin, listener


async def told(listener: Listener) -> dict[str, Any]:
    """The next thing that the node tells about what is in flight."""
    async with asyncio.timeout(20):
        while True:
            event = await listener.next(20)
            if event is not None and event["type"] == "in_flight":
                return event


def flight(node: NodeService, bulletin: bytes) -> str | None:
    (delivery,) = node.bulletins.status(bulletin)["deliveries"]
    return str(delivery["in_flight"]) if delivery["in_flight"] else None


def alarms(node: NodeService) -> set[str]:
    return {alarm.code for alarm in node.alarms.standing()}


async def test_what_is_on_its_way_is_delivered_and_nothing_new_is_taken(bridge: Bridge) -> None:
    async with one_on_its_way(bridge) as (la, bulletin, listener):
        await ordered(bridge, la, "suspend")
        event = await told(listener)
        assert (event["id"], event["recipient"]) == (bulletin.hex(), KH)
        assert (event["treatment"], event["condition"]) == ("deliver", "suspended")
        assert flight(la, bulletin) == "deliver"
        assert "bulletins_stopped" not in alarms(la)
        with pytest.raises(Refused, match="agreement_suspended"):
            await la.send(wish())
        async with bridge.node(KH):
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            await eventually(lambda: flight(la, bulletin) is None)
        await ordered(bridge, la, "resume", 2)
        assert await la.send(wish())


@pytest.mark.parametrize("attached", [(), (pdf(9_000),)], ids=["alone", "with an attachment"])
async def test_what_is_on_its_way_is_stopped_and_goes_on_after_resume(
    bridge: Bridge, attached: tuple[bytes, ...]
) -> None:
    async with one_on_its_way(bridge, *attached, in_flight="stop") as (la, bulletin, listener):
        await ordered(bridge, la, "suspend")
        assert (await told(listener))["treatment"] == "stop"
        await eventually(lambda: "bulletins_stopped" in alarms(la))
        async with bridge.node(KH) as kh:
            await eventually(lambda: held(kh, bulletin) == ("submitted", "agreement_stopped"))
            assert kh.db.row("SELECT 1 FROM statements") is None
            await ordered(bridge, la, "resume", 2)
            assert (await told(listener))["treatment"] == "resumed"
            await eventually(lambda: states(la, bulletin) == ["accepted"])
        assert "bulletins_stopped" not in alarms(la)
        assert flight(la, bulletin) is None


def held(node: NodeService, bulletin: bytes) -> tuple[str, str | None] | None:
    return node.db.row("SELECT state, code FROM deliveries WHERE bulletin = ?", (bulletin,))


async def test_a_handover_that_met_the_suspension_is_stated_again_after_it(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipient's node says it before it has heard; the broker, who has, refuses it."""
    async with one_on_its_way(bridge, in_flight="stop") as (la, bulletin, _):
        await ordered(bridge, la, "suspend")
        with monkeypatch.context() as unheard:
            unheard.setattr("saphan.node.receive.held_back", lambda *_: None)
            async with bridge.node(KH) as kh:
                refused = [("handover", "refused", "agreement_stopped")]
                await eventually(lambda: stated(kh) == refused)
                assert states(kh, bulletin) == ["submitted"]
        async with bridge.node(KH) as kh:
            await ordered(bridge, la, "resume", 2)
            await eventually(lambda: states(la, bulletin) == ["accepted"])


async def test_what_did_not_open_is_not_consigned_in_vain_while_nothing_new_is_taken(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new consignment is something new, whatever is agreed of what is on its way. Each attempt
    would be refused, and none would be left when the agreement goes on."""
    made: list[int] = []

    def spoiled(key: bytes, *rest: Any) -> bytes:
        made.append(1)
        return seal_stanza(key if len(made) > 1 else bytes(32), *rest)

    monkeypatch.setattr("saphan.node.sealing.seal_stanza", spoiled)
    async with one_on_its_way(bridge, in_flight="deliver") as (la, bulletin, _):
        name = only(la)
    async with bridge.broker_running(), bridge.node(KH) as kh:
        await eventually(lambda: states(kh, bulletin) == ["unopened"])
        package = await asyncio.to_thread(order, bridge, LA, name, "suspend", 1)
        result = await kh.line.register(order=package)
        assert result.code is None, result
        async with bridge.node(LA) as la:
            await eventually(lambda: flight(la, bulletin) == "stop")
            for _ in range(MAX_ATTEMPTS):
                await la.watching.look()
            assert alarms(la) == {"bulletins_stopped"}
            await ordered(bridge, la, "resume", 2)
            await eventually(lambda: states(la, bulletin) == ["accepted"])
    assert len(made) == 2


def stated(node: NodeService) -> list[tuple[str, str, str | None]]:
    return node.db.rows("SELECT event, state, code FROM statements ORDER BY id")


async def test_an_order_by_hand_binds_a_node_that_the_log_has_not_reached(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
        async with bridge.node(KH) as kh:
            await agreed(kh)
    async with bridge.node(LA) as la:  # no broker, no line
        package = await asyncio.to_thread(order, bridge, KH, only(la), "suspend", 1)
        await la.watching.import_bound("order", package)
        with pytest.raises(Refused, match="agreement_suspended"):
            await la.send(wish())
        assert not la.watching.bound.listed()[0]["logged"]
    async with bridge.broker_running(), bridge.node(LA) as la:  # it remembers, and brings it
        await opened(la)
        await eventually(lambda: la.watching.bound.listed()[0]["logged"])


async def test_a_renewed_agreement_carries_what_was_on_its_way(bridge: Bridge) -> None:
    async with one_on_its_way(bridge, in_flight="stop") as (la, bulletin, listener):
        old = only(la)
        renewed = {"reference": "renewed", "default_handling": ("H0",)}
        package = await asyncio.to_thread(lambda: bridge.agreement(old, **renewed))
        result = await la.line.register(None, package)
        assert result.code is None, result
        directory = la.logs.directory
        await eventually(lambda: directory.agreed.find(name_of(package)))
        async with bridge.node(KH):
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            after = await la.send(wish())
            await eventually(lambda: states(la, after) == ["accepted"])
        assert [e for e in listener.drain() if e["type"] == "in_flight"] == []
        assert la.bulletins.status(after)["header"]["marking"]["codes"] == ["H0"]
        assert la.bulletins.status(bulletin)["header"]["marking"]["codes"] == ["H1", "H2"]


async def test_the_last_day_is_an_end_like_any_other(bridge: Bridge) -> None:
    async with one_on_its_way(bridge, valid_until=tomorrow(bridge)) as (la, bulletin, listener):
        bridge.clock.ahead += 2 * DAY_MS
        bridge.node_clock.ahead += 2 * DAY_MS
        await la.agreements.look()
        event = await told(listener)
        assert (event["treatment"], event["condition"]) == ("deliver", "expired")
        with pytest.raises(Refused, match="agreement_dates"):
            await la.send(wish())
        async with bridge.node(KH):
            await eventually(lambda: states(la, bulletin) == ["accepted"])


def tomorrow(bridge: Bridge) -> date:
    return (datetime.fromtimestamp(bridge.clock() / 1000, UTC) + timedelta(days=1)).date()


async def test_of_three_parties_one_ends_it_for_all_by_any_nodes_line(tmp_path: Path) -> None:
    async with (
        bridged(tmp_path, LA, KH, VN) as bridge,
        one_on_its_way(bridge, in_flight="stop") as (la, bulletin, listener),
    ):
        package = await asyncio.to_thread(order, bridge, VN, only(la), "terminate", 1)
        result = await la.line.register(order=package)
        assert result.code is None, result
        event = await told(listener)
        assert (event["treatment"], event["condition"]) == ("stop", "terminated")
        with pytest.raises(Refused, match="agreement_ended"):
            await la.send(wish())
        async with bridge.node(KH) as kh:
            await eventually(lambda: held(kh, bulletin) == ("submitted", "agreement_stopped"))
            (found,) = kh.logs.directory.agreements_of(KH)
            assert kh.logs.directory.standing(found).by == (VN,)
        again = await asyncio.to_thread(order, bridge, LA, only(la), "suspend", 1)
        refused = await la.line.register(order=again)
        assert refused.code == "agreement_ended"


async def test_a_broker_that_lets_go_what_was_stopped_is_found_out_by_who_stopped_it(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipient was not given the order's text, and the broker does not ask it itself."""

    async def nothing(*_: object) -> None:
        return

    def agreements_alone(held: Agreements, agency: str, *_: int) -> dict[int, bytes]:
        return {one.index or 0: encode(one.package) for one in held.of(agency)}

    async with one_on_its_way(bridge, in_flight="stop") as (la, bulletin, _):
        await ordered(bridge, la, "suspend")
        monkeypatch.setattr(preparing, "find_stopped", nothing)
        monkeypatch.setattr(Agreements, "packages", agreements_alone)
        async with bridge.node(KH):
            await eventually(lambda: states(la, bulletin) == ["accepted"])
        assert "release_differs" in alarms(la)


async def test_what_the_broker_lets_go_rightly_is_no_alarm(bridge: Bridge) -> None:
    async with one_on_its_way(bridge, in_flight="stop") as (la, bulletin, _):
        await ordered(bridge, la, "suspend")
        await ordered(bridge, la, "resume", 2)
        async with bridge.node(KH):
            await eventually(lambda: states(la, bulletin) == ["accepted"])
        assert "release_differs" not in alarms(la)
