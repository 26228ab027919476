"""The broker shows one agency another history than its partner; or is said to.

He runs two brokers with the same keys, forked from one state. A node that meets both keeps the
proof and does not speak with him any more; nodes that meet one each find out by what their
partners' consignments say they saw. Who only says that he saw something else proves nothing.
"""

from __future__ import annotations

import asyncio
import atexit
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from saphan.node.alarms import Alarms
from saphan.node.logs import Logs
from saphan.node.service import NodeService
from saphan.node.split import DOUBT
from saphan.node.wire import comparing
from saphan_broker.logs.log_book import Published
from saphan_broker.sequencing.work import Logged, Submitted
from saphan_broker.sessions import proving, requests, session
from saphan_protocol.batch import index_batches
from saphan_protocol.pins import format_pins
from saphan_protocol.split_file import parse_split
from saphan_protocol.split_view import Proven, judge_split
from saphan_schemas.frames import Submit
from saphan_schemas.proof_frames import AskProofs, Proofs
from saphan_schemas.records import HeadRef
from support.bridge import KH, LA, Bridge, agreed, eventually, opened, states, wish
from support.command import answered, saphan_here
from support.corrupt import forgets_what_nodes_know, logs_any_seen_head
from support.desks import ready_bridge

_lived: dict[str, Bridge] = {}
"""Folders by what has happened in them, a letter each: D and E are agreements, others bulletins.
Two stories are two histories from the first letter in which they differ."""


async def lived(story: str) -> Bridge:
    """Folders after this story, made once."""
    if story not in _lived:
        made = Bridge(Path())
        atexit.register(made.remove)
        if len(story) == 1:
            async with ready_bridge() as ready:
                await asyncio.to_thread(made.copy, ready)
        else:
            await asyncio.to_thread(made.copy, await lived(story[:-1]))
        await (amend(made) if story[-1] in "DE" else live(made))
        _lived[story] = made
    return _lived[story]


@asynccontextmanager
async def after(story: str) -> AsyncIterator[Bridge]:
    """A broker and its nodes after this story."""
    template, made = await lived(story), Bridge(Path())
    try:
        await asyncio.to_thread(made.copy, template)
        yield made
    finally:
        await asyncio.to_thread(made.remove)


async def live(bridge: Bridge) -> None:
    """A bulletin from la.ospp to kh.gpo is accepted."""
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        await agreed(kh)
        sent = await la.send(wish())
        await eventually(lambda: states(la, sent) == ["accepted"])


async def amend(bridge: Bridge) -> None:
    """A new agreement takes the place of the old one: the directory grows."""
    async with bridge.broker_running(), bridge.node(LA) as la:
        await agreed(la)
        await opened(la)
        *_, old = la.logs.directory.agreements(LA, KH)
        size = la.logs.directory.size
        package = await asyncio.to_thread(lambda: bridge.agreement(old.name))
        assert (await la.line.register(None, package)).code is None
        await eventually(lambda: la.logs.heads()[0].size > size)


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    """What the nodes know: one bulletin."""
    async with after("a") as made:
        yield made


@pytest.fixture
async def fork() -> AsyncIterator[Bridge]:
    """The same broker, from the same state, with the same keys; two other bulletins."""
    async with after("bb") as made:
        yield made


@pytest.fixture
def pins(bridge: Bridge, tmp_path: Path) -> Path:
    path = tmp_path / "pins.json"
    path.write_bytes(format_pins(bridge.pins))
    return path


def alarms(node: NodeService) -> dict[str, str]:
    return {alarm.code: alarm.message for alarm in node.alarms.standing()}


def proofs(bridge: Bridge, agency: str) -> list[Path]:
    return sorted((bridge.place / agency / "node" / "data").glob("split-view-*.json"))


async def judged(*words: str | Path, status: int = 0) -> dict[str, Any]:
    """What a third party is told."""
    ran = await asyncio.to_thread(saphan_here, "audit", "split", *words, "--json", status=status)
    return ran.json


@pytest.mark.parametrize(
    ("known", "shown", "log"),
    [
        ("a", "b", "evidence"),
        ("a", "bb", "evidence"),
        ("a", "bbb", "evidence"),
        ("aD", "aE", "directory"),
        ("aD", "aEE", "directory"),
    ],
)
@pytest.mark.parametrize("program", ["honest", "corrupt"])
async def test_a_node_that_is_shown_both_stops(
    monkeypatch: pytest.MonkeyPatch, program: str, known: str, shown: str, log: str
) -> None:
    """At one size, or at a larger one. The honest program, forked by who runs it, refuses the node
    and shows what it has instead; the corrupt one goes on, and is asked for what decides."""
    async with after(known) as bridge, after(shown) as fork:
        if program == "corrupt":
            forgets_what_nodes_know(monkeypatch)
        async with fork.broker_running():
            bridge.url = fork.url
            async with bridge.node(LA) as la:
                await eventually(lambda: la.line.state.state == "stopped")
                assert la.line.state.code == "split_view"
                (file,) = proofs(bridge, LA)
                assert str(file) in alarms(la)["split_view"]
                (row,) = la.splits.listed()
                assert (row["file"], row["cleared"]) == (str(file), None)
                assert row["origin"] == f"bridge.example/{log}/1"
                # Nothing of the second history was taken.
                events = la.db.rows("SELECT event FROM entries ORDER BY idx")
                assert events == [("submitted",), ("handover",), ("accepted",)]
        verdict = judge_split(parse_split(file.read_bytes()), bridge.pins)
        assert verdict.proven is Proven.YES


