"""A desk erases on its node's word, and says so under the officer's key; its saves are exports."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from saphan.desk.confirming import Confirming
from saphan.desk.desk import Desk
from saphan.desk.inbox import Inbox
from saphan.desk.keeping import Keeping
from saphan.desk.line import DeskLine
from saphan.desk.outbox import Outbox
from saphan.desk.store import Shelf
from saphan.desk.syncing import sync
from saphan.node.retention.keeping import Keeping as Rows
from saphan_protocol.batch import sign_one
from saphan_schemas.codec import encode
from saphan_schemas.desk_frames import AskErased, AskExported, AskKeeping
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.exports import DESK_ERASURE_TYPE, EXPORT_TYPE, SAVED, DeskErasure, Export
from saphan_schemas.limits import DAY_MS
from support.bridge import KH, LA, Bridge, eventually, states, wish
from support.desk_letters import letter
from support.desks import DeskBridge, at, desk_bridge, on_line, ready_bridge


@pytest.fixture
async def bridge(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    monkeypatch.setattr("saphan.node.desks.session.NEWS_PAUSE_S", 0.05)
    async with ready_bridge() as made:
        yield made


async def received(world: DeskBridge) -> bytes:
    """A bulletin from la.ospp that kh.gpo has accepted."""
    sent = await world.la.send(wish())
    await eventually(lambda: states(world.la, sent) == ["accepted"])
    return sent


async def read_here(desk: Desk, line: DeskLine, bulletin: bytes) -> None:
    content = await Inbox(desk).read(line, bulletin)
    await asyncio.to_thread(Inbox(desk).keep, content)


async def erase(world: DeskBridge, bulletin: bytes, rule: str = "review") -> None:
    """As the node does when its day has come."""
    node = world.kh
    erase = partial(node.retention.sweeping.erasing.erase, [bulletin], rule)
    done = await node.engine.in_frames(erase)
    assert done.erased == (bulletin,)
    node.line.wake_statements()


def desks(world: DeskBridge, bulletin: bytes) -> list[tuple[str, bool]]:
    """Desks of a bulletin at the node, and whether each has confirmed."""
    rows = world.kh.subjects.copies.of(bulletin)
    return [(one["handle"], one["erased"] is not None) for one in rows]


def told(world: DeskBridge, bulletin: bytes) -> Any:
    """What the originator's timeline says that the eraser knew."""
    timeline = world.la.bulletins.status(bulletin)["timeline"]
    return [one["known"] for one in timeline if one["event"] == "erased"]


async def opened_here(desk: Desk, bulletin: bytes) -> bool:
    return await asyncio.to_thread(Inbox(desk).opened, bulletin.hex()) is not None


