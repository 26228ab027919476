"""`saphan-broker succeed` killed at every step: run again it goes on, to one leaf 0 and no other.

Children are forked, not started: dozens of deaths cost seconds.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from saphan_broker.broker import open_broker
from saphan_broker.keys import load_log_keys, read_pins
from saphan_broker.logs.signer import Signer
from saphan_broker.store.base import LOGS
from saphan_broker.store.sqlite import SqliteStore
from saphan_broker.succession.deciding import decide, plan_of
from saphan_broker.succession.known import SIGNER, KnownDirectory, Largest, heads_of
from saphan_broker.succession.plan import KnownLeaf, Plan, read_plan
from saphan_broker.succession_chain import read_chain
from saphan_protocol.evidence import successor_leaf
from saphan_protocol.succession import check_chain
from saphan_schemas.errors import OperatorError
from support.brokers import World
from support.lost_logs import Lived, live
from support.reporting import Copy
from support.succeeding import signed_last
from support.succeeding_child import GONE, Steps, watch, work

MOST = 500
"""Steps after which something is wrong."""
SHARES = 6
"""Tests that share the steps, each taking every so-manieth."""


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    return live(tmp_path_factory.mktemp("lived"))


def _plan(world: World, copy: Copy) -> tuple[Plan, list[KnownLeaf]]:
    """What would be decided after these reports."""
    heads = {log: Largest(head.origin) for log, head in signed_last(world).items()}
    last = {
        log: Signer.open(world.keys, log, load_log_keys(world.keys, log)).last() for log in LOGS
    }
    for log, head in signed_last(world).items():
        heads[log].take(head, SIGNER)
    known = KnownDirectory(world.pins.directory.origin)
    directory, _evidence = heads_of(world.pins, copy.directory, copy.evidence)
    assert directory is not None
    known.grow(0, copy.leaves, directory.ref)
    heads["directory"].take(directory.ref, "a node")
    plan = plan_of(world.pins, decide(heads, known, last), "bridge.example:8470", None)
    return plan, [KnownLeaf(leaf, None) for leaf in known.leaves]


def _killed(world: World, plan: Plan, leaves: list[KnownLeaf], last: int) -> bool:
    """Whether a child that makes it was gone at this step; False: it came to its end."""
    child = os.fork()
    if child == 0:  # nothing of pytest may run here
        status = 7
        try:
            watch(Steps(last), world.keys / "signed")
            work(world.data, world.keys, plan, leaves)
            status = 0
        except BaseException:
            traceback.print_exc()  # it is not pytest's to show
            raise
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(ended) in (0, GONE), "it failed where it was to be killed"
    return os.waitstatus_to_exitcode(ended) == GONE


def _signed(world: World) -> dict[tuple[str, int], set[str]]:
    found: dict[tuple[str, int], set[str]] = {}
    path = world.keys / "signed"
    for line in path.read_text().splitlines() if path.exists() else ():
        origin, size, root = line.split()
        found.setdefault((origin, int(size)), set()).add(root)
    return found


@pytest.mark.parametrize(
    ("lost", "known", "first"),
    [
        # All that there is to do: set aside, and both logs named anew.
        *(
            pytest.param("behind", "early", first, marks=() if first == 1 else pytest.mark.long)
            for first in range(1, SHARES + 1)
        ),
        ("gone", "late", 1),
    ],
)
def test_killed_at_every_step_it_goes_on_to_the_same_log(
    lived: Lived, memory: Path, lost: str, known: str, first: int
) -> None:
    copy = lived.early if known == "early" else lived.late
    for last in range(first, MOST, SHARES):
        world = lived.again(_fresh(memory / str(last)))
        if lost == "behind":
            lived.put_back(world, "data")
        else:
            shutil.rmtree(world.data)
        plan, leaves = _plan(world, copy)
        if not _killed(world, plan, leaves, last):
            assert last > 30, "hardly anything was counted"
            asyncio.run(_runs(world))
            break
        if read_plan(world.keys) is not None:
            with pytest.raises(OperatorError, match="succession_unfinished"):
                asyncio.run(open_broker(world.data, world.keys))
        if read_plan(world.keys) is not None or not read_chain(world.keys):
            assert not _killed(world, plan, leaves, 0)
        asyncio.run(_check(world, plan, lived, lost))
        shutil.rmtree(world.place)
    else:
        pytest.fail(f"it did not end in {MOST} steps")


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory where there is one: what dies here is a process, not the machine."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as place:
        yield Path(place)


def _fresh(place: Path) -> Path:
    place.mkdir()
    return place


async def _check(world: World, plan: Plan, lived: Lived, lost: str) -> None:
    """One leaf 0, one root for each size, the old store whole, and nothing left of the plan."""
    assert all(len(roots) == 1 for roots in _signed(world).values())
    assert not (world.keys / "succession").exists()
    (step,) = read_chain(world.keys)
    ((named, pins),) = check_chain(lived.world.pins, (step,))
    assert named.ref == plan.lost
    assert read_pins(world.data / "pins.json") == pins
    store = await SqliteStore.open(world.data)
    try:
        (leaf,) = await store.leaves("evidence", 0, 1)
        assert leaf == successor_leaf(plan.lost.origin, plan.lost.size, plan.lost.root)
        counts, note = await store.counts(), await store.note("evidence")
        assert (counts.evidence, counts.directory) == (2, plan.known.size)
        assert note is not None
        assert note.size == 2
    finally:
        await store.close()
    assert (world.data / "ended/1/broker.db").exists() == (lost == "behind")


async def _runs(world: World) -> None:
    broker = await open_broker(world.data, world.keys)
    try:
        await broker.start()
    finally:
        await broker.stop()
