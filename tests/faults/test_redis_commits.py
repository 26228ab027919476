"""Commits on real servers that are killed, cut off, paused, full, or restarted empty."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_FSIZE, prlimit

import pytest
from msgspec.structs import replace
from saphan_broker.store.base import Commit, CommitUnknown, CosignatureRow, HeadMoved, SignedHead
from saphan_broker.store.redis.lease import Lease
from saphan_broker.store.redis.store import RedisStore
from saphan_schemas.errors import OperatorError, Unavailable
from saphan_schemas.limits import LIMITS
from support.pens import Pen
from support.redis_relay import RedisRelay, redis_relay
from support.rooms import ROOT
from support.servers import ENGINES, Engine, Server
from support.store_commits import Story
from support.whole_store import check_whole

GROUP = 7


@pytest.fixture(params=ENGINES)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    engine: Engine = request.param
    started = Server(tmp_path / "server", engine).start()
    yield started
    started.free()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not come back is given up at once."""
    quick = dataclasses.replace(LIMITS, store_settle_ms=1, store_reply_ms=300)
    for module in ("writer", "line"):
        monkeypatch.setattr(f"saphan_broker.store.redis.{module}.LIMITS", quick)


@pytest.fixture
async def relay(server: Server) -> AsyncIterator[RedisRelay]:
    async with redis_relay(server.port) as made:
        yield made


@pytest.fixture
async def store(server: Server, relay: RedisRelay) -> AsyncIterator[RedisStore]:
    """A store behind the relay, with one commit under a note."""
    made = await RedisStore.create(relay.address())
    yield made
    await made.close()


@pytest.fixture
async def story(store: RedisStore) -> Story:
    story = Story(body_bytes=9000)
    await store.commit(story.bulletins(GROUP), lambda: b"first")
    return story


async def size(server: Server) -> int:
    """Leaves that the server has, by a look of our own."""
    with server.client() as client:
        return int(await asyncio.to_thread(client.hget, "saphan:{saphan/evidence}:head", "size"))


async def applied(server: Server, commit: Commit) -> None:
    async with asyncio.timeout(20):
        while await size(server) != commit.head.size:  # noqa: ASYNC110 - another process's doing
            await asyncio.sleep(0.01)


def committing(server: Server) -> subprocess.Popen[str]:
    """A process that commits without end."""
    place = f"unix://{server.socket}"
    return subprocess.Popen(
        [sys.executable, "-m", "support.committing_child", place, str(GROUP)],
        cwd=ROOT / "tests",
        stdout=subprocess.PIPE,
        text=True,
    )


def restart(server: Server) -> None:
    server.kill()
    server.start()


# --- killed at each effect of a commit ------------------------------------------------------------


async def test_killed_before_the_script_arrives_nothing_is_written(
    store: RedisStore, story: Story, server: Server, relay: RedisRelay
) -> None:
    commit = story.bulletins(GROUP)
    sign = Pen()
    relay.hold_up = True
    committing = asyncio.create_task(store.commit(commit, sign))
    await relay.swallowed.wait()
    await asyncio.to_thread(restart, server)
    relay.cut()
    with pytest.raises(Unavailable) as refused:
        await committing
    assert refused.value.code == "redis_unreachable"
    assert sign.signed == 0
    assert await size(server) == GROUP
    await store.commit(commit, lambda: b"second")  # the same object goes on
    assert await check_whole(store, GROUP) == commit.head
    assert await store.note("evidence") == SignedHead(2 * GROUP, b"second")


async def test_killed_after_the_script_before_its_reply_the_commit_is_recognised(
    store: RedisStore, story: Story, server: Server, relay: RedisRelay
) -> None:
    commit = story.bulletins(GROUP)
    relay.hold_down = True
    committing = asyncio.create_task(store.commit(commit, lambda: b"second"))
    await applied(server, commit)
    await asyncio.to_thread(restart, server)
    relay.cut()
    await committing
    assert await check_whole(store, GROUP) == commit.head
    assert await store.note("evidence") == SignedHead(2 * GROUP, b"second")
    await store.commit(story.bulletins(GROUP), lambda: b"third")


async def test_killed_before_the_note_is_kept_it_is_kept_by_the_server_that_comes_back(
    store: RedisStore, story: Story, server: Server
) -> None:
    commit = story.bulletins(GROUP)

    def sign() -> bytes:
        restart(server)
        return b"second"

    await store.commit(commit, sign)
    assert await check_whole(store, GROUP) == commit.head
    assert await store.note("evidence") == SignedHead(2 * GROUP, b"second")


