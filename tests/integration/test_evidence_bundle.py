"""Evidence of one bulletin, exported by either side of a real bridge, judged with nothing else."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from saphan.evidence.checking import check_bundle
from saphan.evidence.exporting import NodeStore, export_bundle
from saphan.node.service import NodeService
from saphan_protocol.bundle.report import Outcome
from support.attaching import pdf, send
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, opened, states
from support.evidence import have_patience, settled


@pytest.fixture
async def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    have_patience(monkeypatch)
    async with bridged(tmp_path) as made, made.broker_running():
        await made.enrol()
        yield made


def store_of(bridge: Bridge, agency: str) -> NodeStore:
    return NodeStore(bridge.place / agency / "node" / "data", agency, bridge.pins)


async def carried(out: NodeService, into: NodeService, *attachments: bytes) -> bytes:
    """A bulletin that was sent, accepted and read, all of it witnessed on both sides."""
    bulletin = await send(out, *attachments)
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


async def damage(bridge: Bridge, agency: str, statement: str) -> None:
    """What a disk may do to a stopped node's store."""
    path = store_of(bridge, agency).folder / "node.db"

    def execute() -> None:
        with closing(sqlite3.connect(path)) as db:
            db.executescript(statement)

    await asyncio.to_thread(execute)


@pytest.mark.parametrize(
    ("lost", "gaps"),
    [
        ("DELETE FROM signatures", {"signature_missing"}),
        ("DELETE FROM entries WHERE event = 'handover'", {"steps_missing"}),
        ("UPDATE entries SET path = x'ff' WHERE event = 'accepted'", {"steps_missing"}),
        ("DELETE FROM agreements", {"agreement_missing"}),
        ("DELETE FROM bodies", set()),
    ],
)
async def test_what_the_store_has_lost_is_a_gap_and_no_crash(
    bridge: Bridge, lost: str, gaps: set[str]
) -> None:
    async with bridge.node(LA) as out, bridge.node(KH) as into:
        await opened(out)
        await agreed(into)
        bulletin = await carried(out, into)
        await into.evidence.prepare(bulletin)
    await damage(bridge, KH, lost)
    verdict = await asyncio.to_thread(check_bundle, await exported(bridge, KH, bulletin))
    assert verdict.finding is None
    assert {gap.code for gap in verdict.gaps} >= gaps
    assert verdict.bulletin is not None
    assert verdict.bulletin.shown == (() if "bodies" in lost else (0,))
    assert (verdict.outcome is Outcome.VALID) == (not gaps)


async def test_attachments_come_along_when_they_are_wanted(bridge: Bridge) -> None:
    async with bridge.node(LA) as out, bridge.node(KH) as into:
        await opened(out)
        await agreed(into)
        bulletin = await carried(out, into, pdf(300_000))
    store = store_of(bridge, KH)
    without = await asyncio.to_thread(check_bundle, await exported(bridge, LA, bulletin))
    whole = await exported(bridge, KH, bulletin, attachments=True)
    assert without.bulletin is not None
    assert without.bulletin.shown == (0,)
    verdict = await asyncio.to_thread(check_bundle, whole)
    assert verdict.bulletin is not None
    assert verdict.bulletin.shown == (0, 1)
    # A bit of the kept file flips: the bundle is made without it, and shows its digest.
    (path,) = (store.folder / "blobs" / "in").rglob("1")
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    whole.unlink()
    verdict = await asyncio.to_thread(
        check_bundle, await exported(bridge, KH, bulletin, attachments=True)
    )
    assert verdict.finding is None
    assert verdict.bulletin is not None
    assert verdict.bulletin.shown == (0,)
