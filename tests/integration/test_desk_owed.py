"""What is owed by and to an agency, at an officer's desk: asked for once, kept, counted on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from saphan.desk.owed import OpenRequest, OwedHere
from saphan.node.policy.settings import SETTINGS_NAME
from saphan.node.service import NodeService
from saphan_schemas.desk_frames import AskOwed
from support.bridge import KH, LA, Bridge
from support.desks import DeskBridge, at, desk_bridge, on_line, ready_bridge
from support.threads import accepted, after, known, letter


async def answer(node: NodeService, to: str, request: bytes) -> None:
    """Both questions of it, one after the other."""
    for reply in ("info_reply", "info_reply_final"):
        await accepted(node, letter(reply, (to,), request))


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    async with ready_bridge() as made:
        yield made


def shown(found: list[OpenRequest]) -> list[tuple[str, str, list[tuple[str, str]]]]:
    return [
        (one.id, one.direction, [(each.replier, each.state) for each in one.owed]) for one in found
    ]


async def asked(node: NodeService, to: str, **changes: Any) -> bytes:
    """A request that the other agency's node has accepted."""
    return await accepted(node, letter("info_request", (to,), **changes))


async def test_both_sides_of_what_is_owed_are_at_the_desk_without_the_line(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        ours, theirs = await asked(world.kh, LA), await asked(world.la, KH)
        await known(world.kh, theirs)
        async with on_line(folder, bridge) as (desk, line):
            here = OwedHere(desk)
            assert await asyncio.to_thread(here.heard) is None
            assert await here.pull(line)
            found = await asyncio.to_thread(here.all)
            assert sorted(shown(found)) == sorted(
                [
                    (ours.hex(), "sent", [(LA, "waiting")]),
                    (theirs.hex(), "received", [(KH, "waiting")]),
                ]
            )
            # The same times as the status of the node says.
            (status,) = world.kh.bulletins.status(theirs)["owed"]
            (mine,) = [one for one in found if one.direction == "received"]
            assert (mine.owed[0].until, mine.owed[0].since) == (status["until"], status["since"])
            # Nothing new: the node's answer is empty, and nothing is written.
            assert not await here.pull(line)
            assert await line.ask(AskOwed(line.number(), 0, None)) != {}
        handles = {row[0] for row in world.kh.db.rows("SELECT handle FROM showings")}
        assert handles == {"dao"}
    async with at(folder, bridge) as desk:
        assert await asyncio.to_thread(OwedHere(desk).all) == found
        assert await asyncio.to_thread(OwedHere(desk).heard) is not None


async def test_what_is_answered_goes_and_what_is_late_stays(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        first, second = await asked(world.la, KH), await asked(world.la, KH)
        for one in (first, second):
            await known(world.kh, one)
        async with on_line(folder, bridge) as (desk, line):
            here = OwedHere(desk)
            await here.pull(line)
            assert [one.id for one in await asyncio.to_thread(here.all)] == [
                first.hex(),
                second.hex(),
            ]
            await answer(world.kh, LA, first)
            assert await here.pull(line)
            assert shown(await asyncio.to_thread(here.all)) == [
                (second.hex(), "received", [(KH, "waiting")])
            ]
        after(bridge, 24 * 9)
        async with on_line(folder, bridge) as (desk, line):
            await OwedHere(desk).pull(line)
            assert shown(await asyncio.to_thread(OwedHere(desk).all)) == [
                (second.hex(), "received", [(KH, "overdue")])
            ]


async def test_what_the_rules_hide_is_owed_by_nobody_at_this_desk(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        dao, lim = await world.desk("dao"), await world.desk("lim")
        await hide(world)
        await known(world.kh, await asked(world.la, KH))
        for folder, count in ((dao, 0), (lim, 1)):
            async with on_line(folder, bridge) as (desk, line):
                await OwedHere(desk).pull(line)
                assert len(await asyncio.to_thread(OwedHere(desk).all)) == count


async def hide(world: DeskBridge) -> None:
    """From all but lim."""
    rule = {"officers": ["lim"], "schemas": ["saphan/info_request/1"]}
    path = world.bridge.offices[KH].node / SETTINGS_NAME
    value = {"saphan": "settings/1", "rules": [rule]}
    await asyncio.to_thread(path.write_text, json.dumps(value))
    await world.kh.reread_settings()


async def test_pages_follow_each_other(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saphan.node.threads.open_requests.LOOKED_AT", 2)
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        sent = [await asked(world.kh, LA) for _ in range(5)]
        async with on_line(folder, bridge) as (desk, line):
            here = OwedHere(desk)
            assert await here.pull(line)
            found = await asyncio.to_thread(here.all)
            assert [one.id for one in found] == [one.hex() for one in sent]
            assert not await here.pull(line)
            # One in the middle is answered: its page alone comes again.
            await answer(world.la, KH, sent[2])
            assert await here.pull(line)
            found = await asyncio.to_thread(here.all)
            assert [one.id for one in found] == [one.hex() for one in sent if one != sent[2]]
