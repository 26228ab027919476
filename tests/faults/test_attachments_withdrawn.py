"""A recall while attachments are being fetched; a disk with no room for them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import KIB
from saphan_schemas.records import Event
from support.attaching import pdf, send, shown, stored
from support.bridge import KH, LA, Bridge, agreed, eventually, opened, states, wish
from support.cutting_line import cutting_line
from support.hostile import Hostile
from support.hostile_attachments import Attacker
from support.session import Line


async def test_a_recall_ends_the_fetching_and_holds_up_nothing(bridge: Bridge) -> None:
    data = pdf(3_000_000)
    async with bridge.broker_running(), cutting_line(bridge.url, 0) as (line, url):
        await bridge.enrol()
        hostile = Hostile(bridge, LA, KH)
        sender = Line(hostile.agency, bridge.pins, bridge.clock, True)
        straight, bridge.url, line.enough = bridge.url, url, True
        async with bridge.node(KH) as kh:
            bridge.url = straight
            await agreed(kh)
            await sender.connect(bridge.url)
            attacker = Attacker(hostile)
            first, second = attacker.bulletin(data), attacker.bulletin()
            line.hold_at = 32 * KIB
            for made in (first, second):
                await sender.bring(made.attachments)
                (result,) = await sender.submit(*hostile.submissions([made]))
                assert result.code is None, result
            await asyncio.wait_for(line.held.wait(), 20)
            about = [(first.bulletin_id, first.ciphertext_digest)]
            said, batch = hostile.agency.statements(
                Event.RECALLED, about, (LA, KH), bridge.clock(), "error"
            )
            (result,) = await sender.state(said, batch)
            assert result.code is None, result
            line.hold_at = None
            line.go.set()
            await eventually(lambda: states(kh, second.bulletin_id) == ["accepted"])
            await eventually(lambda: states(kh, first.bulletin_id) == ["recalled"])
            assert kh.alarms.standing() == []
        await sender.close()
        async with bridge.node(KH) as kh:
            await opened(kh)
            assert [path.parent.name for path in stored(bridge, KH, "in")] == [
                second.bulletin_id.hex()
            ]
            rows = kh.db.rows("SELECT event FROM entries WHERE bulletin = ?", (first.bulletin_id,))
            assert [event for (event,) in rows] == ["submitted", "recalled"]


async def test_what_was_sealed_and_not_kept_takes_no_room(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when the bulletin is to be stored: its sealed files go; the upload stays."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(kh)
            whole, full = la.db.transaction, [True]

            @contextmanager
            def transaction() -> Iterator[Any]:
                with whole() as tx:
                    yield tx
                    if full and stored(bridge, LA, "out"):
                        full.clear()
                        raise OperatorError("disk_full", "there is no room left")

            monkeypatch.setattr(la.db, "transaction", transaction)
            with pytest.raises(OperatorError, match="disk_full"):
                await send(la, pdf(60_000))
            assert stored(bridge, LA, "out") == []
            bulletin = await send(la, pdf(60_000))
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            assert await shown(kh, bulletin, 1) == pdf(60_000)
            assert len(stored(bridge, LA, "out")) == 1


async def test_attachments_leave_room_for_the_store(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partner cannot fill a node's disk: bulletins go on, attachments wait for room."""
    monkeypatch.setattr("saphan.node.wire.fetching.ROOM_WAIT_MS", 10)
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(kh)
            files = kh.engine._intake._judge._files
            files.reserve = 1 << 60
            attached = await send(la, pdf(60_000))
            await eventually(kh.alarms.standing)
            assert [alarm.code for alarm in kh.alarms.standing()] == ["disk_full"]
            bare = await la.send(wish())
            await eventually(lambda: states(la, bare) == ["accepted"])
            assert stored(bridge, KH, "in") == []
            assert states(la, attached) == ["submitted"]
            assert kh.line.state.state == "open"
            with pytest.raises(OperatorError, match="disk_full"):
                await send(kh, pdf(60_000))
            files.reserve = 0
            await eventually(lambda: states(la, attached) == ["accepted"])
            assert await shown(kh, attached, 1) == pdf(60_000)
            assert kh.alarms.standing() == []
