"""The broker shows one agency another history than its partner; or is said to.

He runs two brokers with the same keys, forked from one state. A node that meets both keeps the
proof and does not speak with him any more; nodes that meet one each find out by what their
partners' consignments say they saw. Who only says that he saw something else proves nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from saphan.node.logs import Logs
from saphan.node.service import NodeService
from saphan_broker.logs.log_book import Published
from saphan_broker.sequencing.work import Logged, Submitted
from saphan_broker.sessions import requests
from saphan_protocol.batch import index_batches
from saphan_protocol.pins import format_pins
from saphan_protocol.split_file import parse_split
from saphan_protocol.split_view import Proven, judge_split
from saphan_schemas.frames import Submit
from saphan_schemas.records import HeadRef
from support.bridge import KH, LA, Bridge, agreed, eventually, opened, states, wish
from support.command import answered, saphan_here
from support.corrupt import forgets_what_nodes_know, logs_any_seen_head
from support.desks import ready_bridge


@pytest.fixture
async def fork() -> AsyncIterator[Bridge]:
    """The same broker, from the same state, with the same keys; its history is its own."""
    async with ready_bridge() as made:
        yield made


@pytest.fixture
def pins(bridge: Bridge, tmp_path: Path) -> Path:
    path = tmp_path / "pins.json"
    path.write_bytes(format_pins(bridge.pins))
    return path


async def live(bridge: Bridge, bulletins: int) -> None:
    """So many bulletins from la.ospp to kh.gpo, accepted."""
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        await agreed(kh)
        for _ in range(bulletins):
            sent = await la.send(wish())
            await eventually(lambda one=sent: states(la, one) == ["accepted"])  # type: ignore[misc]


def alarms(node: NodeService) -> dict[str, str]:
    return {alarm.code: alarm.message for alarm in node.alarms.standing()}


def proofs(bridge: Bridge, agency: str) -> list[Path]:
    return sorted((bridge.place / agency / "node" / "data").glob("split-view-*.json"))


async def judged(*words: str | Path, status: int = 0) -> dict[str, Any]:
    """What a third party is told."""
    ran = await asyncio.to_thread(saphan_here, "audit", "split", *words, "--json", status=status)
    return ran.json


@pytest.mark.parametrize("longer", [0, 1, 2])
@pytest.mark.parametrize("program", ["honest", "corrupt"])
async def test_a_node_that_is_shown_both_stops_for_good(
    bridge: Bridge,
    fork: Bridge,
    pins: Path,
    monkeypatch: pytest.MonkeyPatch,
    program: str,
    longer: int,
) -> None:
    """At one size, or at a larger one. The honest program, forked by who runs it, refuses the node
    and shows what it has instead; the corrupt one goes on, and is asked for what decides."""
    await live(bridge, 1)
    await live(fork, 1 + longer)
    if program == "corrupt":
        forgets_what_nodes_know(monkeypatch)
    async with fork.broker_running():
        honest, bridge.url = bridge.url, fork.url
        async with bridge.node_with_api(LA) as la:
            await eventually(lambda: la.line.state.state == "stopped")
            assert la.line.state.code == "split_view"
            (file,) = proofs(bridge, LA)
            assert str(file) in alarms(la)["split_view"]
            (row,) = la.splits.listed()
            assert (row["file"], row["cleared"]) == (str(file), None)
            # Nothing of the second history was taken.
            events = la.db.rows("SELECT event FROM entries ORDER BY idx")
            assert events == [("submitted",), ("handover",), ("accepted",)]
            identity = await answered("node", "status", "--dir", bridge.place / LA)
            assert identity["stopped"]["code"] == "split_view"
            officers = await answered("inbox", "--dir", bridge.place / LA)
            assert str(file) in officers["stopped"]["message"]
            read = await asyncio.to_thread(saphan_here, "inbox", "--dir", bridge.place / LA)
            assert str(file) in read.err
    shown = await judged(file, "--pins", pins)
    assert shown["verdict"] == "proven"
    assert shown["pins"]["name"] == "bridge.example"
    assert len({side["root"] for side in shown["sides"]}) == 2

    # A restart, even at the honest one, does not forget; only a person does.
    monkeypatch.undo()
    async with bridge.broker_running():
        assert bridge.url == honest
        async with bridge.node_with_api(LA) as la:
            await eventually(lambda: la.line.state.state == "stopped")
            assert str(file) in str(la.line.state.message)
            assert alarms(la).keys() == {"split_view"}
            words = ("node", "trust-again", "--dir", bridge.place / LA, "--reason")
            assert (await answered(*words, " ", status=2))["code"] == "reason_length"
            await answered(*words, "the court has decided; the first history goes on")
            await opened(la)
            (row,) = la.splits.listed()
            assert row["reason"] == "the court has decided; the first history goes on"
            assert (await answered(*words, "again", status=3))["code"] == "nothing_to_clear"
        async with bridge.node(LA) as la:
            await opened(la)
            assert alarms(la) == {}


async def test_a_node_that_has_lost_its_store_proves_it_by_its_witness(
    bridge: Bridge, fork: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The witness's state holds the note of what it signed; the store is gone."""
    await live(bridge, 2)
    await live(fork, 3)
    data = bridge.place / LA / "node" / "data"
    async with bridge.broker_running(), bridge.node(LA):
        await eventually((data / "witness.json").exists)
    state = json.loads((data / "witness.json").read_bytes())
    assert all(log["note"] for log in state["logs"].values())
    for path in data.glob("node.db*"):
        path.unlink()
    forgets_what_nodes_know(monkeypatch)
    async with fork.broker_running():
        bridge.url = fork.url
        async with bridge.node(LA) as la:
            await eventually(lambda: la.line.state.state == "stopped")
    (file,) = proofs(bridge, LA)
    verdict = judge_split(parse_split(file.read_bytes()), bridge.pins)
    assert verdict.proven is Proven.YES


