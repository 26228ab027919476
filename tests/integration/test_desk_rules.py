"""What an officer's desk is shown: as the node's rules say, now and after they change."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from saphan.desk.desk import Desk
from saphan.desk.inbox import Inbox
from saphan.desk.line import DeskLine
from saphan.node.policy.settings import SETTINGS_NAME
from saphan_protocol.batch import sign_one
from saphan_schemas.codec import encode
from saphan_schemas.desk_frames import AskFetch
from saphan_schemas.errors import InvalidInput, SaphanError
from saphan_schemas.records import PAE_TYPES, OfficerRead
from support.bridge import KH, OFFICERS, Bridge, eventually, states, wish
from support.desks import DeskBridge, desk_bridge, on_line, ready_bridge


@pytest.fixture
async def bridge(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    monkeypatch.setattr("saphan.node.desks.session.NEWS_PAUSE_S", 0.05)
    async with ready_bridge() as made:
        yield made


async def rules(world: DeskBridge, *found: dict[str, Any]) -> None:
    """kh.gpo's keeper writes the settings file and tells the node."""
    value: dict[str, Any] = {"saphan": "settings/1"}
    if found:
        value["rules"] = list(found)
    path = world.bridge.offices[KH].node / SETTINGS_NAME
    await asyncio.to_thread(path.write_text, json.dumps(value))
    await world.kh.reread_settings()


async def two(world: DeskBridge) -> tuple[bytes, bytes]:
    """A statistic and a seizure, accepted."""
    first = await world.la.send(wish())
    second = await world.la.send(wish(name="drug_seizure"))
    await eventually(lambda: states(world.la, first) == ["accepted"])
    await eventually(lambda: states(world.la, second) == ["accepted"])
    return first, second


async def test_a_hidden_bulletin_is_unknown_to_the_desk(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        dao, lim = await world.desk("dao"), await world.desk("lim")
        await rules(world, {"officers": ["dao"], "schemas": ["saphan/case_statistics/1"]})
        shown, hidden = await two(world)
        async with on_line(dao, bridge) as (desk, line):
            inbox = Inbox(desk)
            assert [row["id"] for row in await inbox.pull(line)] == [shown.hex()]
            await inbox.read(line, shown)
            for ask in (
                inbox.read(line, hidden),
                inbox.status(line, hidden.hex()),
                inbox.status(line, hidden.hex()[:10]),
                line.ask(AskFetch(line.number(), hidden, 1, 0, 10)),
            ):
                with pytest.raises(InvalidInput, match="bulletin_unknown"):
                    await ask
        async with on_line(lim, bridge) as (desk, line):
            assert await Inbox(desk).pull(line) == []
        assert world.kh.db.rows("SELECT bulletin FROM readings") == [(shown,)]


async def test_a_hidden_id_is_not_guessed_by_its_beginning(bridge: Bridge) -> None:
    """What is said of a hidden bulletin is said of none: not one digit more than was asked for."""
    async with desk_bridge(bridge) as world:
        dao = await world.desk("dao")
        await rules(world, {"officers": ["lim"]})
        hidden = (await two(world))[0].hex()
        async with on_line(dao, bridge) as (desk, line):
            for asked in (hidden[:8], hidden[:31], hidden):
                other = asked[:-1] + "0123456789abcdef"[int(asked[-1], 16) - 1]
                found, nothing = [await refused(desk, line, one) for one in (asked, other)]
                assert found.code == "bulletin_unknown"
                assert found.message == nothing.message.replace(other[:16], asked[:16])
                assert hidden[: min(17, len(asked) + 1)] not in found.message


async def refused(desk: Desk, line: DeskLine, text: str) -> SaphanError:
    with pytest.raises(InvalidInput) as caught:
        await Inbox(desk).status(line, text)
    return caught.value


async def test_an_officer_at_the_node_is_shown_no_more(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        await rules(world, {"officers": ["dao"]})
        shown, _ = await two(world)
        key = bridge.officer(KH)
        read = encode(OfficerRead(shown, KH, OFFICERS[KH], key.key_id, bridge.clock()))
        signature = encode(sign_one(key, PAE_TYPES[OfficerRead], read, bytes(32)))
        with pytest.raises(InvalidInput, match="bulletin_unknown"):
            await world.kh.read(shown, read, signature)
        await rules(world, {"officers": [OFFICERS[KH]]})
        assert (await world.kh.read(shown, read, signature))["id"] == shown.hex()


async def test_other_rules_show_the_past_differently(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk("dao")
        statistic, seizure = await two(world)
        async with on_line(folder, bridge) as (desk, line):
            inbox = Inbox(desk)

            async def listed() -> list[bytes]:
                await inbox.pull(line)
                rows = await asyncio.to_thread(inbox.rows)
                return [bytes.fromhex(row["id"]) for row in rows]

            assert await listed() == [statistic, seizure]
            await rules(world, {"officers": ["dao"], "schemas": ["saphan/drug_seizure/1"]})
            await line.news()
            assert await listed() == [seizure]
            await rules(world, {"officers": ["lim"]})
            assert await listed() == []
            await rules(world)
            assert await listed() == [statistic, seizure]
            assert await inbox.pull(line) == []


async def test_what_is_not_shown_is_no_news(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk("dao")
        await rules(world, {"officers": ["dao"], "schemas": ["saphan/drug_seizure/1"]})
        async with on_line(folder, bridge) as (desk, line):
            await Inbox(desk).pull(line)
            hidden = await world.la.send(wish())
            await eventually(lambda: states(world.la, hidden) == ["accepted"])
            seen = await world.la.send(wish(name="drug_seizure"))
            await line.news()
            found = [row["id"] for row in await Inbox(desk).pull(line)]
            while not found:  # news of its arrival came before it was accepted
                await line.news()
                found = [row["id"] for row in await Inbox(desk).pull(line)]
            assert found == [seen.hex()]
