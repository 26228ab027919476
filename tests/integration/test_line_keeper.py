"""The line of an open page: news, what pages ask, a node that is gone and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import pytest
from saphan.desk.desk import Desk
from saphan.desk.inbox import Inbox
from saphan.desk.line import DeskLine
from saphan.desk.listed import Listed
from saphan.desk.outbox import Outbox
from saphan.desk.owed import OwedHere
from saphan.desk.syncing import Synced
from saphan.web.line_keeper import LineKeeper
from saphan_schemas.errors import InvalidInput, Unavailable
from support.bridge import KH, LA, Bridge, agreed, eventually, states, wish
from support.desk_letters import kept_here, letter
from support.desks import ANYWHERE, DeskBridge, at, desk_bridge, ready_bridge
from support.threads import accepted
from support.threads import letter as question


@pytest.fixture
async def bridge(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    monkeypatch.setattr("saphan.node.desks.session.NEWS_PAUSE_S", 0.05)
    monkeypatch.setattr("saphan.web.line_keeper.FIRST_WAIT_MS", 50)
    monkeypatch.setattr("saphan.web.line_keeper.ASIDE_S", 60.0)
    async with ready_bridge() as made:
        yield made


class Kept:
    """A running keeper, and what it told."""

    def __init__(self, desk: Desk) -> None:
        self.told: list[Synced | None] = []
        self.listed = Listed()
        self.line = LineKeeper(desk, self._tell, self.listed)

    async def _tell(self, synced: Synced | None) -> None:
        self.told.append(synced)

    @property
    def synced(self) -> list[Synced]:
        return [one for one in self.told if one is not None]


@asynccontextmanager
async def keeping(desk: Desk) -> AsyncIterator[Kept]:
    kept = Kept(desk)
    task = asyncio.create_task(kept.line.run())
    try:
        yield kept
    finally:
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()


async def pull(desk: Desk, line: DeskLine) -> list[dict[str, Any]]:
    return await Inbox(desk).pull(line)


async def status(desk: Desk, line: DeskLine, text: str) -> dict[str, Any]:
    return await Inbox(desk).status(line, text)


async def test_news_and_what_pages_ask_take_turns(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        async with at(folder, bridge) as desk, keeping(desk) as kept:
            # Asked before there is a line: it waits for the first one.
            life = asyncio.create_task(kept.line.ask(pull))
            assert await life == []
            assert kept.line.state.online
            letters = [await world.la.send(wish()) for _ in range(3)]
            asked = [
                asyncio.create_task(kept.line.ask(partial(status, text=one.hex())))
                for one in letters
            ]
            await eventually(lambda: all(states(world.la, one) == ["accepted"] for one in letters))
            await asyncio.gather(*asked, return_exceptions=True)  # too early for some
            rows = {one.hex() for one in letters}
            await eventually(lambda: {r["id"] for s in kept.synced for r in s.new} == rows)
            for one in letters:
                found = await kept.line.ask(partial(status, text=one.hex()))
                assert found["id"] == one.hex()
            # What one page asks wrongly is that page's own trouble.
            with pytest.raises(InvalidInput, match="bulletin_unknown"):
                await kept.line.ask(partial(status, text="0" * 64))
            assert kept.line.state.online
            assert kept.line.state.heard is not None
            await asyncio.to_thread(kept.listed.refresh, desk.store)
            assert kept.listed.ids == rows


async def test_a_bug_in_what_a_page_asks_ends_neither_task_nor_desk(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        async with at(folder, bridge) as desk, keeping(desk) as kept:

            async def broken(desk: Desk, line: DeskLine) -> None:
                raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await kept.line.ask(broken)
            # The line is opened anew: nobody knows what was still to be answered on it.
            await eventually(lambda: len(kept.synced) > 1 and kept.line.state.online)
            assert await kept.line.ask(pull) == []


async def test_a_node_that_is_gone_and_back(bridge: Bridge) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(bridge.broker_running())
        await stack.enter_async_context(bridge.node_with_api(LA))
        async with kh_alone(bridge) as world:
            folder, port = await world.desk(), int(world.kh.listening["desks"][1])
            desk = await stack.enter_async_context(at(folder, bridge))
            kept = await stack.enter_async_context(keeping(desk))
            await eventually(lambda: kept.synced)
        # Gone: it is said, and what is asked is refused at once, not after a minute.
        await eventually(lambda: not kept.line.state.online)
        state = kept.line.state
        assert isinstance(state.why, Unavailable)
        assert state.heard is not None
        with pytest.raises(Unavailable):
            await kept.line.ask(pull)
        queued = await asyncio.to_thread(Outbox(desk).queue, letter(LA), {})
        assert kept.line.state.since == state.since
        # Back, at the same address: it comes by itself, and what waited leaves.
        async with kh_alone(bridge, ("127.0.0.1", port)) as world:
            await eventually(lambda: sent(kept))
            assert (kept.line.state.online, sent(kept)) == (True, [queued.number])
            assert len(kept_here(world)) == 1


def sent(kept: Kept) -> list[int]:
    """Numbers of what has left."""
    return [one.number for synced in kept.synced for one in synced.sent]


@asynccontextmanager
async def kh_alone(bridge: Bridge, desks: tuple[str, int] = ANYWHERE) -> AsyncIterator[DeskBridge]:
    """Only kh.gpo's node comes and goes."""
    async with bridge.node_with_api(KH, desks=desks) as kh:
        await agreed(kh)
        yield DeskBridge(bridge, kh, kh)


