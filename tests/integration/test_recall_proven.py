"""What became of recalls can be shown to others: auditors find nothing wrong, bundles hold."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest
from saphan.audit.folder import LogFolder
from saphan.audit.packfile import read_pack
from saphan.evidence.checking import check_bundle
from saphan.evidence.exporting import NodeStore, export_bundle
from saphan.node.service import NodeService
from saphan_protocol.audit.report import Report
from saphan_protocol.audit.verdict import audit
from saphan_protocol.bundle.report import Outcome
from saphan_schemas.bodies import known_types
from support.bridge import KH, LA, Bridge, agreed, eventually, states, wish
from support.broker_command import saphan_broker
from support.command import saphan
from support.evidence import have_patience, proven
from support.recalls import settings, stands
from support.threads import accepted


def audited(bridge: Bridge, logs: Path, *packs: Path) -> Report:
    folders = [LogFolder(logs / name) for name in ("directory", "evidence")]
    named = [(path.name, read_pack(path)) for path in packs]
    types = {known.name: known.digest for known in known_types()}
    return audit(bridge.pins, folders[0], folders[1], named, types)


def erased(node: NodeService, bulletin: bytes) -> bool:
    """Whether the recipient has signed that it erased it."""
    return node.recalls.show(bulletin)["recipients"][0]["erased"] is not None


async def test_stopped_obeyed_and_declined_are_shown_to_anybody(
    bridge: Bridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_patience(monkeypatch)
    settings(bridge, KH, '"recall": {"answer": "ask"}')
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
            stopped = await la.send(wish())
            await eventually(lambda: states(la, stopped) == ["submitted"])
            await la.recalls.order(stopped, "error", "keeper")
            await stands(la, stopped, "stopped")
            async with bridge.node(KH) as kh:
                obeyed, kept, both = [await accepted(la, wish()) for _ in range(3)]
                for one in (obeyed, kept, both):
                    await la.recalls.order(one, "consent_withdrawn", "keeper")
                await eventually(lambda: len(kh.recalls.received(0, 9)["recalls"]) == 4)
                await kh.recalls.answer(obeyed, None, "keeper")
                await kh.recalls.answer(kept, "in_proceedings", "keeper")
                await kh.recalls.answer(both, "law_requires", "keeper")
                await kh.recalls.answer(both, None, "keeper")
                await stands(la, kept, "declined")
                for one in (obeyed, both):
                    await stands(la, one, "obeyed")
                await eventually(lambda: all(erased(la, one) for one in (obeyed, both)))
                for node in (la, kh):
                    for one in (stopped, obeyed, kept, both):
                        await eventually(partial(proven, node, one))
                        await node.evidence.prepare(one)
    await asyncio.to_thread(
        saphan_broker, "log", "export", "--data", bridge.place / "data", "--out", tmp_path / "logs"
    )
    packs = []
    for name in (LA, KH):
        packs.append(tmp_path / f"{name}.pack")
        words = ("--dir", bridge.place / name, "--out", packs[-1])
        await asyncio.to_thread(saphan, "records", "export", *words)
    for given in ((), packs[:1], packs[1:]):
        report = await asyncio.to_thread(audited, bridge, tmp_path / "logs", *given)
        assert report.finding is None, report.finding
    report = await asyncio.to_thread(audited, bridge, tmp_path / "logs", *packs)
    assert report.finding is None, report.finding
    assert report.coverage.deliveries == {"accepted": 3, "recalled": 1}
    for agency in (LA, KH):
        store = NodeStore(bridge.place / agency / "node" / "data", agency, bridge.pins)
        for number, one in enumerate((stopped, obeyed, kept, both)):
            out = tmp_path / f"{agency}-{number}.evidence"
            await asyncio.to_thread(export_bundle, store, one, out, bridge.clock())
            verdict = await asyncio.to_thread(check_bundle, out, bridge.pins)
            assert verdict.outcome is Outcome.VALID, (agency, number, verdict.finding, verdict.gaps)
