"""The sweep is killed at each of its effects, and the disk is full: the next one ends the work."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from saphan_broker.seeds import DayKeys
from saphan_protocol.evidence import parse_leaf
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Event, LeafType
from support.agency import Made
from support.asked import A, B
from support.broker_attachments import PHOTO, REPORT, final
from support.brokers import World
from support.destroying_child import PLACES
from support.due import DUE_DAYS, carried, kept, stated, sweep
from support.rooms import ROOT
from support.session import Line
from support.traces import traces

MANY = 20
"""With attachments two of them; the rest make more than one item of the queue."""


async def with_attachments(world: World, out: Line, into: Line) -> Made:
    """A bulletin with two attachments that B has accepted."""
    retain_until = world.clock() // DAY_MS + DUE_DAYS
    made = world.agencies[A].bulletin(
        [B], world.clock(), attachments=(PHOTO, REPORT), retain_until=retain_until
    )
    sent = await out.bring(made.attachments)
    assert sent
    items, batch = world.agencies[A].submissions([made], [world.agencies[B]])
    (result,) = await out.submit(items, batch)
    assert result.code is None, result
    for event in (Event.HANDOVER, Event.ACCEPTED):
        assert await stated(world, into, made, event) is None
    return made


async def filled(place: Path) -> tuple[World, list[Made]]:
    """A broker that does not run now, with bulletins that will be due."""
    world = World(place, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
        out, into = await world.line(A), await world.line(B)
        made = [await with_attachments(world, out, into) for _ in range(2)]
        made += [await carried(world, out, into) for _ in range(MANY - 2)]
    return world, made


def run_child(world: World, where: str) -> subprocess.CompletedProcess[str]:
    now = world.clock() + (DUE_DAYS + 1) * DAY_MS
    command = [sys.executable, "-m", "support.destroying_child", world.data, world.keys, now, where]
    return subprocess.run(
        [str(word) for word in command],
        cwd=ROOT / "tests",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def destroyed_targets(world: World) -> Counter[int]:
    size = world.broker.state.evidence.tree.size
    leaves = [parse_leaf(leaf) for leaf in await world.broker.store.leaves("evidence", 0, size)]
    submitted = {at for at, leaf in enumerate(leaves) if leaf.type is LeafType.SUBMITTED}
    targets = Counter(leaf.target for leaf in leaves if leaf.type is LeafType.DESTROYED)
    assert targets.keys() <= submitted
    return Counter({at: targets[at] for at in submitted})


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, list[Made]]:
    """Made once, copied for every place."""
    return asyncio.run(filled(tmp_path_factory.mktemp("house")))


def copied(world: World, place: Path) -> World:
    for name in ("data", "keys"):
        shutil.copytree(world.place / name, place / name)
    other = World(place)
    other.agencies, other._pins = world.agencies, world._pins
    other.clock.ahead = world.clock.ahead
    return other


@pytest.mark.parametrize("where", PLACES)
async def test_killed_at_each_effect_it_is_done_once_and_whole(
    house: tuple[World, list[Made]], tmp_path: Path, where: str
) -> None:
    world = await asyncio.to_thread(copied, house[0], tmp_path)
    ended = await asyncio.to_thread(run_child, world, where)
    assert ended.returncode == -signal.SIGKILL, ended.stderr

    world.clock.ahead += (DUE_DAYS + 1) * DAY_MS
    today = world.clock() // DAY_MS
    async with world.running() as broker:
        for signer in broker.state.signers.values():
            signer.allow_unheard("a test")
        await broker.sequencer.settle()
        broker.witnessed.heard(world.clock())
        await sweep(world).look()
        assert set((await destroyed_targets(world)).values()) == {1}
        for made in house[1]:
            assert await kept(world, made) == (False, False)
        assert broker.state.keys.day == DayKeys.open(world.keys).day == today
        assert not list((world.data / "blobs").glob("[0-9a-f][0-9a-f]/*"))
    secrets = {made.bulletin_id.hex(): made.ciphertext for made in house[1]}
    assert await asyncio.to_thread(traces, world.data, secrets) == {}


async def test_a_full_disk_destroys_nothing_by_half_and_it_goes_on_afterwards(
    house: tuple[World, list[Made]], tmp_path: Path
) -> None:
    world = await asyncio.to_thread(copied, house[0], tmp_path)
    ended = await asyncio.to_thread(run_child, world, "full")
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["said"][0] in {"broker_stopped", "not_committed", "disk_full", "blobs_unusable"}
    assert told["said"][-1] is None
    assert told["destroyed"] == MANY
    async with world.running():
        assert set((await destroyed_targets(world)).values()) == {1}
        for made in house[1]:
            assert await kept(world, made) == (False, False)
    assert not list((world.data / "blobs").glob("[0-9a-f][0-9a-f]/*"))


def test_the_house_had_what_is_looked_for(house: tuple[World, list[Made]]) -> None:
    """A search that finds nothing where everything is would prove nothing."""
    world, many = house
    secrets = {made.bulletin_id.hex(): made.ciphertext for made in many}
    assert traces(world.data, secrets).keys() == secrets.keys()
    assert len(final(world, many[0])) == 2
