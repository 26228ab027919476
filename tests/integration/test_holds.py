"""Holds over a real broker: what is held is kept here and there; others are asked, and answer."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from saphan.holds.hold_file import HoldFile
from saphan.node.holding.rows import held_among, is_held
from saphan.node.service import NodeService
from saphan_broker.sequencing.work import Hold, Logged
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import DAY_MS
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, opened, wish
from support.hold_files import hold_file
from support.threads import accepted, after, letter, related

Json = dict[str, Any]


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made:
        yield made


async def heeded(node: NodeService, file: HoldFile) -> Json:
    """The node takes it, and the log shows it."""
    await node.holds.take(file.package, file.terms, file.salt)
    await eventually(lambda: node.holds.orders.is_logged(file.name))
    await node.holds.look()
    return next(
        one
        for one in node.holds.listing.listed()
        if file.name.hex() in [order["name"] for order in one["orders"]]
    )


def events(node: NodeService, bulletin: bytes, *wanted: str) -> list[tuple[str, str, str]]:
    """(event, sender, recipient) of its entries of these events, in the order of the log."""
    rows = node.db.rows(
        "SELECT event, sender, recipient FROM entries WHERE bulletin = ? ORDER BY idx", (bulletin,)
    )
    return [(row[0], row[1], row[2]) for row in rows if row[0] in wanted]


async def test_what_is_held_is_not_erased_and_the_log_says_so(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await accepted(la, wish())
            other = await accepted(la, wish())
            held = hold_file(bridge, KH, ids=(bulletin,))
            found = await heeded(kh, held)
            assert (found["in_force"], found["bulletins"]) == (True, 1)
            assert found["reference"] == "court of appeal 12/2026"
            assert is_held(kh.db, bulletin)
            assert held_among(kh.db, [bulletin, other]) == {bulletin}
            await eventually(lambda: events(kh, bulletin, "held"))
            assert events(kh, bulletin, "held") == [("held", KH, KH)]
            assert events(la, bulletin, "held") == []

            released = hold_file(bridge, KH, number=2, release=held.name, ids=(bulletin,))
            await heeded(kh, released)
            assert held_among(kh.db, [bulletin, other]) == set()
            await eventually(lambda: events(kh, bulletin, "released"))
            assert not kh.holds.listing.listed()[0]["in_force"]
            assert [one.code for one in kh.alarms.standing()] == []


async def test_the_other_side_is_asked_and_answers_what_is_true(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await accepted(la, wish())
            await heeded(kh, hold_file(bridge, KH, ids=(bulletin,)))
            await eventually(lambda: la.holds.asked.open())
            await la.holds.look()
            assert [one.code for one in la.alarms.standing()] == ["hold_asked"]
            with pytest.raises(Refused, match="hold_untrue"):
                la.holds.asked.answer(bulletin, "kept", None)
            await heeded(la, hold_file(bridge, LA, ids=(bulletin,), told=False))
            assert la.holds.asked.answer(bulletin, "kept", None) == [KH]
            la.line.wake_statements()
            await eventually(lambda: [one["answer"] for one in kh.holds.asked.listed()] == ["kept"])
            assert events(kh, bulletin, "hold_asked", "hold_answered") == [
                ("hold_asked", LA, KH),
                ("hold_answered", LA, KH),
            ]
            await eventually(lambda: la.alarms.standing() == [])


async def test_what_must_not_be_told_is_not_asked(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await accepted(la, wish())
            await heeded(kh, hold_file(bridge, KH, ids=(bulletin,), told=False))
            await eventually(lambda: events(kh, bulletin, "held"))
            assert events(kh, bulletin, "hold_asked") == []
            with pytest.raises(Refused, match="hold_unasked"):
                la.holds.asked.answer(bulletin, "not_kept", None)


async def test_types_periods_and_threads_take_in_what_comes_later(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            first = await accepted(la, letter("training_notice", (KH,)))
            typed = hold_file(bridge, KH, schemas=("saphan/case_statistics/1",), told=False)
            await heeded(kh, typed)
            over = hold_file(bridge, KH, number=2, until=bridge.clock() - DAY_MS, told=False)
            assert (await heeded(kh, over))["bulletins"] == 0
            await heeded(kh, hold_file(bridge, KH, number=3, threads=(first,), told=False))
            later = await accepted(la, wish())
            await eventually(lambda: is_held(kh.db, later))
            assert is_held(kh.db, first)
            joined = await accepted(
                la, letter("training_notice", (KH,), about_relations=[related("related", first)])
            )
            await eventually(lambda: is_held(kh.db, joined))
            await eventually(lambda: events(kh, joined, "held"))
            assert [one["bulletins"] for one in kh.holds.listing.listed()] == [2, 0, 1]


async def test_an_order_to_hold_binds_while_the_line_is_down(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await accepted(la, wish())
    held = hold_file(bridge, KH, ids=(bulletin,))
    async with bridge.node(KH) as kh:
        await kh.holds.take(held.package, held.terms, held.salt)
        assert held_among(kh.db, [bulletin]) == {bulletin}
    async with bridge.broker_running(), bridge.node(KH) as kh:
        await eventually(lambda: kh.holds.orders.is_logged(held.name))
    async with bridge.node(KH) as kh:
        released = hold_file(bridge, KH, number=2, release=held.name, ids=(bulletin,))
        await kh.holds.take(released.package, released.terms, released.salt)
        assert held_among(kh.db, [bulletin]) == {bulletin}, "a release waits for the log"
        assert kh.holds.listing.listed()[0]["ending"]
    async with bridge.broker_running(), bridge.node(KH) as kh:
        assert held_among(kh.db, [bulletin]) == {bulletin}
        await eventually(lambda: held_among(kh.db, [bulletin]) == set())
        again = hold_file(bridge, KH, number=3, release=held.name, ids=(bulletin,))
        with pytest.raises(Refused, match="hold_over"):
            await kh.holds.take(again.package, again.terms, again.salt)


async def test_what_the_log_alone_shows_holds_everything(bridge: Bridge) -> None:
    """A restored node does not know what its agency holds before somebody brings the terms."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await accepted(la, wish())
            held = hold_file(bridge, KH, ids=(bytes(32),), told=False)
            result = await kh.line.register(hold=held.package)
            assert result.code is None
            await eventually(lambda: held_among(kh.db, [bulletin]) == {bulletin})
            await kh.holds.look()
            assert [one.code for one in kh.alarms.standing()] == ["hold_terms_missing"]
            await kh.holds.take(held.package, held.terms, held.salt)
            assert held_among(kh.db, [bulletin]) == set()
            await eventually(lambda: kh.alarms.standing() == [])