async def test_two_nodes_that_see_one_each_find_out_by_ordinary_traffic(
    bridge: Bridge,
    fork: Bridge,
    pins: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """He carries a bulletin from one of his brokers to the other, whose log has other entries."""
    taken: list[Submit] = []
    honest = requests.enqueue

    def enqueue(submit: Any, peer: str, frame: Any, *rest: Any) -> Any:
        if isinstance(frame, Submit) and peer == LA:
            taken.append(frame)
        return honest(submit, peer, frame, *rest)

    await live(bridge, 1)
    await live(fork, 2)
    monkeypatch.setattr(requests, "enqueue", enqueue)
    logs_any_seen_head(monkeypatch)
    async with bridge.broker_running(), bridge.node_with_api(LA) as la:
        await agreed(la)
        seen = la.logs.seen()
        assert seen is not None
        sent = await la.send(wish())
        await eventually(lambda: states(la, sent) == ["submitted"])
        (frame,) = taken
        async with fork.broker_running(), fork.node(KH) as kh:
            await opened(kh)
            batches = index_batches(frame.signatures)
            work = fork.broker.role.submit(Submitted(LA, frame.items[0], batches))
            assert isinstance(await work.outcome, Logged)
            await eventually(lambda: "seen_differs" in alarms(kh))
            assert kh.line.state.state == "open"  # it may still be the sender who lies
            (row,) = [row for row in kh.seen.listed() if row["sender"] == LA]
            assert (row["state"], row["size"]) == ("differs", seen.size)
            claim = Path(row["file"])
        told = await judged(claim, "--pins", pins, status=3)
        assert (told["verdict"], told["claims"][0]["sender"]) == ("not_proven", LA)
        heads, whole = tmp_path / "heads.json", tmp_path / "whole.json"
        where = ("--dir", bridge.place / LA)
        await answered("audit", "heads", str(seen.size), *where, "--out", heads)
        shown = await judged(claim, heads, "--pins", pins, "--out", whole)
        assert (shown["verdict"], shown["size"]) == ("proven", seen.size)
        assert (await judged(whole, "--pins", pins))["verdict"] == "proven"
        assert (await judged(whole, status=6))["verdict"] == "keys_unknown"
    async with fork.broker_running(), fork.node(KH) as kh:
        assert "seen_differs" in alarms(kh)  # a restart does not forget it


async def test_a_sender_who_makes_up_what_it_saw_accuses_nobody(
    bridge: Bridge, pins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker refuses it; where it is logged all the same, it is the sender's word."""
    await live(bridge, 1)
    async with (
        bridge.broker_running(),
        bridge.node_with_api(LA) as la,
        bridge.node_with_api(KH) as kh,
    ):
        await agreed(la)
        await opened(kh)
        size = la.logs.evidence_heads.newest
        assert size is not None
        lie = HeadRef(bridge.pins.evidence.origin, size.size, b"\x07" * 32)
        monkeypatch.setattr(Logs, "seen", lambda _: lie)
        refused = await la.send(wish())
        await eventually(lambda: states(la, refused) == ["refused"])
        logs_any_seen_head(monkeypatch)
        sent = await la.send(wish())
        await eventually(lambda: states(la, sent) == ["accepted"])
        await eventually(lambda: "seen_differs" in alarms(kh))
        assert kh.line.state.state == "open"
        (row,) = kh.seen.listed()
        heads = tmp_path / "heads.json"
        where = ("--dir", bridge.place / LA, "--out", heads)
        await answered("audit", "heads", str(size.size), *where)
        for more in (("--pins", pins), ()):
            told = await judged(row["file"], heads, *more, status=3)
            assert told["verdict"] == "not_proven"
        words = ("node", "trust-again", "--dir", bridge.place / KH, "--reason", "they lied")
        cleared = await answered(*words)
        assert cleared == {"splits": [], "seen": [LA]}
        assert alarms(kh) == {}


async def test_a_path_that_is_spoiled_on_the_line_stops_nobody(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first two paths are wrong: the node asks, is shown the right one, and comes again."""
    await live(bridge, 1)
    wrong = [b"\x00" * 32, b"\xff" * 32]
    honest = Published.consistency

    def consistency(head: Published, old: int) -> tuple[bytes, ...]:
        path = honest(head, old)
        return (*path[:-1], wrong.pop()) if wrong and path else path

    async with bridge.broker_running(), bridge.node(KH) as kh:
        await opened(kh)
        monkeypatch.setattr(Published, "consistency", consistency)
        async with bridge.node(LA) as la:
            sent = await la.send(wish())
            await eventually(lambda: states(la, sent) == ["accepted"])
            assert not wrong
            for node in (la, kh):
                await eventually(lambda one=node: one.line.state.state == "open")  # type: ignore[misc]
                assert node.splits.listed() == []
    assert proofs(bridge, LA) == proofs(bridge, KH) == []
