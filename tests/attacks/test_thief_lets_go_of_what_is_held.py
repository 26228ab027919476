"""Whoever has stolen a node, or an order key, wants that destroyed which a court wants kept."""

from __future__ import annotations

from saphan.node.holding.rows import held_among
from saphan_protocol.hold_order import parse_hold, sign_hold
from saphan_schemas.hold_records import HoldOrder
from saphan_schemas.records import Event
from support.agency import Agency
from support.bridge import KH, LA, Bridge, agreed, eventually, wish
from support.brokers import World
from support.due import carried, row_of, stated
from support.hold_files import hold_file
from support.retained import FOREVER, hold_by
from support.threads import accepted


def forged(agency: Agency, release: bytes) -> bytes:
    """A release that the node's own key has signed."""
    order = HoldOrder(agency.name, 2, "release", release, bytes(32), FOREVER, agency.now)
    return sign_hold(order, [agency.node], [agency.random(32)], agency.random(32))


async def test_with_the_nodes_key_nothing_is_let_go(world: World) -> None:
    out, into = await world.line(LA), await world.line(KH)
    made = await carried(world, out, into)
    package = hold_by(world.agencies[KH])
    assert (await into.register(hold=package)).code is None
    name, target = parse_hold(package).commitment, (await row_of(world, made)).submitted

    async def says(event: Event, order: bytes) -> str | None:
        corridor = (KH, KH)
        return await stated(
            world, into, made, event, corridor=corridor, detail=order, target=target
        )

    assert await says(Event.HELD, name) is None
    release = forged(world.agencies[KH], name)
    assert (await into.register(hold=release)).code == "hold_signer"
    assert await says(Event.RELEASED, name) == "hold_action"
    assert await says(Event.RELEASED, parse_hold(release).commitment) == "hold_unknown"
    assert (await row_of(world, made)).holds == 1


async def test_with_the_order_key_it_is_seen_and_the_node_goes_on_holding(bridge: Bridge) -> None:
    """The log shows a release that nobody has brought to the agency's own node."""
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        bulletin = await accepted(la, wish())
        held = hold_file(bridge, KH, ids=(bulletin,), told=False)
        await kh.holds.take(held.package, held.terms, held.salt)
        await eventually(lambda: kh.holds.orders.is_logged(held.name))
        stolen = hold_file(bridge, KH, number=2, release=held.name, ids=(bulletin,))
        assert (await kh.line.register(hold=stolen.package)).code is None
        await eventually(lambda: kh.holds.orders.foreign() == [stolen.name])
        await kh.holds.look()
        assert [one.code for one in kh.alarms.standing()] == ["hold_foreign"]
        assert held_among(kh.db, [bulletin]) == {bulletin}
        assert kh.db.rows("SELECT 1 FROM statements WHERE event = 'released'") == []

        await kh.holds.take(stolen.package, stolen.terms, stolen.salt)  # it was theirs after all
        assert held_among(kh.db, [bulletin]) == set()
        await eventually(lambda: kh.alarms.standing() == [])
