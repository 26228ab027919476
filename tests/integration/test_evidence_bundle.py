"""Evidence of one bulletin, exported by either side of a real bridge, judged with nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan.evidence.checking import check_bundle
from saphan.evidence.exporting import NodeStore, export_bundle
from saphan.node.service import NodeService
from saphan_protocol.bundle.report import Outcome
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, opened, states, wish
from support.evidence import settled


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made, made.broker_running():
        await made.enrol()
        yield made


def store_of(bridge: Bridge, agency: str) -> NodeStore:
    return NodeStore(bridge.place / agency / "node" / "data", agency, bridge.pins)


async def carried(out: NodeService, into: NodeService, **options: object) -> bytes:
    """A bulletin that was sent, accepted and read, all of it witnessed on both sides."""
    bulletin = await out.send(wish(**options))
    await eventually(lambda: states(out, bulletin) == ["accepted"])
    await into.read_by_system(bulletin)
    for node in (out, into):
        await eventually(lambda: settled(node, bulletin, 4))  # noqa: B023
    return bulletin


async def exported(bridge: Bridge, agency: str, bulletin: bytes, **options: object) -> Path:
    out = bridge.place / f"{agency}-{bulletin.hex()[:8]}.bundle"
    store = store_of(bridge, agency)
    await asyncio.to_thread(
        lambda: export_bundle(store, bulletin, out, bridge.clock(), **options)  # type: ignore[arg-type]
    )
    return out


async def test_both_sides_export_what_a_stranger_finds_valid(bridge: Bridge) -> None:
    async with bridge.node(LA) as out, bridge.node(KH) as into:
        await opened(out)
        await agreed(into)
        bulletin = await carried(out, into)
        for node, agency in ((out, LA), (into, KH)):
            await node.evidence.prepare(bulletin)
            path = await exported(bridge, agency, bulletin)
            verdict = await asyncio.to_thread(check_bundle, path, bridge.pins)
            assert verdict.finding is None
            assert verdict.outcome is Outcome.VALID, verdict.gaps
            assert [event.event for event in verdict.events] == [
                "submitted",
                "handover",
                "accepted",
                "read",
            ]
