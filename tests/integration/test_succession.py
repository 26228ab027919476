"""The broker's disk is gone while bulletins are in every state: everyone arrives, each once.

A real broker, real nodes, and the successor that `saphan-broker succeed` makes.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from saphan.node.rows.places import place_of
from saphan.node.service import NodeService
from saphan_protocol.batch import sign_one
from saphan_schemas.codec import encode
from saphan_schemas.records import OfficerRead
from support.attaching import pdf, send
from support.bridge import (
    KH,
    LA,
    OFFICERS,
    Bridge,
    agreed,
    bridged,
    eventually,
    opened,
    states,
    wish,
)
from support.lost_log import lose, succeed

ENDS = {"accepted", "read", "rejected", "recalled", "expired"}
OUTCOMES = ENDS - {"read"}


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made_here:
        yield made_here


def log_of(node: NodeService) -> str:
    return node.logs.pins.evidence.origin.rpartition("/")[2]


def timeline(node: NodeService, bulletin: bytes) -> list[tuple[int, str]]:
    """(number of the log, event) of a bulletin's entries."""
    rows = node.db.rows(
        "SELECT idx, event FROM entries WHERE bulletin = ? ORDER BY idx", (bulletin,)
    )
    return [(place_of(place).log, event) for place, event in rows]


async def read(bridge: Bridge, kh: NodeService, bulletin: bytes) -> None:
    """An officer reads."""
    key = await asyncio.to_thread(bridge.officer, KH)
    record = encode(OfficerRead(bulletin, KH, OFFICERS[KH], key.key_id, bridge.node_clock()))
    signature = sign_one(key, "saphan/officer_read/1", record, os.urandom(32))
    await kh.read(bulletin, record, encode(signature))


@contextmanager
def unopened(node: NodeService) -> Iterator[None]:
    """What the node takes meanwhile it does not open: it stops before that, each time."""
    intake = node.engine._intake
    kept = intake._open
    intake._open = lambda *_: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        intake._open = kept  # type: ignore[method-assign]


def is_ended(node: NodeService, bulletin: bytes) -> bool:
    """Whether every delivery has its outcome."""
    return all(state in ENDS for state in states(node, bulletin))


def arrived(node: NodeService) -> Counter[bytes]:
    """How often each bulletin stands in the inbox."""
    rows = node.db.rows("SELECT id FROM bulletins WHERE arrived IS NOT NULL")
    return Counter(bulletin for (bulletin,) in rows)


async def test_what_was_on_its_way_arrives_once_and_what_had_arrived_stays(bridge: Bridge) -> None:
    """Timeline: one bulletin accepted; one accepted whose sender was not told; one in the log that
    nobody has taken; the disk is gone; one more is written. Then the successor."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            known = await la.send(wish())
            await eventually(lambda: states(la, known) == ["accepted"])
        async with bridge.node(LA) as la:
            await opened(la)
            untold = await la.send(wish())
            await eventually(lambda: states(la, untold) == ["submitted"])
        async with bridge.node(KH) as kh:
            await eventually(lambda: states(kh, untold) == ["accepted"])
    await asyncio.to_thread(lose, bridge)
    async with bridge.node(LA) as la:
        waiting = await la.send(wish())
    await succeed(bridge, LA, KH)
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
        for bulletin in (untold, waiting):
            await eventually(partial(is_ended, la, bulletin))
        assert (log_of(la), log_of(kh)) == ("2", "2")
        assert timeline(la, known) == [(1, "submitted"), (1, "handover"), (1, "accepted")]
        whole = ["submitted", "handover", "accepted"]
        assert timeline(kh, untold) == [(log, event) for log in (1, 2) for event in whole]
        assert set(arrived(kh).values()) == {1}
        assert len(arrived(kh)) == 3


async def test_every_state_has_one_outcome_and_each_officer_is_shown_it_once(
    bridge: Bridge,
) -> None:
    """Timeline: read; handed over and not opened; recalled before and after its delivery; with an
    attachment and not taken yet; the disk is gone. Then the successor."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            seen = await la.send(wish())
            late = await la.send(wish())
            await eventually(lambda: states(la, late) == ["accepted"])
            await eventually(lambda: states(la, seen) == ["accepted"])
            await read(bridge, kh, seen)
            await eventually(lambda: states(la, seen) == ["read"])
            await la.recalls.order(late, "error", "keeper")
            await eventually(lambda: "recalled" in [event for _, event in timeline(kh, late)])
            with unopened(kh):
                held = await la.send(wish())
                await eventually(lambda: states(kh, held) == ["handed_over"])
        async with bridge.node(LA) as la:
            await opened(la)
            taken_back = await la.send(wish())
            attached = await send(la, pdf(100_000))
            for one in (taken_back, attached):
                await eventually(lambda one=one: states(la, one) == ["submitted"])  # type: ignore[misc]
            await la.recalls.order(taken_back, "error", "keeper")
            await eventually(lambda: states(la, taken_back) == ["recalled"])
    await asyncio.to_thread(lose, bridge)
    await succeed(bridge, LA, KH)
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
        for one in (seen, late, held, taken_back, attached):
            await eventually(lambda one=one: is_ended(la, one))  # type: ignore[misc]
        assert (states(la, held), states(la, attached)) == (["accepted"], ["accepted"])
        assert (states(la, seen), states(la, taken_back)) == (["read"], ["recalled"])
        assert sorted(arrived(kh)) == sorted({seen, late, held, attached})
        assert set(arrived(kh).values()) == {1}
        outcomes = {
            one: [e for _, e in timeline(la, one) if e in ENDS - {"read"}] for one in arrived(kh)
        }
        assert outcomes[held] == outcomes[attached] == ["accepted"]
        (showings,) = kh.db.rows("SELECT count(*) FROM showings WHERE record IS NOT NULL")[0]
        assert showings == 1


async def test_a_reading_whose_sender_was_not_told_is_said_again_and_not_shown_again(
    bridge: Bridge,
) -> None:
    """Timeline: sent; the sender goes away; accepted, read; the disk is gone. The sender carries it
    again, and hears of both; at the recipient nothing looks as if it had just come."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
            bulletin = await la.send(wish())
            await eventually(lambda: states(la, bulletin) == ["submitted"])
        async with bridge.node(KH) as kh:
            await eventually(lambda: states(kh, bulletin) == ["accepted"])
            await read(bridge, kh, bulletin)
            await eventually(lambda: states(kh, bulletin) == ["read"])
    await asyncio.to_thread(lose, bridge)
    await succeed(bridge, LA, KH)
    shown: set[str] = set()
    async with bridge.broker_running(), bridge.node(KH) as kh, bridge.node(LA) as la:
        with kh.events.listen() as heard:
            async with asyncio.timeout(60):
                while states(la, bulletin) != ["read"]:
                    assert states(kh, bulletin) == ["read"]
                    await asyncio.sleep(0.01)
            while (event := await heard.next(0.01)) is not None:
                shown.add(event["type"])
        assert "inbox" not in shown
        assert [event for log, event in timeline(la, bulletin) if log == 2] == [
            "submitted",
            "handover",
            "accepted",
            "read",
        ]
        assert arrived(kh) == {bulletin: 1}
        (rows,) = kh.db.rows("SELECT count(*) FROM statements")[0]
        assert rows == 3  # the same words, not new ones
