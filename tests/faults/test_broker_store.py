"""Every durable step of a group fails in two ways: not done, and done but reported failed."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from saphan_broker.broker import open_broker
from saphan_broker.logs.last_head import LastHead, LastHeadFile
from saphan_broker.store.sqlite import SqliteStore
from saphan_schemas.errors import OperatorError
from saphan_schemas.frames import Result, Submission
from saphan_schemas.records import BatchSignature, HeadRef
from support.brokers import World
from support.crews import until
from support.failing_store import Fail, FailingStore, crashed, full, kept, lost
from support.session import Line, seen

A, B = "la.ospp", "kh.gpo"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A broker that runs, two agencies enrolled, one agreement logged."""
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
        yield world


@pytest.mark.parametrize("step", ["commit", "put_note"])
@pytest.mark.parametrize("fail", [lost, kept, full, crashed])
async def test_failed_write_is_answered_retried_and_logged_once(
    world: World, step: str, fail: Fail
) -> None:
    """Timeline: one write of a group fails; the sender is told to send again, and does."""
    sender, recipient = world.agencies[A], world.agencies[B]
    out = await world.line(A)
    first, batch = sender.submissions([sender.bulletin([B], world.clock())], [recipient])
    await out.submit(first, batch)  # the anchor and the fresh head of the session are logged
    state = world.broker.state
    before = state.evidence.tree.size
    state.store = FailingStore(state.store, step, fail)
    items, batch = sender.submissions(
        [sender.bulletin([B], world.clock()) for _ in range(3)], [recipient]
    )
    with suppress(asyncio.CancelledError):  # a session whose store was closed may end unanswered
        for result in await out.submit(items, batch):
            assert result.code in {"not_committed", "broker_stopped"}
            assert result.retry_after_ms > 0
    out, results = await sent_again(world, out, items, batch)
    assert [result.code for result in results] == [None] * 3
    assert [result.indices for result in results] == [(before + i,) for i in range(3)]
    assert world.broker.ready().ready, world.broker.ready()
    into = await world.line(B)
    await into.entry(before + 2)
    assert sorted(into.entries) == [before - 1, before, before + 1, before + 2]


