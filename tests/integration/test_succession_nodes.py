"""Which successors nodes follow, and which nodes may come late: each against the real command."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan.node.disclosing import Asked
from saphan.node.service import NodeService
from saphan.node.succession.kept import listed
from saphan_protocol.pins import origin_number
from saphan_protocol.split_file import parse_split
from saphan_protocol.split_view import Proven, judge_split
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, opened, states, wish
from support.lost_log import lose, succeed
from support.lost_store import lose_store


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made:
        yield made


async def exchanged(bridge: Bridge, count: int = 1) -> list[bytes]:
    """Bulletins that both nodes know to be accepted."""
    async with bridge.node(LA) as la, bridge.node(KH):
        await agreed(la)
        sent = [await la.send(wish()) for _ in range(count)]
        await eventually(lambda: all(states(la, one) == ["accepted"] for one in sent))
    return sent


def _bulletin(node: NodeService) -> bytes:
    """One that has arrived."""
    row = node.db.row("SELECT id FROM bulletins WHERE arrived IS NOT NULL")
    assert row is not None
    found: bytes = row[0]
    return found


async def test_a_node_away_for_two_successions_follows_both(bridge: Bridge) -> None:
    """Timeline: a bulletin waits for kh.gpo, which is away; the log is lost twice; kh.gpo comes."""
    async with bridge.broker_running():
        await bridge.enrol()
        await exchanged(bridge)
        async with bridge.node(LA) as la:
            await opened(la)
            bulletin = await la.send(wish())
            await eventually(lambda: states(la, bulletin) == ["submitted"])
    for _ in range(2):
        await asyncio.to_thread(lose, bridge)
        await succeed(bridge, LA, options=("--without", KH))
        async with bridge.broker_running(), bridge.node(LA) as la:
            await eventually(lambda: states(la, bulletin) == ["submitted"], 40)
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
        await eventually(lambda: states(la, bulletin) == ["accepted"], 40)
        assert [one["log"] for one in listed(kh.db)] == [2, 3]
        assert origin_number(kh.logs.pins.evidence.origin)[1] == 3
        assert kh.db.row("SELECT count(*) FROM bulletins WHERE arrived IS NOT NULL") == (2,)


async def test_a_successor_that_names_less_than_a_node_has_seen_is_refused(bridge: Bridge) -> None:
    """Timeline: keys and data are copied; the log goes on, before kh.gpo alone; the old copies are
    put back, and the successor is made without kh.gpo."""
    async with bridge.broker_running():
        await bridge.enrol()
        await exchanged(bridge)
    copies = bridge.place / "copies"
    for name in ("keys", "data"):
        await asyncio.to_thread(shutil.copytree, bridge.place / name, copies / name)
    async with bridge.broker_running(), bridge.node(KH) as kh:
        await opened(kh)
        kept = await asyncio.to_thread(_bulletin, kh)
        await asyncio.to_thread(kh.disclosing.disclose, kept, Asked("the court", "order 1"))
        kh.line.wake_statements()
        logged = "SELECT 1 FROM entries WHERE event = 'exported'"
        await eventually(lambda: kh.db.row(logged))
    for name in ("keys", "data"):
        await asyncio.to_thread(shutil.rmtree, bridge.place / name)
        await asyncio.to_thread(shutil.copytree, copies / name, bridge.place / name)
    await asyncio.to_thread(lose, bridge)
    await succeed(bridge, LA, options=("--without", KH))
    async with bridge.broker_running(), bridge.node(KH) as kh:
        await eventually(lambda: kh.line.state.state == "stopped", 40)
        assert kh.line.state.code == "successor_behind"
        assert listed(kh.db) == []
        assert origin_number(kh.logs.pins.evidence.origin)[1] == 1


async def _exported(node: NodeService) -> None:
    """One more entry: the node discloses the bulletin that both have."""
    await opened(node)
    (bulletin,) = node.db.row("SELECT id FROM bulletins") or (b"",)
    await asyncio.to_thread(node.disclosing.disclose, bulletin, Asked("the court", "order 1"))
    node.line.wake_statements()
    logged = "SELECT 1 FROM entries WHERE event = 'exported'"
    await eventually(lambda: node.db.row(logged))


async def test_a_successor_that_names_another_root_is_proven(bridge: Bridge) -> None:
    """Timeline: keys and data are copied; one log goes on before kh.gpo alone, the other one before
    la.ospp alone, by one entry each; then the successor of the second is shown to kh.gpo."""
    async with bridge.broker_running():
        await bridge.enrol()
        await exchanged(bridge)
    copies = bridge.place / "copies"
    for name in ("keys", "data"):
        await asyncio.to_thread(shutil.copytree, bridge.place / name, copies / name)
    async with bridge.broker_running(), bridge.node(KH) as kh:
        await _exported(kh)
    for name in ("keys", "data"):
        await asyncio.to_thread(shutil.rmtree, bridge.place / name)
        await asyncio.to_thread(shutil.copytree, copies / name, bridge.place / name)
    async with bridge.broker_running(), bridge.node(LA) as la:
        await _exported(la)
    await asyncio.to_thread(lose, bridge)
    await succeed(bridge, LA, options=("--without", KH))
    async with bridge.broker_running(), bridge.node(KH) as kh:
        await eventually(lambda: kh.line.state.state == "stopped", 40)
        assert kh.line.state.code == "split_view"
        (split,) = kh.splits.standing()
        verdict = judge_split(parse_split(split.file.read_bytes()), kh.logs.pins)
        assert verdict.proven is Proven.YES
        assert listed(kh.db) == []


async def test_a_store_that_is_behind_is_succeeded_and_what_it_lacks_arrives(
    bridge: Bridge,
) -> None:
    """Timeline: the data is copied; a bulletin is logged and accepted, the sender away; the copy is
    put back: the broker refuses to run on it."""
    async with bridge.broker_running():
        await bridge.enrol()
        await exchanged(bridge)
    copy = bridge.place / "copy"
    await asyncio.to_thread(shutil.copytree, bridge.place / "data", copy)
    async with bridge.broker_running():
        async with bridge.node(LA) as la:
            await opened(la)
            bulletin = await la.send(wish())
            await eventually(lambda: states(la, bulletin) == ["submitted"])
        async with bridge.node(KH) as kh:
            await eventually(lambda: states(kh, bulletin) == ["accepted"])
    await asyncio.to_thread(lose, bridge)
    await asyncio.to_thread(shutil.copytree, copy, bridge.place / "data")
    made = await succeed(bridge, LA, KH)
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
        await eventually(lambda: states(la, bulletin) == ["accepted"], 40)
        assert kh.db.row("SELECT count(*) FROM bulletins WHERE arrived IS NOT NULL") == (2,)
        assert listed(kh.db)[0]["size"] == made["lost"]["size"]


async def both_lose(bridge: Bridge) -> bytes:
    """Timeline: a bulletin is in the log, its recipient away; the recipient loses its store, the
    broker its disk."""
    async with bridge.broker_running():
        await bridge.enrol()
        await exchanged(bridge)
        async with bridge.node(LA) as la:
            await opened(la)
            bulletin = await la.send(wish())
            await eventually(lambda: states(la, bulletin) == ["submitted"])
    await asyncio.to_thread(lose_store, bridge, KH)
    await asyncio.to_thread(lose, bridge)
    await succeed(bridge, LA, KH)
    return bulletin


async def test_who_has_the_leaf_hears_its_text_when_the_other_party_brings_it(
    bridge: Bridge,
) -> None:
    bulletin = await both_lose(bridge)
    async with bridge.broker_running(), bridge.node(KH) as kh:
        await opened(kh)
        await eventually(lambda: kh.logs.directory.size > 0)
        assert list(kh.logs.directory.agreements(LA, KH)) == []
        async with bridge.node(LA) as la:
            await eventually(lambda: states(la, bulletin) == ["accepted"], 40)


async def test_a_restored_node_follows_a_successor_and_hears_it_out_first(bridge: Bridge) -> None:
    bulletin = await both_lose(bridge)
    async with bridge.broker_running(), bridge.node(LA) as la:
        await eventually(lambda: states(la, bulletin) == ["submitted"], 40)
        async with bridge.node(KH) as kh:
            await eventually(lambda: states(la, bulletin) == ["accepted"], 40)
            assert [one["log"] for one in listed(kh.db)] == [2]
            assert not kh.recalls.ordering._restored.listening
