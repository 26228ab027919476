"""Evidence and packs out of a node's store, from both sides of a succession."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan.audit.records import export_records
from saphan.evidence.checking import check_bundle
from saphan.evidence.exporting import NodeStore, export_bundle
from saphan.node.service import NodeService
from saphan_protocol.bundle.report import Outcome, Verdict
from saphan_schemas.errors import SaphanError
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, opened, states, wish
from support.broker_command import saphan_broker
from support.command import saphan
from support.lost_log import lose, succeed

FIRST, SECOND = "bridge.example/evidence/1", "bridge.example/evidence/2"


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made:
        yield made


async def checked(bridge: Bridge, bulletin: bytes, log: int | None = None) -> Verdict:
    """The sender's bundle, as a stranger finds it who has the first log's pins."""
    store = NodeStore(bridge.place / LA / "node" / "data", LA, bridge.pins)
    out = bridge.place / f"{bulletin.hex()[:8]}-{log}.bundle"
    await asyncio.to_thread(lambda: export_bundle(store, bulletin, out, bridge.clock(), log=log))
    return await asyncio.to_thread(check_bundle, out, bridge.pins)


async def ended(node: NodeService, bulletin: bytes) -> None:
    await eventually(lambda: states(node, bulletin) == ["accepted"])


async def test_bundles_and_packs_of_both_logs_verify(bridge: Bridge, tmp_path: Path) -> None:
    """One bulletin has its outcome in the lost log, the other is carried through both."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH):
            await agreed(la)
            known = await la.send(wish())
            await ended(la, known)
            await la.evidence.prepare(known)
        async with bridge.node(LA) as la:
            await opened(la)
            both = await la.send(wish())
            await eventually(lambda: states(la, both) == ["submitted"])
    await asyncio.to_thread(lose, bridge)
    made = await succeed(bridge, LA, KH)
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH):
        await ended(la, both)
        await la.evidence.prepare(both)
    await _bundles(bridge, known, both)
    await asyncio.to_thread(_packs, bridge, tmp_path / "audit", made["lost"]["size"])


async def _bundles(bridge: Bridge, known: bytes, both: bytes) -> None:
    for bulletin, log, origin in (
        (known, None, FIRST),
        (known, 1, FIRST),
        (both, None, SECOND),
        (both, 1, FIRST),
        (both, 2, SECOND),
    ):
        verdict = await checked(bridge, bulletin, log)
        assert verdict.outcome is not Outcome.INVALID, verdict.finding
        assert verdict.pins[1].origin == origin
        assert [(one.lost, one.follows) for one in verdict.successions] == [(FIRST, SECOND)]
        told = [event.event for event in verdict.events]
        whole = ["submitted", "handover", "accepted"]
        assert told == (whole if (bulletin, log) != (both, 1) else ["submitted"])
    for log, code in ((3, "log_unknown"), (2, "evidence_headless")):
        with pytest.raises(SaphanError, match=code):
            await checked(bridge, known, log)


def _packs(bridge: Bridge, place: Path, lost: int) -> None:
    """Packs of either log by an agency; the new log is audited with what the old one's shows."""
    place.mkdir()
    data = bridge.place / "data"
    saphan_broker("log", "export", "--data", data, "--out", place / "logs")
    store, now = bridge.place / LA / "node" / "data" / "node.db", bridge.clock()
    first = export_records(store, place / "1.pack", LA, bridge.pins, now, log=1)
    newest = export_records(store, place / "2.pack", LA, bridge.pins, now)
    assert (first.origin, newest.origin) == (FIRST, SECOND)
    assert (first.entries, newest.entries) == (4, 3)
    assert first.left_out == newest.left_out == 0
    words = (place / "logs", "--pins", data / "pins.json", "--pack", place / "2.pack")
    shown = saphan("audit", "verify", *words, "--old-pack", place / "1.pack", "--json").json
    evidence = shown["coverage"]["evidence"]
    assert evidence["opened"] == 3
    successor = evidence["successor"]
    assert (successor["origin"], successor["size"]) == (FIRST, lost)
    assert (successor["named_head_signed"], successor["gap"]) == (True, None)
