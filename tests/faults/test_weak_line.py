"""A line that is cut again and again brings everything, and nothing twice but what a cut hits.

The line is a process and is cut by the bytes it has carried, not by a clock: what is counted is the
same on every machine.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from saphan_broker.sequencing.work import Logged, Package
from saphan_schemas.codec import decode
from saphan_schemas.frames import DirectoryLeaves, Submit
from saphan_schemas.limits import KIB, LIMITS
from saphan_schemas.records import Header
from support.attaching import pdf, send, shown
from support.bridge import KH, LA, VN, Bridge, agreed, bridged, eventually, states, wish
from support.weak_line import WeakLine, weak_line

from benchmarks.carried import brought_twice, fetched_twice

CUT = 48 * KIB
"""Three agencies' keys take 75 KB of the directory, a frame of it 32 KiB at most, and a bulletin
16 KiB with all that it needs: nothing arrives that has to begin again after each cut."""


async def test_the_first_bulletin_arrives_over_a_line_cut_every_48_kib(tmp_path: Path) -> None:
    """Nodes that know nothing yet: directory, bulletin, receipts; both lines are cut all along."""
    async with bridged(tmp_path, LA, KH, VN) as bridge, bridge.broker_running():
        await enrol(bridge)
        async with (
            weak_line(bridge.url, tmp_path / "la", cut_bytes=CUT) as la_line,
            weak_line(bridge.url, tmp_path / "kh", cut_bytes=CUT) as kh_line,
        ):
            bridge.url = la_line.url
            async with bridge.node(LA) as la:
                bridge.url = kh_line.url
                async with bridge.node(KH) as kh:
                    await agreed(la)
                    bulletin = await la.send(wish())
                    await eventually(lambda: states(la, bulletin) == ["accepted"])
                    await eventually(lambda: states(kh, bulletin) == ["accepted"])
            for line in (la_line, kh_line):
                counted = await line.count()
                assert counted["cuts"] >= 2, counted
                assert repeated(line) <= counted["cuts"], "only what a cut has hit comes again"


async def enrol(bridge: Bridge) -> None:
    """As `Bridge.enrol`, but no node has run before: each has keys, and nothing else."""
    for office in bridge.offices.values():
        await bridge.broker.admit_operation(office.enrolment.read_bytes())
    package = await asyncio.to_thread(bridge.agreement)
    assert isinstance(await bridge.broker.sequencer.submit(Package(package, LA)).outcome, Logged)


def repeated(line: WeakLine) -> int:
    """Frames of directory leaves that arrived again: a cut may hit one that nobody has taken."""
    starts = [frame.start for _, frame in line.frames("down") if isinstance(frame, DirectoryLeaves)]
    return sum(1 for place, start in enumerate(starts) if start in starts[:place])


async def test_what_is_immediate_goes_before_all_that_waits(tmp_path: Path) -> None:
    """20 routine bulletins and then an immediate one wait for the line; it goes out first."""
    async with bridged(tmp_path) as bridge, bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
        async with weak_line(bridge.url, tmp_path / "la") as line:
            await line.quality(down=3600)
            await line.cut()
            bridge.url = line.url
            async with bridge.node(LA) as la:
                await eventually(lambda: la.line.state.code == "broker_unreachable")
                for _ in range(20):
                    await la.send(wish())
                urgent = await la.send(wish(urgency="immediate"))
                await line.quality(down=0)
                await line.cut()
                await eventually(lambda: states(la, urgent) != ["queued"])
            sent = [frame for _, frame in line.frames("up") if isinstance(frame, Submit)]
            header = decode(Header, sent[0].items[0].header, LIMITS.header_bytes, "header")
            assert header.urgency == "immediate"
            assert len(sent[0].items) == 1, "nothing else is in its frame"


async def test_an_attachment_arrives_over_a_line_that_never_carries_it_in_one_go(
    tmp_path: Path,
) -> None:
    """256 KiB over lines that are cut every 160 KiB: both ends go on where they were."""
    quality = {"cut_bytes": 160 * KIB, "rate": 2e6, "delay": 0.01}
    data = pdf(256 * KIB)
    async with bridged(tmp_path) as bridge, bridge.broker_running():
        await enrol(bridge)
        async with (
            weak_line(bridge.url, tmp_path / "la", **quality) as la_line,
            weak_line(bridge.url, tmp_path / "kh", **quality) as kh_line,
        ):
            bridge.url = la_line.url
            async with bridge.node(LA) as la:
                bridge.url = kh_line.url
                async with bridge.node(KH) as kh:
                    await agreed(la)
                    bulletin = await send(la, data)
                    await eventually(lambda: states(la, bulletin) == ["accepted"], 60)
                    assert await shown(kh, bulletin, 1) == data
            for line, again in ((la_line, brought_twice), (kh_line, fetched_twice)):
                cuts = (await line.count())["cuts"]
                assert cuts >= 2
                twice = await asyncio.to_thread(again, line.record)
                assert twice <= cuts * LIMITS.part_bytes, "one frame for each cut"