async def test_what_is_queued_leaves_at_once_when_told_to_hurry(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        async with at(folder, bridge) as desk, keeping(desk) as kept:
            await kept.line.ask(pull)
            queued = await kept.line.ask(queue)
            kept.line.hurry()
            await eventually(lambda: sent(kept))
            assert sent(kept) == [queued]


async def queue(desk: Desk, line: DeskLine) -> int:
    return (await asyncio.to_thread(Outbox(desk).queue, letter(LA), {})).number


async def test_who_waits_for_something_long_gets_a_line_of_their_own(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saphan.web.line_keeper.ASIDE_S", 0.1)
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        async with at(folder, bridge) as desk, keeping(desk) as kept:
            begun, enough = asyncio.Event(), asyncio.Event()

            async def long(desk: Desk, line: DeskLine) -> str:
                begun.set()
                await enough.wait()
                return "done"

            slow = asyncio.create_task(kept.line.ask(long))
            await begun.wait()
            assert await kept.line.ask(pull) == []
            with pytest.raises(InvalidInput, match="bulletin_unknown"):
                await kept.line.ask(partial(status, text="0" * 64))
            assert not slow.done()
            enough.set()
            assert await slow == "done"
            assert await kept.line.ask(pull) == []


async def test_what_nobody_waits_for_any_more_is_not_done(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        async with at(folder, bridge) as desk, keeping(desk) as kept:
            begun, enough, done = asyncio.Event(), asyncio.Event(), list[int]()

            async def long(desk: Desk, line: DeskLine) -> None:
                begun.set()
                await enough.wait()

            async def count(desk: Desk, line: DeskLine) -> None:
                done.append(len(done))

            slow = asyncio.create_task(kept.line.ask(long))
            await begun.wait()
            left = asyncio.create_task(kept.line.ask(count))
            await asyncio.sleep(0)  # it has asked
            left.cancel()
            await asyncio.wait((left,))
            stays = asyncio.create_task(kept.line.ask(count))
            enough.set()
            await slow
            await stays
            assert left.cancelled()
            assert done == [0]


async def test_a_clock_that_begins_without_news_of_the_list_is_seen_a_little_later(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request of a colleague, or of a case system, is nothing in this inbox."""
    monkeypatch.setattr("saphan.web.line_keeper.OWED_S", 0.3)
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        async with at(folder, bridge) as desk, keeping(desk) as kept:
            await kept.line.ask(pull)
            request = await accepted(world.kh, question("info_request", (LA,)))
            async with asyncio.timeout(20):
                while await kept.line.ask(owed_ids) != [request.hex()]:
                    assert kept.line.state.online


async def owed_ids(desk: Desk, line: DeskLine) -> list[str]:
    return [one.id for one in await asyncio.to_thread(OwedHere(desk).all)]
