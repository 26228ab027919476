"""Holds that come late: of what this agency has erased, and the broker still has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan.node.holding.rows import held_among
from saphan.node.service import NodeService
from saphan_schemas.errors import Refused, Unavailable
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, wish
from support.hold_files import hold_file
from support.threads import accepted


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made:
        yield made


def logged(node: NodeService, event: str) -> int:
    """How often the log shows it to the node."""
    ((count,),) = node.db.rows("SELECT count(*) FROM entries WHERE event = ?", (event,))
    return int(count)


@pytest.mark.parametrize("scope", ["ids", "types"])
async def test_what_is_erased_here_is_held_at_the_broker(bridge: Bridge, scope: str) -> None:
    """The broker's copy is what this agency has left of it until its due-day."""
    async with bridge.broker_running() as broker:
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await accepted(la, wish())
            erase = kh.recalls.answering.erasing.erase
            done = await kh.engine.in_frames(lambda: erase([bulletin], "order"))
            assert done.erased == (bulletin,)
            kh.line.wake_statements()
            await eventually(lambda: logged(kh, "erased"))
            named = {"ids": (bulletin,)} if scope == "ids" else {"schemas": (wish().schema,)}
            held = hold_file(bridge, KH, **named)
            shown = await kh.holds.take(held.package, held.terms, held.salt)
            await eventually(lambda: logged(kh, "held"))
            rows = await broker.store.deliveries_of([bulletin])
            assert [one.holds for one in rows[bulletin]] == [1]
            await la.engine.in_frames(lambda: la.holds.asked.ask(bulletin, "hold", None))
            la.line.wake_statements()
            answers = la.holds.asked.listed
            await eventually(lambda: "destroyed_before" in [one["answer"] for one in answers()])
            with pytest.raises(Refused, match="hold_untrue"):
                kh.holds.asked.answer(bulletin, "kept", None)
            released = hold_file(bridge, KH, number=2, release=held.name, **named)
            await kh.holds.take(released.package, released.terms, released.salt)
            await eventually(lambda: logged(kh, "released"))
            assert shown["bulletins"] == 1


