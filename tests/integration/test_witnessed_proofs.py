"""Every own entry comes to rest under a kept note that its agreement's witnesses have signed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from saphan.node.heads import cleaned
from saphan.node.proving.chain import stored_path
from saphan.node.proving.stored_leaf import stored_leaf
from saphan.node.rows.db import Database
from saphan.node.service import NodeService
from saphan.node.wire.witnessing import Witnessing
from saphan_protocol.checkpoint import verify_head
from saphan_protocol.merkle import verify_inclusion
from saphan_schemas.limits import LIMITS
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, states, wish


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made, made.broker_running():
        await made.enrol()
        yield made


def unproven(node: NodeService) -> int:
    row = node.db.row("SELECT count(*) FROM unproven")
    assert row is not None
    return int(row[0])


def witnesses(node: NodeService) -> list[set[str]]:
    """Of each own entry: who has signed the head under which its path leads, checked."""
    rows = node.db.rows(
        "SELECT e.idx, e.head_size, e.path, h.root, h.witnesses, e.event, e.entry, e.salt,"
        " e.statement, b.header"
        " FROM entries e JOIN heads h ON h.origin = ? AND h.size = e.head_size"
        " JOIN bulletins b ON b.id = e.bulletin",
        (node.logs.pins.evidence.origin,),
    )
    found = []
    for index, size, path, root, names, *shown in rows:
        leaf = stored_leaf(*shown)
        assert leaf is not None
        verify_inclusion(index, size, leaf, stored_path(path), root)
        found.append(set(names.split()))
    return found


async def test_all_entries_of_both_ends_are_proven_under_witnessed_heads(bridge: Bridge) -> None:
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        sent = [await la.send(wish()) for _ in range(3)]
        for bulletin in sent:
            await eventually(lambda: states(la, bulletin) == ["accepted"])  # noqa: B023
        await eventually(lambda: unproven(la) == 0 and unproven(kh) == 0)
        for node, other in ((la, KH), (kh, LA)):
            found = witnesses(node)
            assert len(found) == 9
            assert all(other in names for names in found)
        timeline = la.bulletins.status(sent[0])["timeline"]
        assert [event["proof"] for event in timeline] == ["witnessed"] * 3
        assert all(KH in event["witnesses"] for event in timeline)


async def test_our_own_lines_stand_on_kept_heads_too(bridge: Bridge) -> None:
    async with bridge.node(LA) as la:
        own = "SELECT note FROM heads WHERE origin = ? AND witnesses = ?"
        origin = la.logs.pins.evidence.origin
        (note,) = await eventually(lambda: la.db.row(own, (origin, LA)))
        head = verify_head(note, la.logs.evidence_heads._keys)
        kept = cleaned(la.logs.directory, head)
        assert [line.name for line in kept.cosignatures] == [LA]
        assert kept.note == note


def as_an_older_release_left_it(folder: Path) -> None:
    """No steps between heads, all notes of the heads that entries rest under let go."""
    with closing(Database(folder / "node" / "data")) as db, db.transaction() as tx:
        tx.execute("DELETE FROM steps")
        tx.execute("DELETE FROM heads WHERE size < (SELECT max(size) FROM heads)")
        tx.execute("UPDATE entries SET head_size = 1, path = x'90'")
        tx.execute("INSERT OR REPLACE INTO unproven SELECT idx, 1 FROM entries")


async def test_what_an_older_release_kept_is_proven_by_asking_the_broker(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saphan.node.wire.proving.PAUSE_S", 0.01)
    monkeypatch.setattr("saphan.node.proving.proofs.LIMITS", replace(LIMITS, proof_items=4))
    async with bridge.node(LA) as la, bridge.node(KH):
        await agreed(la)
        for _ in range(3):
            bulletin = await la.send(wish())
            await eventually(lambda: states(la, bulletin) == ["accepted"])  # noqa: B023
    await asyncio.to_thread(as_an_older_release_left_it, bridge.place / LA)
    async with bridge.node(KH), bridge.node(LA) as la:
        assert unproven(la) == 9
        await eventually(lambda: unproven(la) == 0)
        assert all(KH in names for names in witnesses(la))


async def test_an_entry_that_is_damaged_here_stops_neither_the_others_nor_the_line(
    bridge: Bridge,
) -> None:
    async with bridge.node(LA) as la, bridge.node(KH):
        await agreed(la)
        for _ in range(2):
            bulletin = await la.send(wish())
            await eventually(lambda: states(la, bulletin) == ["accepted"])  # noqa: B023

    def damage() -> None:
        as_an_older_release_left_it(bridge.place / LA)
        with closing(Database(bridge.place / LA / "node" / "data")) as db, db.transaction() as tx:
            tx.execute("UPDATE entries SET salt = zeroblob(32) WHERE event = 'handover'")

    await asyncio.to_thread(damage)
    async with bridge.node(KH), bridge.node(LA) as la:
        await eventually(lambda: unproven(la) == 2)
        alarms = la.alarms
        await eventually(lambda: "proof_inclusion" in [one.code for one in alarms.standing()])
        bulletin = await la.send(wish())
        await eventually(lambda: states(la, bulletin) == ["accepted"])
        await eventually(lambda: unproven(la) == 2)


async def test_a_witness_skips_to_the_newest_head_and_that_proves_all_before_it(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timeline: both witnesses rest while bulletins are delivered; then each signs one head."""
    gate = asyncio.Event()
    monkeypatch.setattr(Witnessing, "_pause", lambda _self: gate.wait())
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        for _ in range(4):
            bulletin = await la.send(wish())
            await eventually(lambda: states(la, bulletin) == ["accepted"])  # noqa: B023
        await eventually(lambda: la.logs.after == kh.logs.after)
        assert (unproven(la), unproven(kh)) == (12, 12)
        heads = la.db.row("SELECT count(DISTINCT head_size) FROM entries")
        assert heads is not None
        assert heads[0] >= 4
        gate.set()
        await eventually(lambda: unproven(la) == 0 and unproven(kh) == 0)
    cosigned = bridge.broker.state.evidence.cosigned
    newest = bridge.broker.state.evidence.published
    assert newest is not None
    for agency in (LA, KH):
        assert [size for size, one in cosigned.items() if agency in one.lines] == [newest.size]
