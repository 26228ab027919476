"""The disk is gone while bulletins to several agencies are under way, some of them recalled."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from saphan.node.service import NodeService
from support.attaching import pdf, send, shown
from support.bridge import KH, LA, VN, Bridge, bridged, eventually, states, wish
from support.lost_log import lose, succeed
from support.recalls import row

BOTH = (KH, VN)


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path, LA, *BOTH) as made_here:
        yield made_here


async def to_both(node: NodeService) -> bytes:
    return await node.send(replace(wish(), to=BOTH))


def stand(node: NodeService, bulletin: bytes, *wanted: str) -> bool:
    """Whether the deliveries to both stand so."""
    return states(node, bulletin) == list(wanted)


async def stood(node: NodeService, bulletin: bytes, state: str, recipient: str) -> None:
    """Wait until a recipient stands so."""
    await eventually(lambda: row(node, bulletin, recipient)["state"] == state, 60)


def arrived(node: NodeService) -> Counter[bytes]:
    rows = node.db.rows("SELECT id FROM bulletins WHERE arrived IS NOT NULL")
    return Counter(bulletin for (bulletin,) in rows)


async def test_each_of_two_recipients_gets_what_it_lacks_and_hears_every_recall(
    bridge: Bridge,
) -> None:
    """Timeline: bulletins to two agencies, of which one is away for most of them; the line breaks,
    and two are recalled; the disk is gone. After the successor one more is recalled."""
    async with AsyncExitStack() as sender:
        async with bridge.broker_running():
            await bridge.enrol()
            la = await sender.enter_async_context(bridge.node(LA))
            async with bridge.node(KH):
                async with bridge.node(VN):
                    await eventually(lambda: list(la.logs.directory.agreements(LA, VN)))
                    had, later = await to_both(la), await to_both(la)
                    for one in (had, later):
                        await eventually(partial(stand, la, one, "accepted", "accepted"), 60)
                half, asked = await to_both(la), await to_both(la)
                attached = await send(la, pdf(100_000), to=VN)
                for one in (half, asked):
                    await eventually(partial(stand, la, one, "accepted", "submitted"), 60)
                await eventually(partial(stand, la, attached, "submitted"))
        for one in (had, asked):  # the log never hears of it
            await la.recalls.order(one, "error", "keeper")
            assert row(la, one, KH)["state"] == "sending"
    await asyncio.to_thread(lose, bridge)
    await succeed(bridge, LA, *BOTH)
    async with bridge.broker_running(), bridge.node(LA) as la, AsyncExitStack() as others:
        kh = await others.enter_async_context(bridge.node(KH))
        for one in (had, asked):
            await stood(la, one, "obeyed", KH)
        await stood(la, asked, "stopped", VN)
        assert row(la, had, VN)["state"] == "sending"  # it was handed over: a request comes after
        vn = await others.enter_async_context(bridge.node(VN))
        await stood(la, had, "obeyed", VN)
        await eventually(partial(stand, la, half, "accepted", "accepted"), 60)
        await eventually(partial(stand, la, attached, "accepted"))
        assert await shown(vn, attached, 1) == pdf(100_000)
        await la.recalls.order(later, "error", "keeper")
        for name in BOTH:
            await stood(la, later, "obeyed", name)
        assert arrived(kh) == Counter([had, later, half, asked])
        assert arrived(vn) == Counter([had, later, half, attached])