async def test_only_a_person_lets_a_node_speak_with_that_broker_again(
    bridge: Bridge, fork: Bridge, pins: Path
) -> None:
    """No restart does, not even at the honest one; what officers send meanwhile is not lost."""
    where = ("--dir", bridge.place / LA)
    async with fork.broker_running():
        bridge.url = fork.url
        async with bridge.node_with_api(LA) as la:
            await eventually(lambda: la.line.state.state == "stopped")
            (file,) = proofs(bridge, LA)
            assert (await answered("node", "status", *where))["stopped"]["code"] == "split_view"
            officers = await answered("inbox", *where)
            assert str(file) in officers["stopped"]["message"]
            read = await asyncio.to_thread(saphan_here, "inbox", *where)
            assert str(file) in read.err
    shown = await judged(file, "--pins", pins)
    assert (shown["verdict"], shown["pins"]["name"]) == ("proven", "bridge.example")
    assert len({side["root"] for side in shown["sides"]}) == 2

    async with bridge.broker_running():
        async with bridge.node_with_api(LA) as la:
            await eventually(lambda: la.line.state.state == "stopped")
            assert str(file) in str(la.line.state.message)
            assert alarms(la).keys() == {"split_view"}
            waiting = await la.send(wish())
            words = ("node", "trust-again", *where, "--reason")
            assert (await answered(*words, " ", status=2))["code"] == "reason_length"
            assert states(la, waiting) == ["queued"]
            await answered(*words, "the court has decided; the first history goes on")
            await eventually(lambda: states(la, waiting) == ["submitted"])
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
    data = bridge.place / LA / "node" / "data"

    def signed() -> dict[str, Any]:
        """The witness's newest heads, by log; none before its first."""
        state = data / "witness.json"
        return dict(json.loads(state.read_bytes())["logs"]) if state.exists() else {}

    def has_signed(head: HeadRef) -> bool:
        known = signed().get(head.origin)
        return known is not None and known["size"] == head.size

    async with bridge.broker_running(), bridge.node(LA) as la:
        # Of the first bulletin, not only of what both histories have.
        newest = la.logs.evidence_heads.ref
        assert newest is not None
        await eventually(lambda: has_signed(newest))
    assert all(log["note"] for log in signed().values())
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
    """He carries a bulletin from one of his brokers to the other, whose log has other entries. He
    proves nothing of it when he is asked; that is told, and he is asked again."""
    taken: list[Submit] = []
    honest, proven = requests.enqueue, proving.prove
    silent = True

    async def prove(state: Any, submit: Any, frame: AskProofs) -> Proofs:
        if silent and frame.sizes:
            return Proofs(frame.request, "head_unknown", (), (), ())
        return await proven(state, submit, frame)

    def enqueue(submit: Any, peer: str, frame: Any, *rest: Any) -> Any:
        if isinstance(frame, Submit) and peer == LA:
            taken.append(frame)
        return honest(submit, peer, frame, *rest)

    monkeypatch.setattr(requests, "enqueue", enqueue)
    monkeypatch.setattr(session, "prove", prove)
    monkeypatch.setattr(comparing, "AGAIN_S", 0.05)
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
            await eventually(lambda: "seen_unproven" in alarms(kh))
            silent, since = False, kh.line.state.since
            await eventually(lambda: "seen_differs" in alarms(kh))
            # It may still be the sender who lies.
            assert (kh.line.state.state, kh.line.state.since) == ("open", since)
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
    """The first paths are wrong: the node asks, is shown the right one, and comes again. Until a
    good path comes, it takes nothing and says so, however often the line opens."""
    wrong = [b"\x00" * 32] * 6
    honest, clear = Published.consistency, Alarms.clear
    ended: list[int] = []

    def consistency(head: Published, old: int) -> tuple[bytes, ...]:
        path = honest(head, old)
        return (*path[:-1], wrong.pop()) if wrong and path else path

    def over(standing: Alarms, code: str) -> None:
        if code == DOUBT and code in {alarm.code for alarm in standing.standing()}:
            ended.append(len(wrong))
        clear(standing, code)

    async with bridge.broker_running(), bridge.node(KH) as kh:
        await opened(kh)
        monkeypatch.setattr(Published, "consistency", consistency)
        monkeypatch.setattr(Alarms, "clear", over)
        async with bridge.node(LA) as la:
            sent = await la.send(wish())
            await eventually(lambda: states(la, sent) == ["accepted"])
            assert not wrong
            for node in (la, kh):
                await eventually(lambda one=node: one.line.state.state == "open")  # type: ignore[misc]
                assert node.splits.listed() == []
                await eventually(lambda one=node: alarms(one) == {})  # type: ignore[misc]
    assert set(ended) == {0}
    assert proofs(bridge, LA) == proofs(bridge, KH) == []