@pytest.mark.usefixtures("impatient")
async def test_killed_before_the_note_and_gone_the_next_life_finds_it_unsigned(
    store: RedisStore, story: Story, server: Server
) -> None:
    commit = story.bulletins(GROUP)

    def sign() -> bytes:
        server.kill()
        return b"second"

    with pytest.raises(CommitUnknown):
        await store.commit(commit, sign)
    with pytest.raises(CommitUnknown):
        await store.state("evidence")
    server.start()
    again = await RedisStore.open(server.address())
    assert await check_whole(again, GROUP) == commit.head
    assert await again.note("evidence") == SignedHead(GROUP, b"first")
    await again.put_note("evidence", 2 * GROUP, b"second")
    await again.close()


async def test_killed_after_the_note_everything_is_there(
    store: RedisStore, story: Story, server: Server
) -> None:
    commit = story.bulletins(GROUP)
    await store.commit(commit, lambda: b"second")
    await asyncio.to_thread(restart, server)
    assert await check_whole(store, GROUP) == commit.head  # the lines are dialled anew
    assert await store.note("evidence") == SignedHead(2 * GROUP, b"second")
    await store.commit(story.bulletins(GROUP))


async def test_a_server_killed_again_and_again_loses_nothing_that_was_said(
    server: Server,
) -> None:
    """A process commits on and on, while its server dies five times and comes back."""
    store = await RedisStore.create(server.address())
    await store.close()
    child = committing(server)
    assert child.stdout is not None
    said: list[str] = []
    for life in range(5):
        said += [await asyncio.to_thread(child.stdout.readline) for _ in range(4 + life % 2)]
        await asyncio.to_thread(restart, server)
    said += [await asyncio.to_thread(child.stdout.readline) for _ in range(4)]
    child.kill()
    said += child.stdout.readlines()
    assert child.wait() == -signal.SIGKILL
    child.stdout.close()
    store = await RedisStore.open(server.address())
    head = await check_whole(store, GROUP)
    sizes = {
        word: max(int(line.split()[1]) for line in said if line.startswith(word))
        for word in ("committed", "signed")
    }
    assert head.size >= sizes["committed"] >= 5 * GROUP
    note = await store.note("evidence")
    assert note is not None
    assert note.size >= sizes["signed"]
    await store.close()


# --- cut off --------------------------------------------------------------------------------------


async def test_a_reply_that_is_lost_after_it_was_applied_is_no_failure(
    store: RedisStore, story: Story, server: Server, relay: RedisRelay
) -> None:
    commit = story.bulletins(GROUP)
    sign = Pen()
    relay.hold_down = True
    committing = asyncio.create_task(store.commit(commit, sign))
    await applied(server, commit)
    relay.cut()
    await committing
    assert sign.signed == 1
    assert await store.note("evidence") == SignedHead(2 * GROUP, b"second")


async def test_a_commit_whose_caller_has_gone_is_finished(
    store: RedisStore, story: Story, server: Server, relay: RedisRelay
) -> None:
    commit = story.bulletins(GROUP)
    relay.hold_down = True
    committing = asyncio.create_task(store.commit(commit, Pen()))
    await applied(server, commit)
    committing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await committing
    relay.cut()
    await store.close()
    again = await RedisStore.open(server.address())
    assert await check_whole(again, GROUP) == commit.head
    assert await again.note("evidence") == SignedHead(2 * GROUP, b"second")
    await again.close()


