"""What a node costs that has nothing to do: counted bytes, times what a day holds of each.

A day is made of pings, of a head now and then that the node cosigns, and of some lines that break.
To the counted bytes of the sessions come those of TLS and of the network; both are bounds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from saphan.node.service import NodeService, running
from saphan_broker.logs.log_book import Cosigned
from saphan_schemas.limits import DAY_MS, LIMITS
from support.bridge import KH, LA, VN, Bridge, agreed, bridged, eventually, states, wish
from support.counting_relay import CountingRelay, counting

PACKET = 52 + 22
"""IPv4, TCP with time stamps, a TLS record."""
ACK = 52
SEGMENT = 1_300
HANDSHAKE = 6_000
"""TCP and TLS with a self-signed certificate, both ways."""
BREAKS = 10
"""Lines that break on a day; a worse line is not idle."""
MEGABYTE = 1_000_000


def on_the_wire(payload: int, messages: int) -> int:
    """Bytes that a provider counts for so much payload, each packet acknowledged."""
    packets = messages + payload // SEGMENT
    return payload + packets * (PACKET + ACK)


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path, LA, KH, VN) as made, made.broker_running():
        await made.enrol()
        yield made


def pass_time(bridge: Bridge, millis: int) -> None:
    bridge.clock.ahead += millis
    bridge.node_clock.ahead += millis


async def cosigned(bridge: Bridge, size: int = 0) -> None:
    """Wait until VN's witness has signed a head of each log that is larger than this one's."""
    book, registry = bridge.broker.state.evidence, bridge.broker.state.registry

    def seen(heads: Mapping[int, Cosigned], above: int) -> bool:
        return any(VN in one.lines for head, one in heads.items() if head > above)

    await eventually(lambda: seen(book.cosigned, size) and seen(registry.cosigned, 0))


async def exchange(bridge: Bridge, la: NodeService, bulletins: int) -> None:
    """LA and KH are busy."""
    for _ in range(bulletins):
        bulletin = await la.send(wish())
        await eventually(lambda: states(la, bulletin) == ["accepted"])  # noqa: B023
        pass_time(bridge, 10_000)


async def test_an_idle_node_costs_less_than_a_megabyte_a_day_while_others_are_busy(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with counting(bridge.url) as relay, bridge.node(LA) as la, bridge.node(KH):
        idle = dataclasses.replace(bridge.config(VN), broker=relay.url)
        await agreed(la)
        async with running(idle):
            await cosigned(bridge)
        before = relay.total
        # Signed anew for the next session, the same head is cosigned anew.
        pass_time(bridge, 5_000)
        bridge.broker.state.evidence.cosigned.clear()
        async with running(idle) as vn:
            await cosigned(bridge)
            # A session that begins is told once who has witnessed what it has.
            await exchange(bridge, la, 1)
            other = "SELECT 1 FROM heads WHERE witnesses NOT IN ('', ?)"
            await eventually(lambda: vn.db.row(other, (VN,)))
            seen = vn.logs.evidence_heads.newest
            assert seen is not None
            await cosigned(bridge, seen.size - 1)
            session, before = relay.total - before, relay.total
            await exchange(bridge, la, 5)
            assert relay.total == before

            size = newest(bridge)
            pass_time(bridge, LIMITS.head_quiet_ms)
            await exchange(bridge, la, 1)
            await cosigned(bridge, size)
            head = relay.total - before
        ping = await cost_of_a_ping(bridge, relay, monkeypatch)
    heads = DAY_MS // LIMITS.head_quiet_ms * on_the_wire(head, 4)
    pings = DAY_MS // LIMITS.heartbeat_ms * on_the_wire(ping, 2)
    sessions = BREAKS * (HANDSHAKE + on_the_wire(session, 12))
    assert head < 8_000
    assert ping < 40
    assert heads + pings + sessions < MEGABYTE


def newest(bridge: Bridge) -> int:
    """Size of the evidence log's newest head."""
    published = bridge.broker.state.evidence.published
    assert published is not None
    return published.size


async def cost_of_a_ping(
    bridge: Bridge, relay: CountingRelay, monkeypatch: pytest.MonkeyPatch
) -> int:
    """Bytes of a ping and its answer, the mean of many on a line where little else is said."""
    often = dataclasses.replace(LIMITS, heartbeat_ms=20)
    monkeypatch.setattr("saphan.node.wire.session.LIMITS", often)
    size = newest(bridge)
    async with running(dataclasses.replace(bridge.config(VN), broker=relay.url)):
        await cosigned(bridge, size - 1)
        bytes_before, pieces_before = relay.total, relay.pieces
        await eventually(lambda: relay.pieces >= pieces_before + 40)
        return 2 * (relay.total - bytes_before) // (relay.pieces - pieces_before)


async def test_a_line_that_answers_no_ping_is_given_up_and_opened_anew(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timeline: a line is open; what is sent is lost from then on; a new line is not lost."""
    often = dataclasses.replace(LIMITS, heartbeat_ms=50)
    monkeypatch.setattr("saphan.node.wire.session.LIMITS", often)
    async with (
        counting(bridge.url) as relay,
        running(dataclasses.replace(bridge.config(VN), broker=relay.url)) as vn,
    ):
        await cosigned(bridge)
        relay.swallows = True
        await eventually(lambda: vn.line.state.code == "line_silent")
        relay.swallows = False
        await eventually(lambda: vn.line.state.state == "open")
