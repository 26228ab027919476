"""What a hold's scope names, now and later; and that the log is told of each delivery once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan.node.holding import sorting
from saphan.node.holding.rows import held_among, is_held
from saphan.node.service import NodeService
from saphan_schemas.errors import OperatorError
from support.bridge import KH, LA, VN, Bridge, agreed, bridged, eventually, opened, states, wish
from support.hold_files import hold_file
from support.threads import accepted, letter


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path, LA, KH, VN) as made:
        yield made


def case(number: str) -> list[dict[str, str]]:
    """`about.national_refs` of one case."""
    return [{"authority": "LA-OSPP", "kind": "case", "value": number}]


def said(node: NodeService, event: str) -> int:
    """How often the node has queued it, whatever came of it."""
    ((count,),) = node.db.rows("SELECT count(*) FROM statements WHERE event = ?", (event,))
    return int(count)


def logged(node: NodeService, event: str) -> int:
    """How often the log shows it to the node."""
    ((count,),) = node.db.rows("SELECT count(*) FROM entries WHERE event = ?", (event,))
    return int(count)


async def test_a_case_is_found_in_what_bulletins_say_now_and_later(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            ours = letter("training_notice", (KH,), about_national_refs=case("AB-12/2026"))
            early, other = await accepted(la, ours), await accepted(la, wish())
            held = hold_file(bridge, KH, cases=("ab 12 / 2026",), told=False)
            await kh.holds.take(held.package, held.terms, held.salt)
            assert held_among(kh.db, [early, other]) == {early}
            late = await accepted(la, ours)
            await eventually(lambda: is_held(kh.db, late))
            free = await accepted(la, wish())
            await eventually(lambda: held_among(kh.db, [free]) == set())


async def test_the_sender_holds_every_delivery_and_those_that_come_later(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
            bulletin = await la.send(letter("training_notice", (KH, VN)))
            await eventually(lambda: states(la, bulletin) == ["submitted", "submitted"])
            held = hold_file(bridge, LA, ids=(bulletin,))
            await la.holds.take(held.package, held.terms, held.salt)
            await eventually(lambda: logged(la, "held") == 2)
            await eventually(lambda: logged(la, "hold_asked") == 2)
            assert la.db.rows("SELECT said FROM held") == [(1,)]
            async with bridge.node(KH) as kh, bridge.node(VN) as vn:
                for node in (kh, vn):
                    await opened(node)
                    await eventually(lambda node=node: node.holds.asked.open())  # type: ignore[misc]
            released = hold_file(bridge, LA, number=2, release=held.name, ids=(bulletin,))
            await la.holds.take(released.package, released.terms, released.salt)
            await eventually(lambda: logged(la, "released") == 2)
            await eventually(lambda: logged(la, "hold_asked") == 4)
            assert (said(la, "held"), said(la, "released")) == (2, 2)


async def test_what_waits_for_the_line_is_held_and_said_when_it_is_logged(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
    async with bridge.node(LA) as la:
        bulletin = await la.send(wish())
        held = hold_file(bridge, LA, ids=(bulletin,), told=False)
        await la.holds.take(held.package, held.terms, held.salt)
        assert held_among(la.db, [bulletin]) == {bulletin}
        assert said(la, "held") == 0
    async with bridge.broker_running(), bridge.node(LA) as la:
        await eventually(lambda: logged(la, "held") == 1)


async def test_what_was_said_in_a_lost_life_is_not_said_again(bridge: Bridge) -> None:
    """As a node that came out of a backup made before it had said it."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH):
            await agreed(la)
            bulletin = await accepted(la, wish())
            held = hold_file(bridge, LA, ids=(bulletin,), told=False)
            await la.holds.take(held.package, held.terms, held.salt)
            await eventually(lambda: logged(la, "held") == 1)
            with la.db.transaction() as tx:
                tx.execute("DELETE FROM hold_said")
                tx.execute("UPDATE held SET said = 0")
            await la.holds.look()
            assert said(la, "held") == 1
            released = hold_file(bridge, LA, number=2, release=held.name, ids=(bulletin,))
            await la.holds.take(released.package, released.terms, released.salt)
            await eventually(lambda: logged(la, "released") == 1)


async def test_until_it_is_sorted_everything_counts_as_held(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hold is cut off after its first part, as by a crash: the rest goes on at the next look."""
    monkeypatch.setattr(sorting, "PART", 1)
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH):
            await agreed(la)
            first, second, third = [await accepted(la, wish()) for _ in range(3)]
            held = hold_file(bridge, LA, ids=(second,), told=False)
            await la.engine.in_frames(
                lambda: la.holds.orders.take(held.package, held.terms, held.salt)
            )
            assert held_among(la.db, [first, second, third]) == {first, second, third}
            after = await la.engine.in_frames(lambda: la.holds.sorting.look(-1))
            assert held_among(la.db, [first, second, third]) == {second, third}
            assert after is not None
    async with bridge.broker_running(), bridge.node(LA) as la:
        await eventually(lambda: held_among(la.db, [first, second, third]) == {second})


async def test_what_is_erased_is_answered_without_anybody_and_what_is_held_is_not_erased(
    bridge: Bridge,
) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin, gone = [await accepted(la, wish()) for _ in range(2)]
            held = hold_file(bridge, KH, ids=(bulletin,), told=False)
            await kh.holds.take(held.package, held.terms, held.salt)
            erase = kh.recalls.answering.erasing.erase
            done = await kh.engine.in_frames(lambda: erase([bulletin, gone], "order"))
            assert (done.erased, done.held) == ((gone,), (bulletin,))
            assert (await kh.read_by_system(bulletin))["id"] == bulletin.hex()

            await la.engine.in_frames(lambda: la.holds.asked.ask(gone, "hold", None))
            la.line.wake_statements()
            answers = la.holds.asked.listed
            await eventually(lambda: [one["answer"] for one in answers()] == ["destroyed_before"])
            assert kh.holds.asked.open() == []
            released = hold_file(bridge, KH, number=2, release=held.name, ids=(bulletin,))
            await kh.holds.take(released.package, released.terms, released.salt)
            await eventually(lambda: held_among(kh.db, [bulletin]) == set())
            done = await kh.engine.in_frames(lambda: erase([bulletin], "order"))
            assert done.erased == (bulletin,)


async def test_a_full_disk_keeps_nothing_of_an_order(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH):
            await agreed(la)
            bulletin = await accepted(la, wish())
            held = hold_file(bridge, LA, ids=(bulletin,), told=False)

            def full(*_: object) -> None:
                raise OperatorError("disk_full", "there is no room left")

            with monkeypatch.context() as patch:
                patch.setattr(type(la.holds.orders), "_reckon", full)  # in the transaction
                with pytest.raises(OperatorError, match="disk_full"):
                    await la.holds.take(held.package, held.terms, held.salt)
            assert la.holds.listing.listed() == []
            assert la.holds.orders.offers() == []
            await la.holds.take(held.package, held.terms, held.salt)
            assert held_among(la.db, [bulletin]) == {bulletin}
