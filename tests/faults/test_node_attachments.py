"""Attachments through cuts, kills and full disks: nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from saphan import Node
from saphan.local_api import LocalNode
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import KIB, LIMITS, MIB
from support.attaching import pdf, send, shown
from support.bridge import KH, LA, Bridge, agreed, eventually, opened, states, wish
from support.cutting_line import cutting_line
from support.node_process import kill, process

LENGTH = 13_000
"""Four parts of the size with which a line begins: every message is one step."""


@pytest.mark.parametrize("cut_off", [LA, KH])
async def test_a_line_that_is_cut_at_every_step_brings_it_and_little_twice(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, cut_off: str
) -> None:
    """Every session passes one message more than the one before; each step is cut once."""
    # No waiting between sessions.
    monkeypatch.setattr("saphan.node.wire.line.backoff_ms", lambda failures: 0)
    data = pdf(LENGTH)
    async with bridge.broker_running(), cutting_line(bridge.url, 3) as (line, url):
        await bridge.enrol()
        straight = bridge.url
        bridge.url = straight if cut_off == KH else url
        async with bridge.node(LA) as la:
            line.enough = True
            await agreed(la)
            line.enough = False
            bulletin = await send(la, data)
            bridge.url = straight if cut_off == LA else url
            async with bridge.node(KH) as kh:
                await eventually(lambda: states(la, bulletin) == ["accepted"], 60)
                line.enough = True
                assert await shown(kh, bulletin, 1) == data
                await opened(kh)
                assert [row["id"] for row in kh.bulletins.inbox(0, 9)] == [bulletin.hex()]
                assert kh.db.rows("SELECT 1 FROM statements WHERE state = 'refused'") == []
    sealed = next((bridge.place / KH / "node/data/blobs/in").rglob("1")).stat().st_size
    assert line.cuts > 5
    assert sealed <= line.parts <= sealed + line.cuts * LIMITS.part_bytes


# --- killed, and starved --------------------------------------------------------------------------


async def send_file(bridge: Bridge, file: Path) -> str:
    one = wish()
    async with Node(bridge.place / LA) as node:
        return await node.send(
            to=KH, schema=one.schema, about=one.about, body=one.body, attachments=[file]
        )


def growing(folder: Path) -> Iterator[int]:
    """Lengths of files that are not whole yet."""
    for path in folder.rglob("*.part"):
        with contextlib.suppress(FileNotFoundError):
            yield path.stat().st_size


def accepted(bridge: Bridge) -> bool:
    with contextlib.closing(sqlite3.connect(bridge.place / LA / "node/data/node.db")) as db:
        rows = db.execute("SELECT state FROM deliveries").fetchall()
    return rows == [("accepted",)]


async def saved(bridge: Bridge, bulletin: str, out: Path) -> bytes:
    """The attachment as kh.gpo's case system gets it."""
    async with Node(bridge.place / KH) as node:
        assert [one.id async for one in node.inbox(follow=False)] == [bulletin]
        path = await node.save(bulletin, 1, out)
    return await asyncio.to_thread(path.read_bytes)


def peak_bytes(process: asyncio.subprocess.Process) -> int:
    """The most memory that a process has had since `forget_peak`."""
    return _status(process, "VmHWM:")


def forget_peak(process: asyncio.subprocess.Process) -> int:
    """Begin to look anew; the memory it has now."""
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    return _status(process, "VmRSS:")


def _status(process: asyncio.subprocess.Process, name: str) -> int:
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * KIB
    raise AssertionError("the process has ended")


async def test_killed_nodes_bring_and_fetch_on_in_little_memory(
    bridge: Bridge, tmp_path: Path
) -> None:
    """Timeline: 16 MiB are on their way up, the sender is killed; on their way down, the recipient
    is killed; in the end the attachment is there, once, and neither has held it in memory."""
    data, file = pdf(16 * MIB), tmp_path / "scan.pdf"
    file.write_bytes(data)
    async with bridge.broker_running():
        await bridge.enrol()
        async with process(bridge, KH) as kh, process(bridge, LA) as la:
            await asyncio.to_thread(agreed_there, bridge)
            bulletin = await send_file(bridge, file)
            await eventually(lambda: max(growing(bridge.place / "data"), default=0) > MIB, 40)
            assert not accepted(bridge)
            await kill(bridge, LA, la)
            sending = forget_peak(la[0])
            incoming = bridge.place / KH / "node/data/blobs/in"
            await eventually(lambda: max(growing(incoming), default=0) > MIB, 40)
            before = max(growing(incoming), default=0)
            await kill(bridge, KH, kh)
            receiving = forget_peak(kh[0])
            assert max(growing(incoming), default=17 * MIB) >= before
            await eventually(lambda: accepted(bridge), 60)
            assert await saved(bridge, bulletin, tmp_path / "out.pdf") == data
            assert peak_bytes(la[0]) - sending < 64 * MIB
            assert peak_bytes(kh[0]) - receiving < 64 * MIB


def agreed_there(bridge: Bridge) -> None:
    """Wait until la.ospp's process knows the agreement."""
    node = LocalNode(bridge.place / LA / "node")
    while not node.get("/v1/identity")["agreements"]:
        pass


async def test_a_full_disk_stops_the_fetching_and_room_lets_it_go_on(
    bridge: Bridge, tmp_path: Path
) -> None:
    """Files may grow to 3 MiB, as on a disk that is full, the sender's, then the recipient's."""
    data, file = pdf(8 * MIB), tmp_path / "scan.pdf"
    file.write_bytes(data)
    async with bridge.broker_running():
        await bridge.enrol()
        async with process(bridge, KH) as kh, process(bridge, LA) as la:
            await asyncio.to_thread(agreed_there, bridge)
            full = (3 * MIB, resource.RLIM_INFINITY)
            room = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(la[0].pid, resource.RLIMIT_FSIZE, full)
            with pytest.raises(OperatorError, match="disk_full"):
                await send_file(bridge, file)
            resource.prlimit(la[0].pid, resource.RLIMIT_FSIZE, room)
            resource.prlimit(kh[0].pid, resource.RLIMIT_FSIZE, full)
            bulletin = await send_file(bridge, file)  # the upload goes on where it stopped
            node = LocalNode(bridge.place / KH / "node")

            def alarms() -> list[str]:
                return [one["code"] for one in node.get("/v1/identity")["alarms"]]

            def until_full() -> None:
                while "disk_full" not in alarms():
                    time.sleep(0.05)

            await asyncio.wait_for(asyncio.to_thread(until_full), 40)
            assert not accepted(bridge)
            resource.prlimit(kh[0].pid, resource.RLIMIT_FSIZE, room)
            await eventually(lambda: accepted(bridge), 60)
            assert await saved(bridge, bulletin, tmp_path / "out.pdf") == data
            assert "disk_full" not in await asyncio.to_thread(alarms)
