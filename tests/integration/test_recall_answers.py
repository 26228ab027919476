"""How a node answers a recall by itself: holds, suppression, threads, crashes, a lost store."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from saphan.holds.hold_file import HoldFile
from saphan.node.recall import answering
from saphan.node.rows.db import Database
from saphan.node.rows.recalled import recalled_here
from saphan.node.service import NodeService
from saphan_schemas.errors import OperatorError, Refused
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Event
from support.bridge import KH, LA, VN, Bridge, agreed, bridged, eventually, states, wish
from support.hold_files import hold_file
from support.lost_store import lose_store
from support.recalls import row, settings, stands
from support.threads import accepted, known, letter, owed, related


async def heeded(node: NodeService, file: HoldFile) -> None:
    """The node takes an order, and the log shows it."""
    await node.holds.take(file.package, file.terms, file.salt)
    await eventually(lambda: node.holds.orders.is_logged(file.name))
    await node.holds.look()


async def test_a_hold_declines_and_its_release_obeys(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await accepted(la, wish())
            order = hold_file(bridge, KH, ids=(bulletin,), told=False)
            await heeded(kh, order)
            await la.recalls.order(bulletin, "error", "keeper")
            assert (await stands(la, bulletin, "declined"))["code"] == "legal_hold"
            assert kh.db.rows("SELECT count(*) FROM bodies") == [(1,)]
            with pytest.raises(Refused, match="held_here"):
                await kh.recalls.answer(bulletin, None, "keeper")
            with pytest.raises(Refused, match="bulletin_recalled"):
                await kh.read_by_system(bulletin)
            ids = (bulletin,)
            await heeded(
                kh, hold_file(bridge, KH, number=2, release=order.name, ids=ids, told=False)
            )
            await stands(la, bulletin, "obeyed")
            assert kh.db.rows("SELECT count(*) FROM bodies") == [(0,)]


async def test_what_was_stopped_and_is_held_goes_when_the_hold_ends(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await agreed(kh)
            types = ("saphan/case_statistics/1",)
            await heeded(kh, hold_file(bridge, KH, schemas=types, told=False))
        bridge.mailbox(KH).unlink()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            bulletin = await la.send(wish())
            await eventually(lambda: kh.db.rows("SELECT 1 FROM bodies"))
            await kh.holds.look()
            await la.recalls.order(bulletin, "error", "keeper")
            await stands(la, bulletin, "stopped")
            await eventually(lambda: kh.recalls.received(0, 9)["recalls"])
            await eventually(lambda: kh.recalls.received(0, 9)["recalls"][0]["answer"])
            (found,) = kh.recalls.received(0, 9)["recalls"]
            assert (found["answer"], found["by"]) == ("stopped", "hold")
            assert kh.db.rows("SELECT count(*) FROM bodies") == [(1,)]
            today = bridge.node_clock() // DAY_MS
            assert kh.db.rows("SELECT day, rule FROM retention") == [(today, "recalled")]


async def test_who_declined_by_hand_is_not_overruled_by_the_settings(bridge: Bridge) -> None:
    settings(bridge, KH, '"recall": {"answer": "ask"}')
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
            async with bridge.node(KH) as kh:
                bulletin = await accepted(la, wish())
                await la.recalls.order(bulletin, "error", "keeper")
                await eventually(lambda: recalled_here(kh.db, bulletin))
                await kh.recalls.answer(bulletin, "law_requires", "officer:sokha")
                await stands(la, bulletin, "declined")
            settings(bridge, KH, '"recall": {"answer": "obey"}')
            async with bridge.node(KH) as kh:
                await kh.recalls.look()
                assert kh.db.rows("SELECT count(*) FROM bodies") == [(1,)]
                assert row(la, bulletin)["state"] == "declined"


async def test_a_wrong_person_who_is_named_again_is_marked(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            wrong = await accepted(la, letter("subject_notice", (KH,), marking={"tlp": "amber"}))
            await la.recalls.order(wrong, "wrong_person", "keeper")
            await stands(la, wrong, "obeyed")
            assert kh.db.rows("SELECT count(*) FROM subjects") == [(0,)]
            again = await accepted(la, letter("subject_notice", (KH,), marking={"tlp": "amber"}))
            other = await accepted(la, letter("case_statistics", (KH,)))
            await kh.subjects.indexing.finish(kh.engine)
            marked = {one["id"]: one["suppressed"] for one in kh.bulletins.inbox(0, 9)}
            assert (marked[again.hex()], marked[other.hex()]) == (True, False)
            assert kh.bulletins.status(again)["suppressed"] is True
            await la.subjects.indexing.finish(la.engine)
            assert la.bulletins.status(again)["suppressed"] is True
            assert la.bulletins.status(other)["suppressed"] is False
            # It asks an officer to look, and hides nothing.
            assert (await kh.read_by_system(again))["id"] == again.hex()


async def test_other_reasons_mark_nobody(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            notice = await accepted(la, letter("subject_notice", (KH,), marking={"tlp": "amber"}))
            await la.recalls.order(notice, "error", "keeper")
            await stands(la, notice, "obeyed")
            assert kh.db.rows("SELECT count(*) FROM suppressed") == [(0,)]


async def test_what_was_taken_back_replaces_and_answers_nothing(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            original = await accepted(la, letter("training_notice", (KH,)))
            better = await accepted(
                la,
                letter(
                    "training_notice", (KH,), about_message_kind="correction",
                    about_relations=[related("corrects", original)],
                ),
            )  # fmt: skip
            inbox = {one["id"]: one["replaced_by"] for one in kh.bulletins.inbox(0, 9)}
            assert inbox[original.hex()] == [better.hex()]
            await la.recalls.order(better, "error", "keeper")
            await stands(la, better, "obeyed")
            for node in (la, kh):
                assert node.bulletins.status(original)["replaced_by"] == []

            request = await accepted(kh, letter("info_request", (LA,)))
            await known(la, request)
            reply = await accepted(la, letter("info_reply_final", (KH,), request))
            assert owed(kh, request) == [(LA, "answered")]
            await la.recalls.order(reply, "error", "keeper")
            await stands(la, reply, "obeyed")
            assert owed(kh, request) == owed(la, request) == [(LA, "waiting")]
            await kh.recalls.order(request, "error", "keeper")
            await stands(kh, request, "obeyed", LA)
            assert owed(kh, request) == [(LA, "ended")]


async def test_a_crash_between_erasing_and_answering_is_taken_up(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes are gone, and the node was killed before it said so: it says so when it starts."""

    def killed(*_: Any) -> Any:
        raise OperatorError("disk_full", "there is no room left")

    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
            async with bridge.node(KH) as kh:
                bulletin = await accepted(la, wish())
                with monkeypatch.context() as patched:
                    patched.setattr(answering, "sign_statements", killed)
                    await la.recalls.order(bulletin, "error", "keeper")
                    await eventually(lambda: kh.db.rows("SELECT 1 FROM bodies") == [])
                    await eventually(kh.alarms.standing)
            await stands(la, bulletin, "waiting")
            async with bridge.node(KH) as kh:
                await stands(la, bulletin, "obeyed")
                events = [one["event"] for one in la.bulletins.status(bulletin)["timeline"]]
                assert events.count("obeyed") == events.count("erased") == 1