async def test_what_is_not_known_yet_is_not_answered(bridge: Bridge) -> None:
    """The log shows a hold whose terms are not here: nobody knows what it names."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await accepted(la, wish())
            await la.engine.in_frames(lambda: la.holds.asked.ask(bulletin, "hold", None))
            la.line.wake_statements()
            await eventually(kh.holds.asked.open)
            held = hold_file(bridge, KH, ids=(bulletin,), told=False)
            assert (await kh.line.register(hold=held.package)).code is None
            await eventually(lambda: kh.holds.orders.is_logged(held.name))
            await kh.holds.look()
            for code in ("kept", "not_kept", "released"):
                with pytest.raises(Unavailable, match="hold_unsure"):
                    kh.holds.asked.answer(bulletin, code, None)
            await kh.holds.take(held.package, held.terms, held.salt)
            assert kh.holds.asked.answer(bulletin, "kept", None) == [LA]


async def test_a_hold_that_nobody_brought_can_be_ended(bridge: Bridge) -> None:
    """A stolen order key holds, and everything with it; or the only file of a hold is lost."""
    async with bridge.broker_running() as broker:
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await accepted(la, wish())
            held = hold_file(bridge, KH, ids=(bulletin,), told=False)
            await kh.holds.take(held.package, held.terms, held.salt)
            await eventually(lambda: logged(kh, "held"))
            with kh.db.transaction() as tx:  # as a store from before the hold
                for table in ("hold_orders", "holds", "held", "hold_said"):
                    tx.execute(f"DELETE FROM {table}")  # noqa: S608
            kh.holds.restored.at = bridge.clock()
            await kh.holds.look()
            assert [one.code for one in kh.alarms.standing()] == ["hold_terms_missing"]
            released = hold_file(bridge, KH, number=2, release=held.name, ids=(held.name,))
            await kh.holds.take(released.package, released.terms, released.salt)
            await eventually(lambda: logged(kh, "released"))
            assert held_among(kh.db, [bulletin]) == set()
            rows = await broker.store.deliveries_of([bulletin])
            assert [one.holds for one in rows[bulletin]] == [0]
            await eventually(lambda: kh.alarms.standing() == [])


async def test_what_a_thief_has_released_stays_held_until_it_is_released_here(
    bridge: Bridge,
) -> None:
    async with bridge.broker_running() as broker:
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await accepted(la, wish())
            held = hold_file(bridge, KH, ids=(bulletin,), told=False)
            await kh.holds.take(held.package, held.terms, held.salt)
            await eventually(lambda: logged(kh, "held"))
            stolen = hold_file(bridge, KH, number=2, release=held.name, ids=(bytes(32),))
            assert (await kh.line.register(hold=stolen.package)).code is None
            await eventually(lambda: kh.holds.orders.is_logged(stolen.name))
            await kh.holds.look()
            assert [one.code for one in kh.alarms.standing()] == ["hold_foreign"]
            assert held_among(kh.db, [bulletin]) == {bulletin}
            own = hold_file(bridge, KH, number=3, release=held.name, ids=(bulletin,))
            await kh.holds.take(own.package, own.terms, own.salt)
            await eventually(lambda: logged(kh, "released"))
            assert held_among(kh.db, [bulletin]) == set()
            rows = await broker.store.deliveries_of([bulletin])
            assert [one.holds for one in rows[bulletin]] == [0]
            await eventually(lambda: kh.alarms.standing() == [])


async def test_who_is_asked_for_two_holds_is_told_of_the_last_release(bridge: Bridge) -> None:
    """The newest word is what the other side goes by: it must not let go for the first one."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await accepted(la, wish())
            first, second = [hold_file(bridge, KH, number=n, ids=(bulletin,)) for n in (1, 2)]
            for held in (first, second):
                await kh.holds.take(held.package, held.terms, held.salt)
            await eventually(lambda: logged(la, "hold_asked") == 2)
            for number, held in ((3, first), (4, second)):
                over = hold_file(bridge, KH, number=number, release=held.name, ids=(bulletin,))
                await kh.holds.take(over.package, over.terms, over.salt)
                await eventually(lambda n=number: logged(kh, "released") == n - 2)  # type: ignore[misc]
                await eventually(lambda n=number: logged(la, "hold_asked") == max(2, n - 1))  # type: ignore[misc]
                query = "SELECT count(*) FROM statements WHERE event = 'hold_asked'"
                assert kh.db.row(query) == (max(2, number - 1),)
            (asked,) = la.holds.asked.listed()
            assert asked["asked"] == "release"


async def test_what_cannot_be_read_now_is_not_let_go(bridge: Bridge) -> None:
    """The archive keys have a backup of their own, which comes back later than the store."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await accepted(la, wish())
            keys = bridge.config(KH).data / "archive-keys"
            await asyncio.to_thread(keys.rename, keys.with_name("away"))
            kh.holds.sorting._archive._ciphers.clear()
            held = hold_file(bridge, KH, cases=("AB 12",), told=False)
            await kh.holds.take(held.package, held.terms, held.salt)
            assert held_among(kh.db, [bulletin]) == {bulletin}
            await asyncio.to_thread(keys.with_name("away").rename, keys)
            await kh.holds.look()
            assert held_among(kh.db, [bulletin]) == set()


async def test_an_answer_that_was_refused_is_still_owed(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin, gone = [await accepted(la, wish()) for _ in range(2)]
            for one in (bulletin, gone):
                await la.engine.in_frames(lambda one=one: la.holds.asked.ask(one, "hold", None))  # type: ignore[misc]
            la.line.wake_statements()
            await eventually(lambda: len(kh.holds.asked.open()) == 2)
    async with bridge.node(KH) as kh:  # the line is down
        erase = kh.recalls.answering.erasing.erase
        await kh.engine.in_frames(lambda: erase([gone], "order"))
        await kh.engine.in_frames(lambda: kh.holds.asked.answer(bulletin, "not_kept", None))
        assert await kh.engine.in_frames(kh.holds.asked.answer_gone)
        assert kh.holds.asked.open() == []
        with kh.db.transaction() as tx:  # as the broker's word on them
            tx.execute("UPDATE statements SET state = 'refused' WHERE event = 'hold_answered'")
        assert len(kh.holds.asked.open()) == 2
        assert not await kh.engine.in_frames(kh.holds.asked.answer_gone)
        await kh.holds.look()
        assert "hold_asked" in [one.code for one in kh.alarms.standing()]