async def test_who_may_not_hold_is_refused(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(kh)
            await eventually(lambda: KH in kh.logs.directory.agencies())
            foreign = hold_file(bridge, LA, ids=(bytes(32),))
            with pytest.raises(Refused, match="hold_peer"):
                await kh.holds.take(foreign.package, foreign.terms, foreign.salt)
            assert (await kh.line.register(hold=foreign.package)).code == "hold_peer"
            own = hold_file(bridge, KH, ids=(bytes(32),))
            with pytest.raises(InvalidInput, match="hold_terms"):
                await kh.holds.take(own.package, own.terms, os.urandom(32))
            late = hold_file(bridge, KH, ids=(bytes(32),), days=0)
            with pytest.raises(InvalidInput, match="hold_review"):
                await kh.holds.take(late.package, late.terms, late.salt)
            third = hold_file(bridge, KH, number=3, ids=(bytes(32),))
            with pytest.raises(Refused, match="hold_number"):
                await kh.holds.take(third.package, third.terms, third.salt)
            assert kh.holds.listing.listed() == []


async def test_past_its_review_a_hold_is_an_alarm_and_stands(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await accepted(la, wish())
            held = hold_file(bridge, KH, ids=(bulletin,), days=1)
            await heeded(kh, held)
            after(bridge, 25)
            await kh.holds.look()
            assert [one.code for one in kh.alarms.standing()] == ["hold_past_review"]
            assert held_among(kh.db, [bulletin]) == {bulletin}
            moved = hold_file(bridge, KH, number=2, renew=held.name, ids=(bulletin,), told=True)
            found = await heeded(kh, moved)
            assert (found["past_review"], len(found["orders"])) == (False, 2)
            assert kh.alarms.standing() == []
            wider = hold_file(bridge, KH, number=3, renew=held.name, ids=(bytes(32),))
            with pytest.raises(InvalidInput, match="hold_terms"):
                await kh.holds.take(wider.package, wider.terms, wider.salt)


async def test_an_order_that_the_broker_refuses_binds_here_and_alarms(bridge: Bridge) -> None:
    """Two machines of one agency gave an order under one number; the log has the other one."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await accepted(la, wish())
    held = hold_file(bridge, KH, ids=(bulletin,), told=False)
    other = hold_file(bridge, KH, ids=(bytes(32),), told=False)
    async with bridge.node(KH) as kh:
        await kh.holds.take(held.package, held.terms, held.salt)
    async with bridge.broker_running() as broker, bridge.node(LA) as la:
        await opened(la)
        submitted = broker.sequencer.submit(Hold(other.package, KH))
        assert isinstance(await submitted.outcome, Logged)
        async with bridge.node(KH) as kh:
            await eventually(lambda: kh.holds.orders.refused() == [held.name])
            await kh.holds.take(other.package, other.terms, other.salt)
            await kh.holds.look()
            assert [one.code for one in kh.alarms.standing()] == ["hold_refused"]
            again = hold_file(bridge, KH, number=2, ids=(bulletin,), told=False)
            await heeded(kh, again)
            gone = hold_file(bridge, KH, number=3, release=held.name, ids=(bulletin,))
            await kh.holds.take(gone.package, gone.terms, gone.salt)
            assert held_among(kh.db, [bulletin]) == {bulletin}, "by the new one"
            await kh.holds.look()
            assert kh.alarms.standing() == []
            await eventually(lambda: events(kh, bulletin, "held"))