async def test_a_desk_on_the_line_erases_and_confirms_at_once(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder, sent = await world.desk(), await received(world)
        async with on_line(folder, bridge) as (desk, line):
            await sync(desk, line)
            await read_here(desk, line, sent)
            assert desks(world, sent) == [("dao", False)]
            await erase(world, sent)
            while desks(world, sent) != [("dao", True)]:
                await line.news()
                await sync(desk, line)
            assert not await opened_here(desk, sent)
            assert await asyncio.to_thread(desk.store.count, Shelf.ERASED) == 0
        rows = world.kh.db.rows("SELECT record, signature FROM desk_erasures")
        assert len(rows) == 1
        # The erasure was signed before the desk was heard: it says that one desk had it.
        await eventually(lambda: told(world, sent))
        assert told(world, sent) == [{"exports": {}, "desks": {"erased": 0, "waiting": 1}}]


async def test_a_desk_that_was_away_erases_when_it_comes_back(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder, sent = await world.desk(), await received(world)
        async with on_line(folder, bridge) as (desk, line):
            await read_here(desk, line, sent)
        await erase(world, sent)
        async with at(folder, bridge) as desk:
            assert await opened_here(desk, sent)  # nobody has told it yet
        async with on_line(folder, bridge) as (desk, line):
            assert await Confirming(desk).bring(line) == 1
            assert not await opened_here(desk, sent)
            assert desks(world, sent) == [("dao", True)]
            assert await Confirming(desk).bring(line) == 0


async def test_a_desk_that_nobody_tells_erases_on_its_day_and_confirms_later(
    bridge: Bridge,
) -> None:
    up = 1_000

    def uptime() -> tuple[str, int]:
        return "one start", up

    async with desk_bridge(bridge) as world:
        folder, sent = await world.desk(), await received(world)
        async with on_line(folder, bridge, uptime=uptime) as (desk, line):
            await read_here(desk, line, sent)
            await asyncio.to_thread(Keeping(desk).told, [], desk.clock())
        up += 20_000 * DAY_MS  # nobody keeps anything so long
        async with at(folder, bridge, uptime=uptime) as desk:
            assert await asyncio.to_thread(Keeping(desk).sweep) == 1
            assert not await opened_here(desk, sent)
        async with on_line(folder, bridge, uptime=uptime) as (desk, line):
            await Confirming(desk).bring(line)
        # The node has it still, and knows that this desk has not.
        assert desks(world, sent) == [("dao", True)]
        async with on_line(folder, bridge, uptime=uptime) as (desk, line):
            await read_here(desk, line, sent)
            assert desks(world, sent) == [("dao", False)]


async def test_a_line_that_breaks_before_the_answer_costs_the_same_words_again(
    bridge: Bridge,
) -> None:
    async with desk_bridge(bridge) as world:
        folder, sent = await world.desk(), await received(world)
        async with on_line(folder, bridge) as (desk, line):
            await read_here(desk, line, sent)
            first = await line.ask(AskKeeping(line.number(), 0))
            assert [one["id"] for one in first["copies"]] == [sent.hex()]
            again = await line.ask(AskKeeping(line.number(), 0))
            assert again["copies"] == first["copies"]
        async with on_line(folder, bridge) as (desk, line):
            await Confirming(desk).bring(line)
            heard = await line.ask(AskKeeping(line.number(), 0))
            assert heard["copies"] == []


async def test_a_hold_of_the_node_keeps_the_copy_at_the_desk(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder, sent = await world.desk(), await received(world)

        def hold(query: str, values: tuple[object, ...]) -> None:
            with world.kh.db.transaction() as tx:
                tx.execute(query, values)

        async with on_line(folder, bridge) as (desk, line):
            await read_here(desk, line, sent)
            keep = "INSERT INTO held (bulletin, hold) VALUES (?, ?)"
            await world.kh.engine.in_frames(partial(hold, keep, (sent, bytes(32))))
            await Confirming(desk).bring(line)
            kept = await asyncio.to_thread(Keeping(desk).kept.find, sent)
            assert kept is not None
            assert kept.held
            free = "DELETE FROM held WHERE bulletin = ?"
            await world.kh.engine.in_frames(partial(hold, free, (sent,)))
            await Confirming(desk).bring(line)
            kept = await asyncio.to_thread(Keeping(desk).kept.find, sent)
            assert kept is not None
            assert not kept.held


async def test_the_copy_of_what_an_officer_sent_goes_with_it(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        async with on_line(folder, bridge) as (desk, line):
            queued = await asyncio.to_thread(Outbox(desk).queue, letter(LA), {})
            assert await Outbox(desk).send(line) == []
            (kept,) = await asyncio.to_thread(Outbox(desk).some, [queued.number])
            sent = kept.bulletin
            assert sent is not None
            await eventually(lambda: states(world.kh, sent) == ["accepted"])
            assert desks(world, sent) == [("dao", False)]
            await erase(world, sent)
            await Confirming(desk).bring(line)
            assert await asyncio.to_thread(Outbox(desk).all) == []
            assert desks(world, sent) == [("dao", True)]


async def test_what_a_desk_saved_is_a_record_at_the_node_and_in_the_log(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder, sent = await world.desk(), await received(world)
        async with on_line(folder, bridge) as (desk, line):
            await read_here(desk, line, sent)
        async with at(folder, bridge) as desk:  # without the line
            await asyncio.to_thread(Confirming(desk).saved, sent, 1)
        async with on_line(folder, bridge) as (desk, line):
            await Confirming(desk).bring(line)
            assert await asyncio.to_thread(desk.store.count, Shelf.EXPORTS) == 0
        exports = world.kh.subjects.exports
        await eventually(lambda: [one for one in exports.listed(sent) if one["index"] is not None])
        (one,) = exports.listed(sent)
        assert (one["kind"], one["by"], one["number"]) == (SAVED, "desk:dao", 1)
        await erase(world, sent)
        await eventually(lambda: told(world, sent))
        assert told(world, sent) == [
            {"exports": {"saved": 1}, "desks": {"erased": 0, "waiting": 1}}
        ]


async def test_a_word_that_is_not_the_desk_own_is_refused(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder, sent = await world.desk(), await received(world)
        other = await world.desk("chan")
        async with on_line(other, bridge) as (foreign, _), on_line(folder, bridge) as (desk, line):
            await read_here(desk, line, sent)

            async def say(key: Any = None, signer: Any = None, **fields: Any) -> Any:
                said: Any = {
                    "agency": KH,
                    "handle": "dao",
                    "key": (key or desk.key).key_id,
                    "time": desk.clock(),
                    "bulletins": (sent,),
                } | fields
                record = encode(DeskErasure(**said))
                signed = sign_one(signer or desk.key, DESK_ERASURE_TYPE, record, os.urandom(32))
                return await line.ask(AskErased(line.number(), record, signed))

            for wrong in (
                {"signer": foreign.key},
                {"key": foreign.key},
                {"handle": "chan"},
                {"agency": LA},
            ):
                with pytest.raises(Refused, match="key_foreign"):
                    await say(**wrong)
            with pytest.raises(InvalidInput, match="malformed"):
                await say(bulletins=(sent, sent))
            assert desks(world, sent) == [("dao", False)]
            assert await say(bulletins=(os.urandom(32),)) == {"kept": 0}
            assert await say() == {"kept": 1}
            assert await say() == {"kept": 0}
            assert desks(world, sent) == [("dao", True)]
            record = encode(Export(os.urandom(32), KH, SAVED, "desk:dao", 1, desk.clock()))
            signed = sign_one(desk.key, EXPORT_TYPE, record, os.urandom(32))
            with pytest.raises(InvalidInput, match="bulletin_unknown"):
                await line.ask(AskExported(line.number(), record, signed))
            record = encode(Export(sent, KH, SAVED, "keeper", 1, desk.clock()))
            signed = sign_one(desk.key, EXPORT_TYPE, record, os.urandom(32))
            with pytest.raises(Refused, match="key_foreign"):
                await line.ask(AskExported(line.number(), record, signed))


async def test_a_node_from_before_the_reading_keeps_what_was_saved(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder, sent = await world.desk(), await received(world)
        async with on_line(folder, bridge) as (desk, line):
            await read_here(desk, line, sent)
            await asyncio.to_thread(Confirming(desk).saved, sent, 1)

            def forget() -> None:  # as a backup from before leaves it
                with world.kh.db.transaction() as tx:
                    tx.execute("DELETE FROM desk_copies")

            await world.kh.engine.in_frames(forget)
            await Confirming(desk).bring(line)
            assert [one["kind"] for one in world.kh.subjects.exports.listed(sent)] == [SAVED]
            assert desks(world, sent) == [("dao", False)]  # and it is told when that goes


async def test_a_desk_goes_by_the_time_that_its_node_has_erased_by(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder, _ = await world.desk(), await received(world)
        await eventually(lambda: world.kh.retention.sweeping.time.now())
        await world.kh.retention.sweeping.look()
        async with on_line(folder, bridge) as (desk, line):
            await Confirming(desk).bring(line)
            heard = await asyncio.to_thread(Keeping(desk).time.now)
            acted = world.kh.db.row("SELECT value FROM facts WHERE name = 'retention_acted'")
            assert acted is not None
            assert heard is not None
            assert int(acted[0]) <= heard <= desk.clock() + 60_000


async def test_what_the_node_erases_on_its_day_goes_at_the_desk_too(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder, sent = await world.desk(), await received(world)
        async with on_line(folder, bridge) as (desk, line):
            await read_here(desk, line, sent)

            def due() -> None:
                today = desk.clock() // DAY_MS
                with world.kh.db.transaction() as tx:
                    assert Rows.bring_forward(tx, sent, today, "review")

            await world.kh.engine.in_frames(due)
            await eventually(lambda: world.kh.retention.sweeping.time.now())
            await world.kh.retention.sweeping.look()
            query = "SELECT 1 FROM retention WHERE erased IS NOT NULL"
            await eventually(lambda: world.kh.db.row(query))
            await Confirming(desk).bring(line)
            assert not await opened_here(desk, sent)
            assert desks(world, sent) == [("dao", True)]
