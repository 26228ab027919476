"""Recalls over a real broker: stopped at their place in the log, obeyed, declined, or silent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from saphan.node.service import NodeService
from saphan_schemas.errors import Refused
from support.bridge import KH, LA, VN, Bridge, agreed, bridged, eventually, opened, states, wish
from support.recalls import row, settings, stands
from support.threads import accepted, after, letter

Json = dict[str, Any]


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made:
        yield made


async def test_a_recall_before_the_delivery_stops_it(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
            bulletin = await la.send(wish())
            await eventually(lambda: states(la, bulletin) == ["submitted"])
            ordered = await la.recalls.order(bulletin, "error", "keeper")
            assert ordered["recalled"]
            assert ordered["code"] == "error"
            found = await stands(la, bulletin, "stopped")
            assert (found["until"], found["answered"]) == (None, None)
            again = await la.recalls.order(bulletin, "error", "keeper")
            assert again["recipients"] == [found]
            with pytest.raises(Refused, match="recalled_before"):
                await la.recalls.order(bulletin, "court_order", "keeper")
        async with bridge.node(KH) as kh:
            await opened(kh)
            await eventually(lambda: states(kh, bulletin) == ["recalled"])
            assert kh.bulletins.inbox(0, 10) == []
            await eventually(lambda: kh.recalls.received(0, 10)["recalls"][0]["answer"])
            assert kh.recalls.received(0, 10)["recalls"][0]["answer"] == "stopped"
            assert kh.db.rows("SELECT 1 FROM bodies") == []


async def test_what_is_there_and_was_not_taken_is_never_taken(bridge: Bridge) -> None:
    """The bytes are at the recipient's node, which has no key for them: the recall is the outcome,
    and when the key is back nothing is handed over."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH):
            await agreed(la)
        key = bridge.mailbox(KH)
        away = key.with_suffix(".away")
        key.rename(away)
        async with bridge.node(LA) as la:
            async with bridge.node(KH) as kh:
                bulletin = await la.send(wish())
                await eventually(lambda: kh.db.rows("SELECT 1 FROM bodies"))
                await la.recalls.order(bulletin, "court_order", "keeper")
                await stands(la, bulletin, "stopped")
                await eventually(lambda: kh.db.rows("SELECT 1 FROM bodies") == [])
            away.rename(key)
            async with bridge.node(KH) as kh:
                await opened(kh)
                other = await accepted(la, wish())
                assert [one["id"] for one in kh.bulletins.inbox(0, 9)] == [other.hex()]
                said = "SELECT event FROM statements WHERE bulletin = ?"
                assert kh.db.rows(said, (bulletin,)) == []
            events = [one["event"] for one in la.bulletins.status(bulletin)["timeline"]]
            assert events == ["submitted", "recalled"]