async def test_a_restored_node_hears_how_it_answered(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            async with bridge.node(KH) as kh:
                await agreed(la)
                first, second = [await accepted(la, wish()) for _ in range(2)]
                await la.recalls.order(first, "error", "keeper")
                await stands(la, first, "obeyed")
            await la.recalls.order(second, "error", "keeper")
            await stands(la, second, "waiting")
            await asyncio.to_thread(lose_store, bridge, KH)
            async with bridge.node(KH) as kh:
                await stands(la, second, "obeyed")
                answers = [one["answer"] for one in kh.recalls.received(0, 9)["recalls"]]
                assert answers == ["obeyed", "obeyed"]
                assert kh.db.rows("SELECT count(*) FROM bodies") == [(0,)]
            for bulletin in (first, second):
                events = [one["event"] for one in la.bulletins.status(bulletin)["timeline"]]
                assert events.count("obeyed") == 1


async def test_a_recalled_one_that_did_not_open_is_not_consigned_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request stands while the delivery has no answer: what is unopened then is not sent."""
    async with bridged(tmp_path, LA, KH, VN) as bridge, bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await agreed(kh)
            bulletin = await la.send(wish())
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            with la.db.transaction() as tx:
                tx.execute("UPDATE deliveries SET state = 'unopened'")
                tx.execute(
                    "INSERT INTO recall_orders (bulletin, code, caller, time)"
                    " VALUES (?, 'error', 'keeper', 0)",
                    (bulletin,),
                )
            assert la.outbox.consign_anew([(bulletin, KH)]) == []
            assert la.db.rows("SELECT count(*) FROM consignments") == [(1,)]


def test_the_store_of_a_node_knows_of_no_recall_at_first(tmp_path: Path) -> None:
    db = Database(tmp_path)
    try:
        assert recalled_here(db, bytes(32)) is None
        assert Event.RECALLED.value == "recalled"
    finally:
        db.close()
