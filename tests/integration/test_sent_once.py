"""What travels once in a session, heads and batch signatures; and whose witness is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from saphan_schemas.frames import DirectoryLeaves, Feed
from saphan_schemas.limits import MINUTE_MS
from support.brokers import World
from support.session import Line

A, B, C = "la.ospp", "kh.gpo", "vn.vks"
MADE = 300


class Recording(Line):
    """A line that keeps the frames as they come."""

    frames: list[Any]

    async def _take(self, frame: Any) -> None:
        self.frames.append(frame)
        await super()._take(frame)


async def recording(world: World, name: str) -> Recording:
    line = Recording(world.agencies[name], world.pins, world.clock, ack=True)
    line.frames = []
    world._lines.append(line)
    await line.connect(world.url)
    return line


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path, A, B, C)
    await world.init()
    async with world.running():
        await world.enrol()
        yield world


async def test_heads_and_batch_signatures_travel_once(world: World) -> None:
    """Timeline: 300 bulletins in three batches wait; their recipient comes and gets them all."""
    sender = world.agencies[A]
    out = await world.line(A)
    last = 0
    for _ in range(3):
        made = [sender.bulletin([B], world.clock()) for _ in range(MADE // 3)]
        items, batch = sender.submissions(made, [world.agencies[B]])
        (*_, result) = await out.submit(items, batch)
        last = result.indices[0]
    into = await recording(world, B)
    await into.entry(last)
    feeds = [frame for frame in into.frames if isinstance(frame, Feed)]
    assert len(feeds) > MADE // 128
    notes = Counter(frame.note for frame in feeds if frame.note)
    assert set(notes.values()) == {1}
    assert len(notes) < len(feeds)
    batches = Counter(batch.root for frame in feeds for batch in frame.signatures)
    assert sorted(batches.values()) == [1, 1, 1]


async def test_directory_heads_travel_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saphan_broker.sessions.feed.LEAVES_BYTES", 1)
    line = await recording(world, C)
    await line.until(lambda: len(line.leaves) == 5)
    frames = [frame for frame in line.frames if isinstance(frame, DirectoryLeaves)]
    assert len(frames) == 5
    assert len([frame for frame in frames if frame.note]) == 1


async def test_a_deadline_asks_the_parties_witnesses_first_then_everyone(world: World) -> None:
    """Timeline: a bulletin's day passes; a does not cosign; later c is asked too, and cosigns."""
    sender, origin = world.agencies[A], world.pins.evidence.origin
    out, third = await world.line(A), await recording(world, C)
    made = sender.bulletin([B], world.clock(), expires=world.clock() + 20 * MINUTE_MS)
    items, batch = sender.submissions([made], [world.agencies[B]])
    await out.submit(items, batch)
    await third.until(lambda: origin in third.heads)
    await out.cosign(out.heads[origin])  # so that there is a witnessed time that can move
    await out.stanzas(bytes(32))
    world.clock.ahead += 21 * MINUTE_MS
    told, now = third.heads[origin], world.clock() // 1000
    await world.broker._sweep.look()
    await out.until(lambda: out.heads[origin].time >= now)
    await third.stanzas(bytes(32))
    assert third.heads[origin] == told
    world.clock.ahead += 11_000
    await world.broker._sweep.look()
    await third.until(lambda: third.heads[origin].time >= now + 11)
    await third.cosign(third.heads[origin])
    await third.stanzas(bytes(32))
    await world.broker._sweep.look()
    await out.until(lambda: any(e.type == "saphan/expired/1" for e, _ in out.entries.values()))
