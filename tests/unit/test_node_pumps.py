"""What waits is sent, what must wait is sent again, what was refused for good is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from saphan.node.alarms import Alarms
from saphan.node.budget import Budget
from saphan.node.login import decode_frame
from saphan.node.policy.current import Current
from saphan.node.portions import Portion
from saphan.node.rows.db import Database
from saphan.node.rows.statements import Said, keep_statements, sign_statements
from saphan.node.wire.pumps import ANSWER_S, IN_FLIGHT, Pumps
from saphan_protocol.keys import SigningKey
from saphan_protocol.pace import Pace
from saphan_protocol.stanza import STANZA_BYTES
from saphan_schemas.codec import encode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.frames import Answer, Ping, Result, State, StatementItem, Submit
from saphan_schemas.limits import KIB, LIMITS, MIB
from saphan_schemas.records import Event, Role, SignatureItem
from support.bridge import eventually

T = TypeVar("T")
KEY = SigningKey(Role.NODE, bytes(range(64)))
NOW = 1_752_624_000_000
ITEM = SignatureItem(KEY.key_id, 1, 0, (), bytes(32))
LOGGED = Result(None, "", None, 0, (1,))


class Threads:
    """The engine's threads, without anything else of it."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.logs = SimpleNamespace(first=0)
        self.alarms = alarms = Alarms(lambda: NOW)
        self.sound, self.quiet = alarms.sound, alarms.clear
        self.budget = Budget(db, Current(Path("/none/settings.json"), alarms), alarms, lambda: NOW)

    async def in_reading(self, work: Callable[[], T]) -> T:
        return await asyncio.to_thread(work)

    in_frames = in_sealing = in_reading


