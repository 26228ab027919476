"""A node erases what is due on witnessed time, says so, and destroys its archive key."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from saphan.backup.restored_store import adopt_store
from saphan.node.retaining.reviews import Decision
from saphan.node.service import NodeService
from saphan_schemas.errors import Refused, Unavailable
from saphan_schemas.limits import DAY_MS
from support.attaching import pdf, send
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, states
from support.threads import accepted, known, letter
from support.traces import traces


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
        found += node.db.rows(f"SELECT * FROM {table}")  # noqa: S608 - constants
    return list(found)


async def witnessed(node: NodeService, day: int) -> None:
    """Wait until another agency has cosigned that a day has come; a look asks for that."""
    async with asyncio.timeout(20):
        while (node.retention.sweeping.time.now() or 0) // DAY_MS < day:
            await node.retention.sweeping.look()
            await asyncio.sleep(0.2)


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


async def test_nothing_of_it_is_left_in_any_file(bridge: Bridge) -> None:
    """Ciphertext, wrapped key, archive key, attachment: no 32 bytes of them, at either end."""
    last = today(bridge) + 2
    secrets: dict[str, dict[str, bytes]] = {}
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            bulletin = await send(la, pdf(50_000), retain_until=last)
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            for name, node in ((LA, la), (KH, kh)):
                secrets[name] = material(node, bulletin, last)
                assert len(traces(bridge.place / name / "node", secrets[name])) == 4
    on(bridge, 2)
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
        for name, node in ((LA, la), (KH, kh)):
            await witnessed(node, last)
            await node.retention.sweeping.look()
            assert left(node) == []
            assert traces(bridge.place / name / "node", secrets[name]) == {}
        await eventually(lambda: len(events(la, bulletin)) == 2)


def material(node: NodeService, bulletin: bytes, day: int) -> dict[str, bytes]:
    """What of a bulletin can be opened, or opens it."""
    row = node.db.row(
        "SELECT b.wrapped, y.ciphertext, b.sender FROM bulletins b JOIN bodies y USING (seq)"
        " WHERE b.id = ?",
        (bulletin,),
    )
    assert row is not None
    folder = node.config.data
    way = "out" if row[2] == node.agency else "in"
    return {
        "wrapped": row[0],
        "ciphertext": row[1],
        "key": (folder / "archive-keys" / str(day)).read_bytes(),
        "attachment": (folder / "blobs" / way / bulletin.hex() / "1").read_bytes(),
    }


async def test_what_a_backup_brings_back_is_erased_before_anybody_reads_it(bridge: Bridge) -> None:
    """Erased before its day: it is the log alone that says that it is gone."""
    data, saved = bridge.place / KH / "node/data", bridge.place / "saved"
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            async with bridge.node(KH) as kh:
                await agreed(la)
                bulletin = await accepted(la, letter("training_notice", (KH,)))
                await known(kh, bulletin)
            shutil.copytree(data, saved)
            async with bridge.node(KH) as kh:
                decision = Decision("erase", "keeper", "a court has ordered it", order=True)
                await kh.retention.decide(bulletin, decision)
                await eventually(lambda: ("erased", KH, "order") in events(la, bulletin))
            shutil.rmtree(data)
            shutil.copytree(saved, data)
            adopt_store(bridge.place / KH, bridge.clock())
            async with bridge.node(KH) as kh:
                assert kh.retention.restored.listening
                with pytest.raises(Unavailable, match="catching_up"):
                    await kh.read_by_system(bulletin)
                await eventually(lambda: not kh.retention.restored.listening)
                with pytest.raises(Refused, match="bulletin_erased"):
                    await kh.read_by_system(bulletin)
                assert left(kh) == []
                assert kh.db.rows("SELECT 1 FROM statements WHERE event = 'erased'") == []
                assert [one[1] for one in events(kh, bulletin)] == [KH]


async def test_a_review_that_nobody_decides_ends_it(bridge: Bridge) -> None:
    """Asked on its day, told again later, erased ninety days after; a decision would have kept."""
    review = today(bridge) + 20
    day = date(1970, 1, 1) + timedelta(days=review)
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            wish = letter("training_notice", (KH,), about_review_at=day.isoformat())
            bulletin, other = [await accepted(la, wish) for _ in range(2)]
            await known(kh, other)
    for days, state, shares in (
        (20, "due_review", [0]),
        (30, "due_review", [0]),
        (30, "due_review", [0, 50]),
        (30, "deleted", [0, 50]),
    ):
        on(bridge, days)
        async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
            await witnessed(kh, today(bridge))
            await kh.retention.sweeping.look()
            assert (await kh.retention.shown(bulletin))["state"] == state
            if days == 20:
                decision = Decision("extend", "keeper", "the course is repeated", review + 200)
                await kh.retention.decide(other, decision)
            assert (await kh.retention.shown(other))["state"] == "extended"
            if state == "deleted":
                await eventually(lambda: ("erased", KH, "review") in events(la, bulletin))
            told = [one["share"] for one in kh.bulletins.status(bulletin)["warnings"]]
            assert told == shares
