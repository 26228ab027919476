"""Evidence of a bulletin that nobody has any more, and of one that a court has held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan.evidence.checking import check_bundle
from saphan.evidence.exporting import NodeStore, export_bundle
from saphan.evidence.sentences import proven_sentences
from saphan.node.service import NodeService
from saphan_protocol.bundle.report import Outcome, Verdict
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, opened
from support.evidence import have_patience
from support.hold_files import hold_file
from support.recalls import stands
from support.threads import accepted, letter


@pytest.fixture
async def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    have_patience(monkeypatch)
    async with bridged(tmp_path) as made, made.broker_running():
        await made.enrol()
        yield made


def said(node: NodeService, bulletin: bytes) -> set[str]:
    rows = node.db.rows("SELECT event FROM entries WHERE bulletin = ?", (bulletin,))
    return {event for (event,) in rows}


async def proven(bridge: Bridge, node: NodeService, bulletin: bytes) -> Verdict:
    """What a stranger finds in a node's bundle once witnesses have seen everything in it."""
    await eventually(
        lambda: (
            not node.db.rows(
                "SELECT 1 FROM unproven u JOIN entries e ON e.idx = u.idx WHERE e.bulletin = ?",
                (bulletin,),
            )
        )
    )
    await node.evidence.prepare(bulletin)
    folder = bridge.place / node.agency / "node" / "data"
    store = NodeStore(folder, node.agency, bridge.pins)
    out = bridge.place / f"{node.agency}-{bulletin.hex()[:8]}.bundle"
    await asyncio.to_thread(export_bundle, store, bulletin, out, bridge.clock())
    return await asyncio.to_thread(check_bundle, out, bridge.pins)


async def test_it_is_recalled_and_erased_and_both_can_still_prove_it(bridge: Bridge) -> None:
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await opened(kh)
        await agreed(la)
        bulletin = await accepted(la, letter("training_notice", (KH,)))
        await la.recalls.order(bulletin, "wrong_person", "keeper")
        await stands(la, bulletin, "obeyed")
        for node in (la, kh):
            await eventually(lambda: "erased" in said(node, bulletin))  # noqa: B023
        verdicts = [await proven(bridge, node, bulletin) for node in (la, kh)]
        for verdict in verdicts:
            assert verdict.finding is None, verdict.finding
            assert verdict.outcome is Outcome.VALID, verdict.gaps
            (delivery,) = verdict.deliveries
            assert delivery.state == "accepted"
            events = {event.event for event in verdict.events}
            assert {"recalled", "obeyed", "erased"} <= events
            assert {"copies", "content"} <= {line.code for line in verdict.unproven}
            words = "\n".join(proven_sentences(verdict, "en"))
            assert "kh.gpo signed that it obeys the recall" in words
            assert "erased what it held" in words
        assert verdicts[1].bulletin is not None
        assert verdicts[1].bulletin.shown == (), "the recipient has no sealed bytes left to show"


async def test_whoever_held_it_shows_its_order_and_nobody_its_reason(bridge: Bridge) -> None:
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await opened(kh)
        await agreed(la)
        bulletin = await accepted(la, letter("training_notice", (KH,)))
        hold = hold_file(bridge, KH, ids=(bulletin,), told=False)
        await kh.holds.take(hold.package, hold.terms, hold.salt)
        await eventually(lambda: "held" in said(kh, bulletin))
        verdict = await proven(bridge, kh, bulletin)
        assert verdict.finding is None, verdict.finding
        assert verdict.outcome is Outcome.VALID, verdict.gaps
        (held,) = [event for event in verdict.events if event.event == "held"]
        assert (held.issuer, held.detail) == (KH, "commitment")
        other = await proven(bridge, la, bulletin)
        assert "held" not in {event.event for event in other.events}
