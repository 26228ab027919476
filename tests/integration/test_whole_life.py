"""A bulletin's whole life: sent, held, recalled, destroyed, erased; and an audit of all that is
left, by somebody who has no key.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan.audit.folder import LogFolder
from saphan.audit.packfile import read_pack
from saphan.node.service import NodeService
from saphan_protocol.audit.report import Report
from saphan_protocol.audit.verdict import audit
from saphan_schemas.bodies import known_types
from saphan_schemas.limits import DAY_MS
from support.attaching import pdf, send, stored
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, opened, states, wish
from support.broker_command import saphan_broker
from support.hold_files import hold_file
from support.recalls import stands
from support.threads import accepted, after, letter

LIFE_DAYS = 10


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made:
        yield made


def said(node: NodeService, bulletin: bytes) -> set[str]:
    """Events that a node knows of a bulletin."""
    return {
        event
        for (event,) in node.db.rows("SELECT event FROM entries WHERE bulletin = ?", (bulletin,))
    }


def bodies(node: NodeService) -> int:
    return int(node.db.rows("SELECT count(*) FROM bodies")[0][0])


async def due(node: NodeService, day: int) -> None:
    """Another agency's witness has seen the day, and the node looks at what is due."""

    def seen() -> bool:
        now = node.retention.sweeping.time.now()
        return now is not None and now // DAY_MS >= day

    await eventually(seen, 60)
    await node.retention.sweeping.look()


async def audited(bridge: Bridge) -> Report:
    """By the operator's exports alone."""
    folder, pack = bridge.place / "log", bridge.place / "records.pack"
    data, keys = bridge.place / "data", bridge.place / "keys"

    def run() -> Report:
        saphan_broker("log", "export", "--data", data, "--out", folder, "--json")
        words = ("records", "export", "--data", data, "--keys", keys, "--out", pack, "--json")
        saphan_broker(*words)
        return audit(
            bridge.pins,
            LogFolder(folder / "directory"),
            LogFolder(folder / "evidence"),
            [(pack.name, read_pack(pack))],
            {known.name: known.digest for known in known_types()},
        )

    return await asyncio.to_thread(run)


async def test_from_the_first_word_to_the_last(bridge: Bridge) -> None:
    last = bridge.clock() // DAY_MS + LIFE_DAYS
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            plain = await send(la, pdf(20_000), retain_until=last)
            await eventually(lambda: states(la, plain) == ["accepted"])
            kept = await accepted(la, wish(retain_until=last))
            wrong = await accepted(la, letter("training_notice", (KH,)))
            hold = hold_file(bridge, KH, ids=(kept,), told=False)
            await kh.holds.take(hold.package, hold.terms, hold.salt)
            await eventually(lambda: "held" in said(kh, kept))
            await la.recalls.order(wrong, "error", "keeper")
            await stands(la, wrong, "obeyed")
            await eventually(lambda: "erased" in said(la, wrong))
            assert bodies(kh) == 2

    after(bridge, 24 * LIFE_DAYS)
    async with bridge.broker_running() as broker:
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await opened(la)
            await opened(kh)
            await eventually(lambda: "destroyed" in said(la, plain), 60)
            for node in (la, kh):
                await due(node, last)
            await eventually(lambda: {"destroyed", "erased"} <= said(kh, plain))
            await eventually(lambda: "erased" in said(la, plain))
            assert "destroyed" not in said(la, kept) | said(kh, kept)
            assert "erased" not in said(kh, kept)
            assert bodies(kh) == 1
            assert stored(bridge, KH, "in") == []
            assert stored(bridge, LA, "out") == []
            assert list((bridge.place / "data" / "blobs").rglob("*.bin")) == []
            found = await broker.store.bodies([plain, kept])
            assert found[plain].ciphertext == b""
            assert found[kept].ciphertext != b""

            release = hold_file(bridge, KH, number=2, release=hold.name, ids=(kept,), told=False)
            await kh.holds.take(release.package, release.terms, release.salt)
            await eventually(lambda: "released" in said(kh, kept))
            await kh.retention.sweeping.look()
            await eventually(lambda: {"destroyed", "erased"} <= said(kh, kept))
            assert bodies(kh) == 0
        report = await audited(bridge)
    assert report.finding is None, report.finding
    opened_leaves = report.coverage.opened
    assert report.coverage.entries_opened == report.coverage.entries
    wanted = {"destroyed": 2, "held": 1, "released": 1, "recalled": 1, "obeyed": 1}
    assert {name: opened_leaves[name] for name in wanted} == wanted
    assert opened_leaves["erased"] >= 5
