"""kh.gpo has suspended the agreement with la.ospp, whose node is in other hands and sends on."""

from __future__ import annotations

import asyncio
import os
from functools import partial

import pytest
from saphan_protocol.agreement_order import sign_order
from saphan_schemas.directory_records import AgreementOrder
from saphan_schemas.errors import Refused
from saphan_schemas.limits import DAY_MS
from support.bridge import KH, LA, Bridge, agreed, eventually, states, wish
from support.corrupt import admits_anything, hands_over_anything, registers_nothing
from support.hostile import Hostile
from support.roster import alarmed, own_root
from support.session import Line


async def suspended(bridge: Bridge, name: bytes) -> bytes:
    """kh.gpo's order, by its root."""
    order = AgreementOrder(name, KH, "suspend", 1, bridge.clock(), "a drill")

    def sign() -> bytes:
        return sign_order(order, [own_root(bridge, KH)], [os.urandom(32)], os.urandom(32))

    return await asyncio.to_thread(sign)


@pytest.mark.parametrize("broker", ("honest", "corrupt"))
async def test_it_sends_after_the_order_is_logged(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, broker: str
) -> None:
    """The broker refuses; a corrupt one does not, and the recipient's node does, by the anchor."""
    async with bridge.broker_running(), bridge.node(KH) as kh:
        await agreed(kh)
        (agreement,) = kh.logs.directory.agreements(LA, KH)
        order = await suspended(bridge, agreement.name)
        assert (await kh.line.register(order=order)).code is None
        await eventually(lambda: not kh.logs.directory.standing(agreement).in_force)
        if broker == "corrupt":
            admits_anything(monkeypatch)
            hands_over_anything(monkeypatch)
        thief = Hostile(bridge, LA, KH)
        line = Line(thief.agency, bridge.pins, bridge.clock, True)
        await line.connect(bridge.url)
        items, batch = thief.submissions([thief.bulletin()])
        (result,) = await line.submit(items, batch)
        await line.close()
        if broker == "honest":
            assert result.code == "agreement_suspended"
            return
        assert result.code is None
        await eventually(partial(alarmed, kh, "admission_differs"))
        assert kh.db.rows("SELECT state, code FROM deliveries") == [
            ("submitted", "agreement_suspended")
        ]


async def test_the_broker_keeps_the_order_from_the_log(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It binds the node that has made it all the same: nothing goes out under that agreement, now
    and after a restart."""
    registers_nothing(monkeypatch)
    async with bridge.broker_running(), bridge.node(KH) as kh:
        await agreed(kh)
        (agreement,) = kh.logs.directory.agreements(LA, KH)
        order = await suspended(bridge, agreement.name)
        await kh.watching.import_bound("order", order)
        assert not kh.logs.directory.standing(agreement).in_force
        with pytest.raises(Refused, match="agreement_suspended"):
            await kh.send(wish(LA, retain_until=bridge.clock() // DAY_MS + 365))
    async with bridge.node(KH) as kh:
        with pytest.raises(Refused, match="agreement_suspended"):
            await kh.send(wish(LA, retain_until=bridge.clock() // DAY_MS + 365))


async def test_it_sends_while_the_order_is_kept_from_the_log(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the log everything is still on its way as agreed. Who holds the order knows better: what
    comes waits, until the order has its place, and is then treated as the agreement says."""
    async with bridge.broker_running(), bridge.node(KH) as kh:
        await agreed(kh)
        (agreement,) = kh.logs.directory.agreements(LA, KH)
        assert agreement.text.in_flight == "deliver"
        order = await suspended(bridge, agreement.name)
        with monkeypatch.context() as corrupt:
            registers_nothing(corrupt)
            await kh.watching.import_bound("order", order)
            thief = Hostile(bridge, LA, KH)
            line = Line(thief.agency, bridge.pins, bridge.clock, True)
            await line.connect(bridge.url)
            made = thief.bulletin()
            items, batch = thief.submissions([made])
            assert (await line.submit(items, batch))[0].code is None
            await line.close()
            query = "SELECT state, code FROM deliveries WHERE bulletin = ?"
            held = [("submitted", "agreement_stopped")]
            await eventually(lambda: kh.db.rows(query, (made.bulletin_id,)) == held)
        assert (await kh.line.register(order=order)).code is None
        await eventually(lambda: states(kh, made.bulletin_id) == ["accepted"])


async def test_an_order_that_no_party_has_made(bridge: Bridge) -> None:
    """Somebody else's root, or the other party's in this one's name, suspends nothing."""
    async with bridge.broker_running(), bridge.node(KH) as kh:
        await agreed(kh)
        (agreement,) = kh.logs.directory.agreements(LA, KH)
        order = AgreementOrder(agreement.name, KH, "suspend", 1, bridge.clock(), None)
        root = await asyncio.to_thread(own_root, bridge, LA)
        forged = sign_order(order, [root], [os.urandom(32)], os.urandom(32))
        assert (await kh.line.register(order=forged)).code == "order_signer"
        with pytest.raises(Refused, match="order_signer"):
            await kh.watching.import_bound("order", forged)
        assert kh.logs.directory.standing(agreement).in_force
