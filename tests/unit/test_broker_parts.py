"""The broker's small parts: queue, window, clocks, alarms, tokens, tiles on demand, verifier."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import msgspec
import pytest
from saphan_broker.alarms import Alarms
from saphan_broker.clock import SessionClocks
from saphan_broker.logs.log_tree import TileSource
from saphan_broker.sequencing.work import Expiry, Operation, Stated
from saphan_broker.sequencing.work_queue import WorkQueue
from saphan_broker.sessions.feed_window import FIRST_BYTES, Window
from saphan_broker.sessions.room import Room
from saphan_broker.sessions.tokens import Tokens
from saphan_broker.verifying import Verifier
from saphan_protocol.batch import VerifiedRoots, sign_batch
from saphan_protocol.keys import SigningKey
from saphan_protocol.merkle import leaf_hash, verify_inclusion
from saphan_protocol.tile_tree import TileTree
from saphan_schemas.errors import Unavailable
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Role

ITEM = Expiry(bytes(32), "la.ospp", "kh.gpo", 0)


def operation(agency: str, size: int = 1) -> Operation:
    return Operation(bytes(size), agency)


async def test_queue_says_busy_and_when_to_come_again() -> None:
    queue = WorkQueue()
    for _ in range(LIMITS.queue_items // 2):
        queue.put(ITEM)
    with pytest.raises(Unavailable) as caught:
        queue.put(ITEM)
    assert caught.value.code == "busy"
    assert caught.value.retry_after_ms > 0
    assert len(queue.take()) == LIMITS.commit_items
    queue.put(ITEM)


async def test_directory_items_of_one_agency_hold_nobody_else_up() -> None:
    queue = WorkQueue()
    works = [queue.put(operation("la.ospp")) for _ in range(LIMITS.commit_entries + 1)]
    after = queue.put(Stated("la.ospp", None, []))  # type: ignore[arg-type]
    other = queue.put(operation("kh.gpo"))
    assert queue.take() == [*works[:-1], other]
    assert queue.take() == [works[-1], after]  # in the order in which they came
    assert len(queue) == queue.bytes == 0


@pytest.mark.parametrize("size", [1, LIMITS.queue_bytes // 1000])
async def test_agencies_that_fill_the_queue_leave_room_for_others(size: int) -> None:
    queue = WorkQueue()
    counts = {"la.ospp": 0, "kh.gpo": 0, "vn.spp": 0}
    for agency in counts:
        with suppress(Unavailable):
            while True:
                queue.put(operation(agency, size))
                counts[agency] += 1
    assert len(queue) == sum(counts.values()) < LIMITS.queue_items
    assert queue.bytes < LIMITS.queue_bytes
    assert min(counts.values()) >= min(LIMITS.queue_items, LIMITS.queue_bytes // size) // 8
    while len(queue):
        queue.take()
    assert queue.bytes == 0
    assert not queue._items_of
    assert not queue._bytes_of


async def test_room_is_bounded_in_requests_and_bytes_and_takes_any_one() -> None:
    room = Room()
    for sizes in ([1] * LIMITS.session_requests, [LIMITS.session_bytes // 4] * 4, [2**30]):
        for size in sizes:
            await asyncio.wait_for(room.take(size), 5)
        more = asyncio.create_task(room.take(1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not more.done()
        room.give_back(sizes[0])
        await asyncio.wait_for(more, 5)
        for size in [*sizes[1:], 1]:
            room.give_back(size)
        await asyncio.wait_for(room.empty(), 5)


async def test_closed_queue_is_worked_off_and_takes_no_more() -> None:
    queue = WorkQueue()
    queue.put(ITEM)
    queue.close()
    with pytest.raises(Unavailable) as caught:
        queue.put(ITEM)
    assert caught.value.code == "shutting_down"
    assert await queue.wait()
    assert len(queue.take()) == 1
    assert not await queue.wait()


def test_window_opens_by_what_is_acknowledged() -> None:
    now = [0.0]
    window = Window(lambda: now[0])
    window.add(9, 10, 1000)
    window.add(19, 5, 500)
    now[0] = 600
    assert window.items == LIMITS.feed_window_items - 15
    window.acknowledge(8)
    assert window.items == LIMITS.feed_window_items - 15
    assert window.careful  # little has come back yet
    window.acknowledge(9)
    assert (window.items, window.bytes) == (LIMITS.feed_window_items - 5, FIRST_BYTES - 500)
    window.acknowledge(1000)
    assert (window.items, window.bytes) == (LIMITS.feed_window_items, FIRST_BYTES)
    assert window.longest == FIRST_BYTES


def test_window_grows_on_a_quick_line_and_shrinks_on_a_slow_one() -> None:
    now = [0.0]
    window = Window(lambda: now[0])
    index, careful = 0, list[bool]()
    for _ in range(40):
        index += 1
        careful.append(window.careful)
        window.add(index, 1, window.bytes)
        assert not window.bytes
        now[0] += 20
        window.acknowledge(index)
    assert window.bytes == LIMITS.feed_window_bytes
    assert careful == [True] + [False] * 39  # 16 KiB in 20 ms: it carries all there is
    for _ in range(40):
        index += 1
        size = window.bytes
        window.add(index, 1, size)
        now[0] += size / 8  # 64 kbit/s
        window.acknowledge(index)
    assert window.bytes <= 16 * 1024
    assert window.careful
    assert window.longest == 0


def test_one_wrong_clock_of_three_stops_nothing_and_two_do() -> None:
    now = 1_000_000_000
    clocks = SessionClocks(lambda: now)
    clocks.check(now)
    for session, (agency, ahead) in enumerate(
        (("la.ospp", 0), ("kh.gpo", 500), ("vn.spp", 90_000))
    ):
        clocks.report(session, agency, now + ahead)
    clocks.check(now)
    clocks.report(0, "la.ospp", now - 86_400_000)
    with pytest.raises(Unavailable) as caught:
        clocks.check(now)
    assert caught.value.code == "clock_disagrees"
    clocks.forget(0)
    clocks.check(now)


def test_a_step_of_our_own_clock_is_contradicted_before_anybody_has_told_the_time_again() -> None:
    passed, now = 0, 1_000_000_000
    clocks = SessionClocks(lambda: passed)
    clocks.report(0, "la.ospp", now)
    passed = 30_000
    clocks.check(now + passed)
    for step in (797_193, -797_193):
        with pytest.raises(Unavailable, match="1 of 1"):
            clocks.check(now + passed + step)
    assert clocks.here(now + passed + 797_193) == [("la.ospp", -797_193)]
    clocks.check(now + passed)


def test_many_sessions_of_one_agency_have_one_voice() -> None:
    now = 1_000_000_000
    clocks = SessionClocks(lambda: now)
    clocks.report(0, "la.ospp", now)
    for session in range(1, 1 + LIMITS.sessions_per_agency):
        clocks.report(session, "kh.gpo", now - 86_400_000)
    clocks.check(now)
    clocks.forget(0)
    with pytest.raises(Unavailable):
        clocks.check(now)


def test_alarm_counts_once_and_ends() -> None:
    alarms = Alarms()
    alarms.sound("disk_full", "no room", stops=True)
    alarms.sound("disk_full", "no room", stops=True)
    assert [alarm.code for alarm in alarms.active()] == ["disk_full"]
    assert alarms.raised_total == 1
    alarms.clear("disk_full")
    alarms.clear("disk_full")
    assert alarms.active() == []


def test_token_is_good_until_its_session_ends() -> None:
    tokens = Tokens()
    token = tokens.issue("la.ospp")
    assert len(token) <= 64
    assert tokens.agency(token) == "la.ospp"
    assert tokens.agency(token[:-1]) is None
    tokens.revoke(token)
    assert tokens.agency(token) is None


async def test_proofs_load_the_tiles_they_miss() -> None:
    """A tree of 70,000 leaves known by its edge only proves any leaf by reading a few tiles."""
    hashes = [leaf_hash(b"%d" % index) for index in range(70_000)]
    grown, tiles = TileTree(0, {}, lambda level, n: b"").grow(hashes)
    read: list[tuple[int, int]] = []

    async def read_tile(level: int, n: int) -> bytes:
        read.append((level, n))
        return tiles[level, n]

    source = TileSource(read_tile)
    edge = {at: tile for at, tile in tiles.items() if len(tile) < 8192}
    tree = TileTree(70_000, edge, source.fetch)
    assert await source.prove(tree.root) == grown.root()
    for index in (0, 255, 256, 65_536, 69_999):
        path = await source.prove(partial(tree.inclusion, index))
        verify_inclusion(index, 70_000, hashes[index], path, grown.root())
    assert 1 <= len(read) <= 10
    path = await source.prove(lambda: tree.inclusion(0))
    verify_inclusion(0, 70_000, hashes[0], path, grown.root())


async def test_verifier_tells_good_from_bad_among_many() -> None:
    key = SigningKey(Role.NODE, bytes(range(64)))
    batches = [sign_batch(key, [("t", b"%d" % i, bytes(32))])[0] for i in range(6)]
    bad = msgspec.structs.replace(batches[2], signature=batches[3].signature)
    verified = VerifiedRoots()
    with ThreadPoolExecutor(2) as pool:
        verifier = Verifier(pool, 2, verified)
        asked = [*batches[:2], bad, *batches[3:]]
        waiting = [verifier.holds(key.verifying(), batch) for batch in asked]
        held = [await one for one in waiting]
    assert held == [True, True, False, True, True, True]
    assert not verified.holds(bad)
    assert verified.holds(batches[0])