async def test_what_is_committed_and_could_not_be_signed_is_signed_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timeline: a group is committed, its signature fails at the disk of the keys; sent again, the
    same bulletins get the places that they were given."""
    sender, recipient = world.agencies[A], world.agencies[B]
    out = await world.line(A)
    first, batch = sender.submissions([sender.bulletin([B], world.clock())], [recipient])
    await out.submit(first, batch)
    before = world.broker.state.evidence.tree.size
    write = LastHeadFile.write

    def failing(file: LastHeadFile, head: LastHead) -> None:
        monkeypatch.setattr(LastHeadFile, "write", write)
        raise OperatorError("key_file_unwritable", "injected", field="keys", hint="none")

    monkeypatch.setattr(LastHeadFile, "write", failing)
    items, batch = sender.submissions([sender.bulletin([B], world.clock())], [recipient])
    with suppress(asyncio.CancelledError):
        (result,) = await out.submit(items, batch)
        assert result.code == "broker_stopped"
    out, (result,) = await sent_again(world, out, items, batch)
    assert (result.code, result.indices) == (None, (before,))
    into = await world.line(B)
    await into.entry(before)


async def again(world: World, line: Line) -> Line:
    """The same line, or a new one if the store under its feed was closed."""
    if line.closing is None and not line.ws.closed:
        return line
    return await world.line(A, resume=line)


async def sent_again(
    world: World, line: Line, items: Sequence[Submission], batch: BatchSignature
) -> tuple[Line, tuple[Result, ...]]:
    """Submit as a node does: in a new session if this one ends while the store is opened anew."""
    while True:
        line = await again(world, line)
        with suppress(asyncio.CancelledError, ConnectionError):
            return line, await line.submit(items, batch)


async def test_store_put_back_from_a_copy_is_not_started(world: World, tmp_path: Path) -> None:
    """Timeline: the store is copied, more is signed, the copy is put back."""

    await world.broker.stop()
    copy = tmp_path / "copy"
    shutil.copytree(world.data, copy)
    async with world.running():
        line = await world.line(A)
        sender = world.agencies[A]
        items, batch = sender.submissions(
            [sender.bulletin([B], world.clock())], [world.agencies[B]]
        )
        (result,) = await line.submit(items, batch)
        assert result.code is None
    shutil.rmtree(world.data)
    shutil.copytree(copy, world.data)
    broker = await open_broker(world.data, world.keys)
    with pytest.raises(OperatorError) as caught:
        await broker.start()
    assert caught.value.code == "store_behind_signer"
    await broker.stop()


async def test_a_store_that_is_found_behind_while_the_broker_runs_is_an_alarm(
    world: World, tmp_path: Path
) -> None:
    """Timeline: the store is copied, more is signed; a commit's fate is unknown, and what is opened
    anew is the copy, as after a failover that lost something. The alarm names that, not only what
    came before."""
    await world.broker.stop()
    copy = tmp_path / "copy"
    shutil.copytree(world.data, copy)
    async with world.running() as broker:
        line, sender, recipient = await world.line(A), world.agencies[A], [world.agencies[B]]
        items, batch = sender.submissions([sender.bulletin([B], world.clock())], recipient)
        await line.submit(items, batch)
        state = broker.state
        signed = state.signers["evidence"].last()
        state._reopen = partial(SqliteStore.open, copy)
        state.store = FailingStore(state.store, "commit", lost)
        items, batch = sender.submissions([sender.bulletin([B], world.clock())], recipient)
        with suppress(asyncio.CancelledError):
            await line.submit(items, batch)
        await until(lambda: "store_behind_signer" in {one.code for one in state.alarms.active()})
        (said,) = [one for one in state.alarms.active() if one.code == "store_behind_signer"]
        assert said.stops
        assert state.signers["evidence"].last() == signed


@pytest.mark.parametrize("fail", [lost, kept, full, crashed])
async def test_groups_behind_a_failed_one_are_judged_anew(world: World, fail: Fail) -> None:
    """Timeline: forty requests under way, one commit in the middle fails; all are sent again."""
    sender, recipient = world.agencies[A], world.agencies[B]
    out = await world.line(A)
    made = [sender.bulletin([B], world.clock()) for _ in range(40)]
    ready = [sender.submissions([one], [recipient]) for one in made]
    await out.submit(ready[0][0], ready[0][1])
    waiting = [await out.send_submit(items, batch) for items, batch in ready[:20]]
    state = world.broker.state
    state.store = FailingStore(state.store, "commit", fail)
    with suppress(ConnectionError):
        waiting += [await out.send_submit(items, batch) for items, batch in ready[20:]]
    first: dict[int, tuple[int, ...]] = {}
    for place, answer in enumerate(waiting):
        with suppress(asyncio.CancelledError):
            (result,) = await answer
            assert result.code in {None, "not_committed", "broker_stopped"}
            if result.code is None:
                first[place] = result.indices
    results = []
    for items, batch in ready:
        out, answered = await sent_again(world, out, items, batch)
        results.append(answered)
    assert [result.code for (result,) in results] == [None] * 40
    for place, indices in first.items():
        assert results[place][0].indices == indices
    into = await world.line(B)
    await into.until(lambda: len(into.entries) >= 40)
    numbers = [entry.number for _, (entry, _) in sorted(into.entries.items())]
    assert numbers == list(range(1, 41))


async def test_sessions_that_stayed_open_are_fed_what_a_failed_group_has_left(
    world: World,
) -> None:
    """Timeline: a group's note is stored, but reported unknown; the logs are read anew and find
    everything signed; a session that saw nothing of it is fed the group before any later head."""
    sender, recipient = world.agencies[A], world.agencies[B]
    out, into = await world.line(A), await world.line(B)
    first, batch = sender.submissions([sender.bulletin([B], world.clock())], [recipient])
    ((index,),) = [result.indices for result in await out.submit(first, batch)]
    await into.entry(index)
    state = world.broker.state
    state.store = FailingStore(state.store, "put_note", kept)
    items, batch = sender.submissions([sender.bulletin([B], world.clock())], [recipient])
    with suppress(asyncio.CancelledError):
        (result,) = await out.submit(items, batch)
        assert result.code == "not_committed"
    out, results = await sent_again(world, out, items, batch)
    ((left,),) = [result.indices for result in results]
    assert left == index + 1
    world.clock.ahead += 2_000
    world.broker.freshen()  # a fresh head, which has nothing for anyone
    into = await again(world, into)
    await into.until(lambda: into.after == left)
    assert sorted(into.entries) == [index, left]


async def test_store_that_cannot_be_read_refuses_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a bulletin is judged by cannot be read: the sender is told to send it again."""
    sender, recipient = world.agencies[A], world.agencies[B]
    out = await world.line(A)
    state = world.broker.state
    showed = state.evidence.showed

    async def unread(ref: HeadRef) -> bool:
        monkeypatch.setattr(state.evidence, "showed", showed)
        raise OperatorError("store_closed", "injected: the store is being opened anew")

    await out.until(lambda: seen(out) is not None)
    made = sender.bulletin([B], world.clock())
    items, batch = sender.submissions([made], [recipient], seen=seen(out))
    monkeypatch.setattr(state.evidence, "showed", unread)
    with suppress(asyncio.CancelledError):
        (result,) = await out.submit(items, batch)
        assert result.retry_after_ms > 0, result
    _out, (result,) = await sent_again(world, out, items, batch)
    assert result.code is None


async def test_deadlines_are_looked_at_again_after_any_failure(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that cannot be read once does not stop the broker's sense of time for good."""
    looked = asyncio.Event()
    sweep = world.broker._sweep

    async def failing() -> None:
        monkeypatch.setattr(sweep, "look", again)
        raise sqlite3.OperationalError("injected: disk I/O error")

    async def again() -> None:
        looked.set()

    monkeypatch.setattr(sweep, "look", failing)
    async with asyncio.timeout(10):
        await looked.wait()
