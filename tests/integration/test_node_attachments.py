"""Attachments over two real nodes and a real broker: sealed, brought, fetched, opened, shown."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from saphan_protocol.stanza import seal_stanza
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import KIB, MIB
from support.attaching import pdf, send, shown, stored
from support.bridge import KH, LA, Bridge, agreed, eventually, opened, states, wish
from support.cutting_line import cutting_line

SIZES = {
    "one byte more than nothing": (9,),
    "a whole bucket and one byte more": (4_096, 4_097),
    "a mebibyte": (MIB,),
    "thirty-two": tuple(range(100, 132)),
    "the most there is": (16 * MIB, 16 * MIB - 1),
}


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES.keys())
async def test_attachments_go_the_whole_way(bridge: Bridge, sizes: tuple[int, ...]) -> None:
    data = [pdf(size, seed) for seed, size in enumerate(sizes)]
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(kh)
            bulletin = await send(la, *data)
            await eventually(lambda: states(la, bulletin) == ["accepted"], 60)
            for number, one in enumerate(data, 1):
                assert await shown(kh, bulletin, number) == one
            assert la.alarms.standing() == kh.alarms.standing() == []
    # What rests is sealed, on both sides, and nothing is left of what the client uploaded.
    assert [path.name for path in stored(bridge, KH, "in")] == sorted(
        str(number) for number in range(1, len(data) + 1)
    )
    for way in ("in", "uploads"):
        assert stored(bridge, LA, way) == []
    for path in (*stored(bridge, LA, "out"), *stored(bridge, KH, "in")):
        assert path.stat().st_mode & 0o077 == 0
        assert data[0][:9] not in path.read_bytes()


async def test_an_urgent_bulletin_overtakes_attachments(bridge: Bridge) -> None:
    """While 16 MiB travel, an immediate bulletin and one with its own attachment come first."""
    async with bridge.broker_running(), cutting_line(bridge.url, 0) as (line, url):
        await bridge.enrol()
        straight, bridge.url, line.enough = bridge.url, url, True
        async with bridge.node(LA) as la:
            bridge.url = straight
            async with bridge.node(KH) as kh:
                await agreed(la)
                await opened(kh)
                line.hold_at = 32 * KIB
                bulk = await send(la, pdf(16 * MIB))
                await asyncio.wait_for(line.held.wait(), 20)
                bare = await la.send(wish(urgency="immediate"))
                own = await send(la, pdf(MIB // 2, 2), urgency="immediate")
                line.hold_at = None
                line.go.set()
                await eventually(lambda: states(la, bulk) == ["accepted"], 60)
                rows = [row["id"] for row in kh.bulletins.inbox(0, 9)]
                assert rows == [bare.hex(), own.hex(), bulk.hex()]
                assert await shown(kh, own, 1) == pdf(MIB // 2, 2)


async def test_a_lost_store_fetches_its_attachments_again(bridge: Bridge) -> None:
    """kh.gpo loses node.db and its files, keeps its keys: nothing is stated twice."""
    data = pdf(100_000)
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
            bulletin = await send(la, data)
            async with bridge.node(KH) as kh:
                await eventually(lambda: states(la, bulletin) == ["accepted"])
                await eventually(lambda: states(kh, bulletin) == ["accepted"])
            for path in (bridge.place / KH / "node/data").glob("node.db*"):
                path.unlink()
            for path in stored(bridge, KH, "in"):
                path.unlink()
            async with bridge.node(KH) as kh:
                await eventually(lambda: kh.bulletins.inbox(0, 9))
                assert await shown(kh, bulletin, 1) == data
                assert kh.db.rows("SELECT 1 FROM statements WHERE state = 'refused'") == []
                assert [row["id"] for row in kh.bulletins.inbox(0, 9)] == [bulletin.hex()]
                assert states(kh, bulletin) == ["accepted"]


async def test_a_file_that_the_disk_changed_is_fetched_again(bridge: Bridge) -> None:
    """Between handover and opening one byte of the received file changes: the disk is blamed."""
    data = pdf(100_000)
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(kh)
            state = kh.engine._intake._judge._files
            whole = state.received
            changed: list[Path] = []

            def received(bulletin: bytes, place: int) -> Path:
                path = whole(bulletin, place)
                if path.exists() and not changed:
                    changed.append(path)
                    damaged = bytearray(path.read_bytes())
                    damaged[5_000] ^= 1
                    path.write_bytes(damaged)
                return path

            state.received = received  # type: ignore[method-assign]
            bulletin = await send(la, data)
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            assert [alarm.code for alarm in kh.alarms.standing()] == ["attachment_damaged"]
            assert await shown(kh, bulletin, 1) == data


async def test_what_is_lost_after_it_was_read_is_fetched_again(bridge: Bridge) -> None:
    data = pdf(100_000)
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(kh)
            bulletin = await send(la, data, data[:50_000])
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            assert await shown(kh, bulletin, 1) == data
            for path in stored(bridge, KH, "in"):
                path.unlink()
            with pytest.raises(OperatorError, match="attachment_damaged"):
                await kh.attachment(bulletin, 2)
            await eventually(lambda: len(stored(bridge, KH, "in")) == 2)
            missing = "SELECT 1 FROM parts WHERE stage = 0"
            await eventually(lambda: not kh.db.rows(missing))
            assert await shown(kh, bulletin, 1) == data
            # Our own file is nobody's to give: the error stays, and nothing is asked for.
            for path in stored(bridge, LA, "out"):
                path.unlink()
            await la.read_by_system(bulletin)
            with pytest.raises(OperatorError, match="attachment_damaged"):
                await la.attachment(bulletin, 1)
            assert la.db.rows(missing) == []


async def test_consigned_anew_nothing_is_brought_twice(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first stanza is spoiled; the second consignment goes without its attachments."""
    whole, made = seal_stanza, []

    def spoiled(key: bytes, *rest: object) -> bytes:
        made.append(1)
        return whole(key if len(made) > 1 else bytes(32), *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("saphan.node.sealing.seal_stanza", spoiled)
    data = pdf(100_000)
    async with bridge.broker_running(), cutting_line(bridge.url, 0) as (line, url):
        await bridge.enrol()
        straight, bridge.url, line.enough = bridge.url, url, True
        async with bridge.node(LA) as la:
            bridge.url = straight
            async with bridge.node(KH) as kh:
                await agreed(la)
                await opened(kh)
                bulletin = await send(la, data)
                await eventually(lambda: states(la, bulletin) == ["accepted"])
                assert await shown(kh, bulletin, 1) == data
                assert len(made) == 2
                (path,) = stored(bridge, LA, "out")
                assert line.parts == path.stat().st_size
