"""A node erases what is due on witnessed time, says so, and destroys its archive key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan.node.service import NodeService
from saphan_schemas.errors import Refused
from saphan_schemas.limits import DAY_MS
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually
from support.threads import accepted, letter


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made:
        yield made


def today(bridge: Bridge) -> int:
    return bridge.clock() // DAY_MS


def on(bridge: Bridge, days: int) -> None:
    """Everybody's clock goes on."""
    bridge.clock.ahead += days * DAY_MS
    bridge.node_clock.ahead += days * DAY_MS


def events(node: NodeService, bulletin: bytes) -> list[tuple[str, str, str | None]]:
    """(event, issuer, code) of what came after the outcome."""
    timeline = node.bulletins.status(bulletin)["timeline"]
    return [
        (one["event"], one["issuer"], one["code"]) for one in timeline if one["event"] == "erased"
    ]


def keys(bridge: Bridge, agency: str) -> list[int]:
    folder = bridge.config(agency).data / "archive-keys"
    return sorted(int(path.name) for path in folder.iterdir())


def left(node: NodeService) -> list[object]:
    """Whatever of any bulletin can be opened still, here."""
    found = node.db.rows("SELECT wrapped, author FROM bulletins WHERE wrapped IS NOT NULL")
    for table in ("bodies", "details", "thread_words", "relations", "subjects", "repeats"):
        found += node.db.rows(f"SELECT * FROM {table}")
    return list(found)


async def witnessed(node: NodeService, day: int) -> None:
    """Wait until another agency has cosigned that a day has come."""
    await eventually(lambda: (node.retention.sweeping.time.now() or 0) // DAY_MS >= day)


async def test_on_its_last_day_everybody_erases_and_says_so(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        last = today(bridge) + 3
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await accepted(la, letter("training_notice", (KH,), retain_until=last))
            later = await accepted(la, letter("training_notice", (KH,), retain_until=last + 9))
            assert await la.retention.sweeping.look() == 0
    assert keys(bridge, KH) == [last, last + 9]
    on(bridge, 3)
    async with (
        bridge.broker_running(),
        bridge.node(LA) as la,
        bridge.node(KH) as kh,
    ):
        for node in (la, kh):
            await witnessed(node, last)
            await node.retention.sweeping.look()
            assert node.db.rows("SELECT count(*) FROM bodies") == [(1,)]
            assert node.db.rows(
                "SELECT r.state FROM retention r JOIN bulletins b USING (seq) WHERE b.id = ?",
                (bulletin,),
            ) == [("deleted",)]
            with pytest.raises(Refused, match="bulletin_erased"):
                await node.read_by_system(bulletin)
        await eventually(lambda: len(events(la, bulletin)) == 2)
        assert set(events(la, bulletin)) == {("erased", LA, "due"), ("erased", KH, "due")}
        assert (await kh.read_by_system(later))["id"] == later.hex()
        assert kh.alarms.standing() == []
    assert keys(bridge, KH) == keys(bridge, LA) == [last + 9]