async def test_what_was_called_not_written_never_is(
    store: RedisStore, story: Story, server: Server, relay: RedisRelay
) -> None:
    """The script was still on its way when the line broke, and arrives after the verdict."""
    commit = story.bulletins(GROUP)
    relay.hold_up = True
    committing = asyncio.create_task(store.commit(commit))
    await relay.swallowed.wait()
    relay.cut()
    with pytest.raises(Unavailable):
        await committing
    await relay.deliver_held()
    assert await size(server) == GROUP
    await store.commit(commit, lambda: b"second")
    assert await check_whole(store, GROUP) == commit.head


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_hangs_leaves_the_commit_unknown_until_it_answers(
    store: RedisStore, story: Story, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = story.bulletins(GROUP)
    hasty = replace(store._writer.address, wait_ms=100)
    monkeypatch.setattr(store._writer, "address", hasty)
    server.pause()
    with pytest.raises(CommitUnknown):
        await store.commit(commit)
    server.resume()
    monkeypatch.undo()  # from here on it is waited for as long as ever
    again = await RedisStore.open(server.address())
    head = await check_whole(again, GROUP)
    assert head in (commit.expected, commit.head)
    await again.close()


async def test_scripts_that_the_server_was_made_to_forget_are_brought_again(
    store: RedisStore, story: Story, server: Server
) -> None:
    row = CosignatureRow("kh.gpo", GROUP, 1, b"lines")
    await store.put_cosignature("evidence", row)
    with server.client() as client:
        client.script_flush()
    await store.commit(story.bulletins(GROUP), lambda: b"second")
    assert await check_whole(store, GROUP) == story.head
    assert await store.cosignatures("evidence") == [row]


# --- full -----------------------------------------------------------------------------------------


async def test_a_server_without_memory_refuses_a_commit_whole_and_goes_on_when_it_has_some(
    store: RedisStore, story: Story, server: Server
) -> None:
    commit = story.bulletins(GROUP)
    server.set("maxmemory", "1mb")
    with pytest.raises(OperatorError) as refused:
        await store.commit(commit, lambda: b"second")
    assert refused.value.code == "store_memory_full"
    assert refused.value.hint
    assert (await check_whole(store, GROUP)) == commit.expected
    # What needs no memory goes on: a head is signed, a store opened, a lease taken.
    await store.put_note("evidence", GROUP, b"anew")
    await (await RedisStore.open(server.address())).close()
    lease = Lease(server.address(), "one")
    assert await lease.take()
    assert await lease.renew()
    await lease.release()
    await lease.close()
    store.epoch = 1
    server.set("maxmemory", "0")
    await store.commit(commit, lambda: b"second")
    assert await check_whole(store, GROUP) == commit.head


@pytest.mark.usefixtures("impatient")
async def test_a_server_whose_disk_is_full_stops_and_nothing_is_lost(
    store: RedisStore, story: Story, server: Server
) -> None:
    """The kernel refuses to let the append-only file grow; the server ends, as `always` demands."""
    commit = story.bulletins(GROUP)
    process = server.process
    assert process is not None
    grown = sum(path.stat().st_size for path in server.directory.rglob("*.incr.aof"))
    prlimit(process.pid, RLIMIT_FSIZE, (grown + 2000, RLIM_INFINITY))
    with pytest.raises(CommitUnknown):
        await store.commit(commit, lambda: b"second")
    assert await asyncio.to_thread(process.wait, 20) != 0
    server.start()
    again = await RedisStore.open(server.address())
    assert await check_whole(again, GROUP) == commit.expected
    await again.commit(commit, lambda: b"second")
    assert await check_whole(again, GROUP) == commit.head
    await again.close()


async def test_an_append_only_file_that_ends_within_a_commit_is_read_without_it(
    store: RedisStore, story: Story, server: Server
) -> None:
    """As a crash of the machine may leave it: nobody was answered for that commit."""
    (file,) = server.directory.rglob("*.incr.aof")
    before = file.stat().st_size
    commit = story.bulletins(GROUP)
    await store.commit(commit)
    server.kill()
    data = file.read_bytes()
    middle = (before + len(data)) // 2
    for end in (before + 1, before + 20, middle, len(data) - 1, len(data)):
        file.write_bytes(data[:end])
        server.start()
        again = await RedisStore.open(server.address())
        found = await check_whole(again, GROUP)
        assert found == (commit.head if end == len(data) else commit.expected)
        await again.close()
        server.kill()


# --- empty ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_was_restarted_empty_is_not_mistaken_for_a_new_one(
    store: RedisStore, story: Story, server: Server
) -> None:
    server.kill()
    server.start_empty()
    with pytest.raises(OperatorError) as refused:  # known to be away by now, or on the way
        await store.commit(story.bulletins(GROUP))
    assert refused.value.code in {"store_missing", "commit_unknown"}
    await store.close()
    with pytest.raises(OperatorError) as refused:
        await RedisStore.open(server.address())
    assert refused.value.code == "store_missing"
    assert refused.value.hint


# --- two at once ----------------------------------------------------------------------------------


async def test_of_two_stores_on_one_head_one_commits(store: RedisStore, server: Server) -> None:
    other = await RedisStore.open(server.address())
    first, second = Story().bulletins(GROUP), Story().bulletins(GROUP, name="other")
    results = await asyncio.gather(
        store.commit(first), other.commit(second), return_exceptions=True
    )
    assert [type(result) for result in results if result] == [HeadMoved]
    loser = other if results[1] else store
    story = await Story.resumed(loser)
    await loser.commit(story.bulletins(GROUP))  # it has read the head again
    assert await check_whole(store, GROUP) == story.head
    await other.close()