class World:
    """Pumps of one session, and what they have sent."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.sent: asyncio.Queue[Any] = asyncio.Queue()
        threads = Threads(db)
        self.budget = threads.budget
        self.alarms = threads.alarms
        self.pumps = Pumps(threads, self._send, lambda: NOW)  # type: ignore[arg-type]

    async def _send(self, frame: object) -> None:
        self.sent.put_nowait(frame)

    def state(self, count: int) -> Portion[StatementItem]:
        """Put `count` statements in the queue, as one batch."""
        said = [
            Said(
                event=Event.HANDOVER,
                bulletin=place.to_bytes(32),
                ciphertext=b"c" * 32,
                sender="la.ospp",
                recipient="kh.gpo",
                time=NOW,
            )
            for place in range(count)
        ]
        with self.db.transaction() as tx:
            return keep_statements(tx, *sign_statements(KEY, "kh.gpo", said))

    def consign(self, *urgencies: int) -> None:
        """Put a bulletin of 8 KiB in the queue for each."""
        with self.db.transaction() as tx:
            for urgency in urgencies:
                (last,) = tx.execute("SELECT coalesce(max(seq), 0) FROM bulletins").fetchone()
                bulletin = bytes([last]) * 32
                tx.execute(
                    "INSERT INTO bulletins (id, sender, nonce, header, header_id, digest, wrap_day,"
                    " stored, urgency) VALUES (?1, 'la.ospp', ?1, ?2, x'', x'', 0, 0, ?3)",
                    (bulletin, encode([urgency]), urgency),
                )
                tx.execute("INSERT INTO bodies VALUES (?, ?)", (last + 1, bytes(8 * KIB)))
                tx.execute(
                    "INSERT INTO consignments (bulletin, body, item, root, salts, stanzas, state,"
                    " urgency) VALUES (?, x'', ?, x'00', ?, ?, 'waiting', ?)",
                    (bulletin, encode(ITEM), bytes(32), bytes(STANZA_BYTES), urgency),
                )

    async def urgencies(self) -> list[int]:
        """Urgencies of the bulletins in the next frame, in their order."""
        async with asyncio.timeout(10):
            frame = await self.sent.get()
        assert isinstance(frame, Submit)
        return [one.header[-1] for one in frame.items]

    def forget(self) -> None:
        """Take every statement out of the queue."""
        with self.db.transaction() as tx:
            tx.execute("DELETE FROM statements")

    async def next(self) -> State:
        async with asyncio.timeout(10):
            frame = await self.sent.get()
        assert isinstance(frame, State)
        return frame

    def rows(self) -> list[tuple[str, str | None]]:
        return [(a, b) for a, b in self.db.rows("SELECT state, code FROM statements ORDER BY id")]


def wide() -> Pace:
    """A line that has shown that it is fast."""
    return Pace(MIB, MIB)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    db = await asyncio.to_thread(Database, tmp_path)
    made = World(db)
    pumps = [asyncio.create_task(made.pumps.run(kind)) for kind in ("statements", "bulletins")]
    yield made
    for pump in pumps:
        pump.cancel()
    made.pumps.close()
    await asyncio.to_thread(db.close)


async def test_what_waits_goes_out_once_with_its_signature_once(world: World) -> None:
    await asyncio.to_thread(world.state, 3)
    world.pumps.wake("statements")
    frame = await world.next()
    assert [item.statement for item in frame.items] == [
        body for (body,) in world.db.rows("SELECT body FROM statements ORDER BY id")
    ]
    assert len(frame.signatures) == 1
    world.pumps.wake("statements")
    await asyncio.to_thread(world.state, 1)
    world.pumps.wake("statements")
    assert len((await world.next()).items) == 1  # only the new one


async def test_a_frame_holds_no_more_than_the_broker_takes(world: World) -> None:
    world.pumps.pace = wide()
    await asyncio.to_thread(world.state, 200)
    await asyncio.to_thread(world.state, 200)
    world.pumps.wake("statements")
    sizes = [len((await world.next()).items), len((await world.next()).items)]
    assert sizes == [LIMITS.frame_items, 400 - LIMITS.frame_items]


async def test_one_that_must_wait_is_sent_again_and_its_neighbours_are_not(world: World) -> None:
    await asyncio.to_thread(world.state, 3)
    world.pumps.wake("statements")
    first = await world.next()
    busy = Result("queue_full", "come again", None, 20, ())
    await world.pumps.answer(Answer(first.request, (LOGGED, busy, LOGGED)))
    again = await world.next()
    assert again.items == (first.items[1],)
    assert again.request != first.request


async def test_one_refused_for_good_is_noted_and_left(world: World) -> None:
    await asyncio.to_thread(world.state, 2)
    world.pumps.wake("statements")
    first = await world.next()
    never = Result("order_illegal", "too late", None, 0, ())
    await world.pumps.answer(Answer(first.request, (LOGGED, never)))
    assert world.rows() == [("waiting", None), ("refused", "order_illegal")]


async def test_no_more_frames_are_ahead_than_the_window_allows(world: World) -> None:
    world.pumps.pace = wide()
    held = []
    for _ in range(IN_FLIGHT):
        await asyncio.to_thread(world.state, 1)
        world.pumps.wake("statements")
        held.append(await world.next())
    await asyncio.to_thread(world.state, 1)
    world.pumps.wake("statements")
    await asyncio.to_thread(world.rows)  # time enough for a pump that would not wait
    assert world.sent.empty()
    await world.pumps.answer(Answer(held[0].request, (LOGGED,)))
    assert len((await world.next()).items) == 1  # an answer makes room for the next


async def test_while_the_agency_is_over_its_quota_bulletins_rest_and_statements_do_not(
    world: World,
) -> None:
    world.pumps.pace = wide()
    await asyncio.to_thread(world.consign, 0, 0)
    world.pumps.wake("bulletins")
    first = await world.sent.get()
    over = Result("quota_rate", "60000 a minute are used", None, 600_000, ())
    await world.pumps.answer(Answer(first.request, (LOGGED, over)))
    assert [(one.code, one.count) for one in world.alarms.standing()] == [("quota_rate", 1)]
    await asyncio.to_thread(world.consign, 2)
    for _ in range(3):
        world.pumps.wake("bulletins")
        await asyncio.to_thread(world.state, 1)
        world.pumps.wake("statements")
        assert len((await world.next()).items) == 1
    assert world.sent.empty()


async def test_after_the_wait_what_was_over_the_quota_goes_with_what_came_meanwhile(
    world: World,
) -> None:
    world.pumps.pace = wide()
    await asyncio.to_thread(world.consign, 0, 1)
    world.pumps.wake("bulletins")
    frames = [await world.sent.get(), await world.sent.get()]
    assert [len(frame.items) for frame in frames] == [1, 1]
    over = Result("quota_bytes", "a day's bytes are used", None, 20, ())
    await world.pumps.answer(Answer(frames[0].request, (LOGGED,)))
    await world.pumps.answer(Answer(frames[1].request, (over,)))
    await asyncio.to_thread(world.consign, 2)
    world.pumps.wake("bulletins")
    sent: list[int] = []
    while len(sent) < 2:
        frame = await world.sent.get()
        sent += [one.header[-1] for one in frame.items]
        await world.pumps.answer(Answer(frame.request, (LOGGED,) * len(frame.items)))
    assert sorted(sent) == sorted([frames[1].items[0].header[-1], 2])


async def test_after_the_wait_one_frame_shows_first_that_there_is_room(world: World) -> None:
    world.pumps.pace = wide()
    await asyncio.to_thread(world.consign, 0, 1)
    world.pumps.wake("bulletins")
    frames = [await world.sent.get(), await world.sent.get()]
    over = Result("quota_rate", "60000 a minute are used", None, 20, ())
    for frame in frames:
        await world.pumps.answer(Answer(frame.request, (over,) * len(frame.items)))
    first = await world.sent.get()
    await asyncio.to_thread(world.consign, 2)
    for _ in range(3):
        world.pumps.wake("bulletins")
        await asyncio.to_thread(world.state, 1)
        world.pumps.wake("statements")
        assert len((await world.next()).items) == 1
    assert world.sent.empty()
    await world.pumps.answer(Answer(first.request, (LOGGED,) * len(first.items)))
    sent = len(first.items)
    while sent < 3:
        sent += len(await world.urgencies())
    assert sent == 3


async def test_the_longest_wait_counts_and_one_alarm_stands_for_a_whole_backlog(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saphan.node.wire.over_quota.CALM_S", 0.3)
    world.pumps.pace = wide()
    for wait in (30, 20):
        await asyncio.to_thread(world.consign, 0)
        world.pumps.wake("bulletins")
        frame = await world.sent.get()
        over = Result("quota_deliveries", "100000 have no outcome", None, wait, ())
        await world.pumps.answer(Answer(frame.request, (over,) * len(frame.items)))
    assert [(one.code, one.count) for one in world.alarms.standing()] == [("quota_deliveries", 2)]
    frame = await world.sent.get()
    await world.pumps.answer(Answer(frame.request, (LOGGED,) * len(frame.items)))
    await eventually(lambda: world.alarms.standing() == [])


async def test_an_answer_nobody_asked_for_is_nothing(world: World) -> None:
    await world.pumps.answer(Answer(77, (LOGGED,)))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "malformed"),
        (b"\xc1", "malformed"),
        (b"\x91" * 100_000, "malformed"),
        (b"\x92\x63\x00", "malformed"),
        (encode(Ping(NOW)) + b"\x00", "malformed"),
        (b"\x92\x10\xcf\x00\x00\x00\x00\x00\x00\x00\x05", "not_canonical"),
    ],
)
def test_what_is_no_message_ends_the_session(data: bytes, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_frame(data)
    assert caught.value.code == code


async def test_a_broker_that_never_answers_is_noticed(world: World) -> None:
    await asyncio.to_thread(world.state, 1)
    world.pumps.wake("statements")
    sent = await world.next()
    now = asyncio.get_running_loop().time()
    assert not world.pumps.overdue(now)
    assert world.pumps.overdue(now + ANSWER_S + 1)
    await world.pumps.answer(Answer(sent.request, (LOGGED,)))
    assert not world.pumps.overdue(now + ANSWER_S + 1)


async def test_what_was_stored_just_now_goes_out_without_a_look(world: World) -> None:
    await asyncio.to_thread(world.state, 1)
    world.pumps.wake("statements")
    await world.next()
    offered = await asyncio.to_thread(world.state, 2)
    await asyncio.to_thread(world.forget)  # nobody could find them any more
    world.pumps.offer("statements", offered)
    assert (await world.next()).items == offered.items


async def test_offered_rows_that_are_not_next_are_looked_for(world: World) -> None:
    await asyncio.to_thread(world.state, 1)
    world.pumps.wake("statements")
    await world.next()
    untold = await asyncio.to_thread(world.state, 1)
    offered = await asyncio.to_thread(world.state, 2)
    world.pumps.offer("statements", offered)
    assert (await world.next()).items == untold.items + offered.items


async def test_rows_that_a_look_has_sent_are_not_sent_again_when_offered(world: World) -> None:
    offered = await asyncio.to_thread(world.state, 2)
    world.pumps.wake("statements")
    assert (await world.next()).items == offered.items
    world.pumps.offer("statements", offered)
    later = await asyncio.to_thread(world.state, 1)
    world.pumps.offer("statements", later)
    assert (await world.next()).items == later.items
    assert world.sent.empty()


async def test_a_full_line_holds_back_all_but_what_is_immediate(world: World) -> None:
    await asyncio.to_thread(world.consign, 0, 0, 0, 0, 0)
    world.pumps.wake("bulletins")
    assert await world.urgencies() == [0], "nobody knows yet what the line carries"
    assert await world.urgencies() == [0]
    await asyncio.to_thread(world.state, 1)
    world.pumps.wake("statements")
    await asyncio.to_thread(world.consign, 1, 2, 2)
    world.pumps.wake("bulletins")
    assert await world.urgencies() == [2]
    assert await world.urgencies() == [2]
    await asyncio.to_thread(world.rows)  # time enough for a pump that would not wait
    assert world.sent.empty()


async def test_on_a_day_that_has_cost_enough_routine_bulletins_wait(world: World) -> None:
    world.budget.spent = True
    await asyncio.to_thread(world.consign, 0, 1, 0, 2)
    world.pumps.wake("bulletins")
    assert [await world.urgencies(), await world.urgencies()] == [[2], [1]]
    world.pumps.acknowledged(world.pumps.pace.on_way)
    await asyncio.to_thread(world.rows)  # time enough for a pump that would not wait
    assert world.sent.empty()
    world.budget.spent = False
    world.pumps.wake("bulletins")
    assert await world.urgencies() == [0, 0]


async def test_answers_make_room_and_the_more_urgent_goes_first(world: World) -> None:
    await asyncio.to_thread(world.consign, 0, 0, 0, 1, 0, 2, 1)
    world.pumps.wake("bulletins")
    order = []
    for request in range(1, 8):
        order += await world.urgencies()
        await world.pumps.answer(Answer(request, (LOGGED,)))
        if len(order) == 7:
            break
    assert order == [2, 1, 1, 0, 0, 0, 0]


async def test_rows_of_every_class_that_come_later_are_found(world: World) -> None:
    for urgency in (0, 2, 0, 1, 2, 0):
        await asyncio.to_thread(world.consign, urgency)
        world.pumps.wake("bulletins")
        assert await world.urgencies() == [urgency]
        await world.pumps.answer(Answer(world.pumps._next_request, (LOGGED,)))


async def test_a_batch_signature_goes_with_the_first_of_its_items_only(world: World) -> None:
    """What is sent again because the broker was busy finds it there too."""
    world.pumps.pace = wide()
    await asyncio.to_thread(world.state, LIMITS.frame_items + 3)
    world.pumps.wake("statements")
    first, second = await world.next(), await world.next()
    assert (len(first.signatures), len(second.signatures)) == (1, 0)
    busy = Result("queue_full", "come again", None, 20, ())
    await world.pumps.answer(Answer(first.request, (busy, *(LOGGED,) * (LIMITS.frame_items - 1))))
    again = await world.next()
    assert (again.items, again.signatures) == (first.items[:1], ())
