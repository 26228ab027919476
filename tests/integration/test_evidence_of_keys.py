"""That no key was revoked: shown by the next anchor, or by a directory head that is as new."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from saphan.evidence.checking import check_bundle
from saphan.evidence.exporting import NodeStore, export_bundle
from saphan.node.heads import cleaned
from saphan.node.service import NodeService
from saphan_protocol.bundle.report import Outcome, Verdict
from saphan_protocol.checkpoint import verify_head
from saphan_protocol.notes import parse_vkey
from saphan_schemas.directory_records import WitnessPolicy
from saphan_schemas.limits import HOUR_MS, LIMITS
from support.bridge import KH, LA, VN, Bridge, agreed, bridged, eventually, opened, states, wish
from support.evidence import have_patience, settled

TEN_MINUTES = HOUR_MS // 6


@pytest.fixture
async def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    have_patience(monkeypatch)
    async with bridged(tmp_path) as made, made.broker_running():
        await made.enrol()
        yield made


def go_on(bridge: Bridge, millis: int) -> None:
    """Let time pass for everybody."""
    for clock in (bridge.clock, bridge.node_clock):
        clock.ahead += millis


async def carried(out: NodeService, into: NodeService) -> bytes:
    bulletin = await out.send(wish())
    await eventually(lambda: states(out, bulletin) == ["accepted"])
    for node in (out, into):
        await eventually(lambda: settled(node, bulletin, 3))  # noqa: B023
    return bulletin


async def judged(bridge: Bridge, agency: str, bulletin: bytes, name: str) -> Verdict:
    store = NodeStore(bridge.place / agency / "node" / "data", agency, bridge.pins)
    out = bridge.place / f"{name}.evidence"
    await asyncio.to_thread(export_bundle, store, bulletin, out, bridge.clock())
    return await asyncio.to_thread(check_bundle, out)


def codes(verdict: Verdict) -> set[str]:
    return {gap.code for gap in verdict.gaps}


async def test_a_running_node_gets_a_directory_head_that_others_have_witnessed(
    bridge: Bridge,
) -> None:
    async with bridge.node(LA) as out, bridge.node(KH) as into:
        await opened(out)
        await agreed(into)
        go_on(bridge, TEN_MINUTES)  # the directory was signed and witnessed that long ago
        bulletin = await carried(out, into)
        before = await judged(bridge, LA, bulletin, "before")
        assert codes(before) == {"directory_older", "directory_unwitnessed"}
        await out.evidence.prepare(bulletin)
        after = await judged(bridge, LA, bulletin, "after")
    assert (after.outcome, after.gaps) == (Outcome.VALID, ())
    directory = after.heads[0]
    accepted = after.events[-1].time // 1000
    assert {one.agency for one in directory.witnesses if one.time >= accepted} >= {KH}


async def test_the_next_anchor_of_a_growing_log_closes_what_came_before(bridge: Bridge) -> None:
    async with bridge.node(LA) as out, bridge.node(KH) as into:
        await opened(out)
        await agreed(into)
        go_on(bridge, TEN_MINUTES)
        bulletin = await carried(out, into)
        anchors = "SELECT count(*), max(size) FROM anchors"
        (had, size) = into.db.rows(anchors)[0]
        go_on(bridge, LIMITS.anchor_ms)
        await carried(out, into)
        await eventually(lambda: into.db.rows(anchors) == [(had + 1, size)])
        # Whoever asks has nothing to ask for: the store shows all of it.
        broker_signed = bridge.broker.state.registry.published
        await into.evidence.prepare(bulletin)
        assert bridge.broker.state.registry.published is broker_signed
    verdict = await judged(bridge, KH, bulletin, "closed")
    assert (verdict.outcome, verdict.gaps) == (Outcome.VALID, ())


async def test_as_many_witnesses_are_waited_for_as_the_agreement_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_patience(monkeypatch)
    async with bridged(tmp_path, LA, KH, VN) as bridge, bridge.broker_running():
        await bridge.enrol(witnesses=WitnessPolicy(2, False))
        async with bridge.node(LA) as out, bridge.node(KH) as into:
            async with bridge.node(VN) as third:
                await opened(out)
                for node in (into, third):
                    await agreed(node)
                go_on(bridge, TEN_MINUTES)
                since = bridge.clock() // 1000
                bulletin = await out.send(replace(wish(), to=(KH, VN)))
                await eventually(lambda: states(out, bulletin) == ["accepted"] * 2)
                await eventually(lambda: settled(out, bulletin, 6))
            ready = asyncio.create_task(out.evidence.prepare(bulletin))
            await eventually(lambda: signers(bridge, out, since) >= {KH})
            async with bridge.node(VN):
                await ready
            verdict = await judged(bridge, LA, bulletin, "two")
    assert (verdict.outcome, verdict.gaps) == (Outcome.VALID, ())


def signers(bridge: Bridge, node: NodeService, since: int) -> set[str]:
    """Who has signed the directory's head that a node holds, not before `since` (POSIX seconds)."""
    known = node.logs.directory_heads.newest
    assert known is not None
    first, second = (parse_vkey(vkey) for vkey in bridge.pins.directory.vkeys)
    head = cleaned(node.logs.directory, verify_head(known.note, (first, second)))
    return {line.name for line in head.cosignatures if line.time >= since}
