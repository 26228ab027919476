"""What processes say to each other: sealed, in order, and never more believed than it may be."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from saphan_broker.processes.forwarding import Forwarding
from saphan_broker.processes.wire import (
    Answers,
    Envelope,
    ForStatement,
    ForSubmission,
    Forwarded,
    Gone,
    Message,
    Outcome,
    from_wire,
    wire_error,
)
from saphan_broker.seeds import DayKeys
from saphan_broker.sequencing.work import NewHead, Rejected
from saphan_broker.sequencing.work_queue import WorkQueue
from saphan_protocol.merkle import leaf_hash
from saphan_protocol.tile_tree import TileTree
from saphan_schemas.codec import encode
from saphan_schemas.errors import FAMILIES, OperatorError, SaphanError, Unavailable
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Event
from support.agency import Agency

NOW = 20_780 * DAY_MS + 43_200_000
SENDER, OTHER = b"s" * 16, b"o" * 16
A, B = "la.ospp", "kh.gpo"


@pytest.fixture
def keys(tmp_path: Path) -> DayKeys:
    return DayKeys.create(tmp_path / "keys", 20_700)


@pytest.fixture
def envelope(keys: DayKeys) -> Envelope:
    return Envelope(keys, "bridge.example/evidence/1")


def message(sent: int = NOW) -> Message:
    return Message(SENDER, 1, sent, Gone())


def test_a_message_opens_where_it_was_meant_to(envelope: Envelope) -> None:
    for to in (None, OTHER):
        assert envelope.open(envelope.seal(message(), to), to, NOW) == message()


def test_a_message_opens_nowhere_else(envelope: Envelope, keys: DayKeys, tmp_path: Path) -> None:
    sealed = envelope.seal(message(), OTHER)
    assert envelope.open(sealed, None, NOW) is None
    assert envelope.open(sealed, SENDER, NOW) is None
    assert Envelope(keys, "other.example/evidence/1").open(sealed, OTHER, NOW) is None
    others = DayKeys.create(tmp_path / "others", 20_700)
    assert Envelope(others, "bridge.example/evidence/1").open(sealed, OTHER, NOW) is None
    for at in range(len(sealed)):
        damaged = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        assert envelope.open(damaged, OTHER, NOW) is None
    for length in range(0, len(sealed), 7):
        assert envelope.open(sealed[:length], OTHER, NOW) is None


def test_an_old_recording_opens_nowhere(envelope: Envelope) -> None:
    sealed = envelope.seal(message(), OTHER)
    for ahead in (LIMITS.skew_ms + 1, DAY_MS, 30 * DAY_MS):
        assert envelope.open(sealed, OTHER, NOW + ahead) is None
        assert envelope.open(sealed, OTHER, NOW - ahead) is None


def test_midnight_stops_nothing(envelope: Envelope) -> None:
    before = 20_781 * DAY_MS - 1
    sealed = envelope.seal(message(before), OTHER)
    assert envelope.open(sealed, OTHER, before + 10) == message(before)


def test_a_day_whose_key_is_destroyed_is_silent(keys: DayKeys, envelope: Envelope) -> None:
    sealed = envelope.seal(message(), OTHER)
    keys.advance(20_783)
    fresh = Envelope(keys, "bridge.example/evidence/1")
    assert fresh.open(sealed, OTHER, NOW) is None
    with pytest.raises(OperatorError, match="day_key_destroyed"):
        fresh.seal(message(), OTHER)


def test_items_travel_whole(envelope: Envelope) -> None:
    sender, recipient = Agency(A, NOW), Agency(B, NOW)
    made = sender.bulletin([B], NOW)
    (item,), batch = sender.submissions([made], [recipient])
    about = [(made.bulletin_id, made.ciphertext_digest)]
    (said,), other = recipient.statements(Event.HANDOVER, about, (A, B), NOW)
    missing = wire_error(Unavailable("attachments_missing", "none", retry_after_ms=77))
    body = Forwarded(
        (ForSubmission(1, A, item, missing), ForStatement(2, B, said)), (batch, other), (0,)
    )
    whole = Message(SENDER, 7, NOW, body)
    assert envelope.open(envelope.seal(whole, OTHER), OTHER, NOW) == whole
    answers = Answers(3, 9, (Outcome(1, (4, 5), None), Outcome(2, (), missing)))
    whole = Message(SENDER, 8, NOW, answers)
    assert envelope.open(envelope.seal(whole, None), None, NOW) == whole


@pytest.mark.parametrize("family", FAMILIES)
def test_errors_travel_whole(family: type[SaphanError]) -> None:
    error = family("a_code", "a message", field="here", hint="do that")
    if isinstance(error, Unavailable):
        error.retry_after_ms = 77
    back = from_wire(wire_error(error))
    assert type(back) is family
    assert vars(back) == vars(error)
    assert encode(wire_error(back)) == encode(wire_error(error))


async def test_what_waits_behind_something_lost_goes_to_no_other_holder() -> None:
    """It may build on it: the node sends both again, in their order."""
    told: list[bytes | None] = []

    class Mouth:
        idle = asyncio.Event()

        def tell(self, body: object, to: bytes | None = None, unsent: object = None) -> None:
            told.append(to)

    mouth = Mouth()
    forwarding = Forwarding(mouth, lambda batch: False)  # type: ignore[arg-type]
    running = asyncio.create_task(forwarding.run())
    forwarding.turn_to(SENDER)
    mouth.idle.set()
    first = forwarding.submit(NewHead())
    while not told:  # noqa: ASYNC110
        await asyncio.sleep(0)
    mouth.idle.clear()
    second = forwarding.submit(NewHead())
    await asyncio.sleep(0)
    forwarding.turn_to(OTHER)
    mouth.idle.set()
    for work in (first, second):
        assert work.outcome.done()
        outcome = await work.outcome
        assert isinstance(outcome, Rejected)
        assert isinstance(outcome.error, Unavailable)
    third = forwarding.submit(NewHead())
    while len(told) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert (told, third.outcome.done()) == ([SENDER, OTHER], False)
    running.cancel()


async def test_a_queue_that_refuses_answers_what_waits_and_takes_up_again() -> None:
    queue = WorkQueue()
    waiting = [queue.put(NewHead()) for _ in range(3)]
    why = Unavailable("no_holder", "nobody sequences", hint="wait", retry_after_ms=77)
    queue.refuse(why)
    assert [work.outcome.result() for work in waiting] == [Rejected(why)] * 3
    assert (len(queue), queue.bytes) == (0, 0)
    for _ in range(2):
        with pytest.raises(Unavailable, match="nobody sequences") as caught:
            queue.put(NewHead())
        assert caught.value.retry_after_ms == 77
    queue.accept()
    work = queue.put(NewHead())
    assert queue.take() == [work]
    assert not work.outcome.done()
    await asyncio.sleep(0)


def test_the_newest_hashes_grow_another_tree_to_the_same_root() -> None:
    leaves = [leaf_hash(b"%d" % at) for at in range(1500)]

    def unread(level: int, n: int) -> bytes:
        raise AssertionError(f"tile {level}/{n} was read")

    tree = TileTree(0, {}, unread)
    for start, stop in ((0, 1), (1, 255), (255, 256), (256, 600), (600, 1024), (1024, 1500)):
        before = tree.copy()
        tree.append(leaves[start:stop])
        hashes = tree.newest_hashes(start, stop)
        assert hashes == b"".join(leaves[start:stop])
        before.append([hashes[at : at + 32] for at in range(0, len(hashes), 32)])
        assert (before.size, before.root()) == (tree.size, tree.root())
    assert tree.newest_hashes(1500, 1500) == b""


def test_hashes_that_are_not_in_memory_are_not_told() -> None:
    leaves = [leaf_hash(b"%d" % at) for at in range(600)]
    tiles: dict[tuple[int, int], bytes] = {}
    made = TileTree(0, {}, lambda level, n: b"")
    tiles.update(made.append(leaves))
    edge = {at: data for at, data in tiles.items() if len(data) < 8192}
    read = TileTree(600, edge, lambda level, n: tiles[level, n])
    assert read.newest_hashes(512, 600) == b"".join(leaves[512:])
    assert read.newest_hashes(300, 600) is None