async def test_who_has_it_obeys_and_its_bytes_are_gone(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await accepted(la, letter("training_notice", (KH,)))
            await la.recalls.order(bulletin, "consent_withdrawn", "keeper")
            found = await stands(la, bulletin, "obeyed")
            assert not found["late"]
            assert found["answered"] >= found["asked"]
            await eventually(lambda: row(la, bulletin)["erased"] is not None)
            assert row(la, bulletin)["erased_code"] == "recalled"
            assert kh.db.rows("SELECT 1 FROM bodies") == []
            assert kh.db.rows("SELECT wrapped, author FROM bulletins") == [(None, None)]
            assert states(la, bulletin) == ["accepted"]
            (listed,) = kh.recalls.received(0, 10)["recalls"]
            assert (listed["answer"], listed["by"]) == ("obeyed", "settings")
            (inbox,) = kh.bulletins.inbox(0, 10)
            assert inbox["recalled"] == "consent_withdrawn"
            assert kh.alarms.standing() == []
            assert la.alarms.standing() == []


async def test_a_person_is_asked_and_nobody_is_shown_anything_meanwhile(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saphan.node.telling.warnings.LOOK_S", 3600.0)  # the test looks itself
    settings(bridge, KH, '"recall": {"answer": "ask", "officers": ["sokha"]}')
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await accepted(la, letter("training_notice", (KH,)))
            assert (await kh.read_by_system(bulletin))["id"] == bulletin.hex()
            await la.recalls.order(bulletin, "error", "officer:bounmy")
            await eventually(lambda: [one.code for one in kh.alarms.standing()])
            assert [one.code for one in kh.alarms.standing()] == ["recall_asked"]
            with pytest.raises(Refused, match="bulletin_recalled"):
                await kh.read_by_system(bulletin)
            (inbox,) = kh.bulletins.inbox(0, 10)
            assert (inbox["recalled"], inbox["author"]) == ("error", None)
            assert kh.bulletins.status(bulletin)["recalled"] == "error"
            await stands(la, bulletin, "waiting")

            after(bridge, 13)
            assert warned(la) == []
            assert warned(kh) == [(bulletin.hex(), 50, "waiting")]
            after(bridge, 12)
            assert row(la, bulletin)["state"] == "silent"
            assert warned(kh) == warned(la) == [(bulletin.hex(), 100, "silent")]
            assert warned(la) == []  # once
            assert la.bulletins.status(bulletin)["warnings"][-1]["deadline"] == "recall"
            await la.recalls.look()
            assert "recall_silent" in [one.code for one in la.alarms.standing()]

            await kh.recalls.answer(bulletin, "in_proceedings", "officer:sokha")
            found = await stands(la, bulletin, "declined")
            assert (found["code"], found["late"]) == ("in_proceedings", True)
            await eventually(lambda: la.alarms.standing() == [])
            assert kh.db.rows("SELECT count(*) FROM bodies") == [(1,)]
            with pytest.raises(Refused, match="answered_before"):
                await kh.recalls.answer(bulletin, "court_order", "keeper")
            with pytest.raises(Refused, match="bulletin_recalled"):
                await kh.read_by_system(bulletin)

            await kh.recalls.answer(bulletin, None, "officer:sokha")
            await stands(la, bulletin, "obeyed")
            assert kh.db.rows("SELECT count(*) FROM bodies") == [(0,)]
            with pytest.raises(Refused, match="answered_before"):
                await kh.recalls.answer(bulletin, "court_order", "keeper")


def warned(node: NodeService) -> list[tuple[str, int, str]]:
    """What a look at the deadlines says of recalls."""
    found = [one for one in node.warnings.look() if one["deadline"] == "recall"]
    return [(one["id"], one["share"], one["state"]) for one in found]


async def test_every_recipient_stands_in_one_table(tmp_path: Path) -> None:
    async with bridged(tmp_path, LA, KH, VN) as bridge, bridge.broker_running():
        await bridge.enrol()
        settings(bridge, VN, '"recall": {"answer": "ask"}')
        async with bridge.node(LA) as la, bridge.node(KH):
            await agreed(la)
            async with bridge.node(VN) as vn:
                await opened(vn)
                bulletin = await accepted(la, letter("training_notice", (KH, VN)))
            alone = await la.send(wish(VN))
            await eventually(lambda: states(la, alone) == ["submitted"])
            await la.recalls.order(bulletin, "wrong_person", "keeper")
            await la.recalls.order(alone, "error", "keeper")
            await stands(la, bulletin, "obeyed")
            await stands(la, bulletin, "waiting", VN)
            await stands(la, alone, "stopped", VN)
            async with bridge.node(VN) as vn:
                await eventually(lambda: vn.recalls.received(0, 10)["recalls"])
                await vn.recalls.answer(bulletin, None, "keeper")
                await stands(la, bulletin, "obeyed", VN)


async def test_what_never_left_is_held_back(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
    async with bridge.node(LA) as la:
        bulletin = await la.send(wish())
        ordered = await la.recalls.order(bulletin, "error", "keeper")
        assert [one["state"] for one in ordered["recipients"]] == ["unsent"]
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
        other = await accepted(la, wish())
        assert [one["id"] for one in kh.bulletins.inbox(0, 10)] == [other.hex()]
        assert row(la, bulletin)["state"] == "unsent"


async def test_a_recall_that_the_log_does_not_show_is_an_alarm(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH):
            await agreed(la)
            bulletin = await accepted(la, wish())
    async with bridge.node(LA) as la:
        await la.recalls.order(bulletin, "error", "keeper")
        after(bridge, 25)
        await la.recalls.look()
        assert row(la, bulletin)["state"] == "sending"
        assert "recall_unlogged" in [one.code for one in la.alarms.standing()]
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH):
        await stands(la, bulletin, "obeyed")
        await la.recalls.look()
        assert "recall_unlogged" not in [one.code for one in la.alarms.standing()]


async def test_only_what_is_ones_own_is_recalled(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await accepted(la, wish())
            with pytest.raises(Refused, match="recall_foreign"):
                await kh.recalls.order(bulletin, "error", "keeper")
            with pytest.raises(Refused, match="not_recalled"):
                await kh.recalls.answer(bulletin, None, "keeper")
