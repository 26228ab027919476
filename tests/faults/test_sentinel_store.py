"""The primary by its sentinels, real ones: who is asked, who is believed, which lines end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from saphan_broker.store.base import Commit, CommitUnknown
from saphan_broker.store.redis.address import RedisAddress
from saphan_broker.store.redis.dialling import dial
from saphan_broker.store.redis.followers import Followers
from saphan_broker.store.redis.lease import Lease
from saphan_broker.store.redis.line import LineDown
from saphan_broker.store.redis.sentinels import ask
from saphan_broker.store.redis.server import examine
from saphan_broker.store.redis.store import RedisStore
from saphan_schemas.errors import OperatorError, SaphanError, Unavailable
from saphan_schemas.limits import LIMITS
from support.crews import until
from support.pens import Pen
from support.sentinels import NAME, Guarded, Sentinel, role
from support.servers import Engine, Server, wait_until
from support.store_commits import Story
from support.whole_store import check_whole

GROUP = 3
HEAD = "saphan:{saphan/evidence}:head"
FAILOVER_S = 30.0
"""Generous: the sentinels take about three seconds."""
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(params=["valkey", pytest.param("redis", marks=pytest.mark.long)])
def guarded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Guarded]:
    """A primary with two replicas, and three sentinels."""
    yield from started(tmp_path, request.param)


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Guarded]:
    """The same, where both servers would do the same."""
    yield from started(tmp_path, "valkey")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """One for tests that leave it as it was."""
    yield from started(tmp_path_factory.mktemp("shared"), "valkey")


def started(place: Path, engine: Engine) -> Iterator[Guarded]:
    made = Guarded(place / "guarded", engine)
    try:
        yield made.start()
    finally:
        made.free()


def head(server: Server) -> tuple[bytes | None, bytes | None]:
    """Size and commit, as this server has them."""
    with server.client() as client:
        size, commit = client.hmget(HEAD, "size", "commit")
        return size, commit


async def test_what_a_primary_takes_that_was_passed_by_is_never_answered(guarded: Guarded) -> None:
    """Timeline: SIGSTOP of the primary with a commit on its way to it; the sentinels promote a
    replica and then stand still themselves, so that nobody demotes the old primary; SIGCONT: it
    takes the commit, as a primary would. The caller has been told that nothing was written."""
    store = await RedisStore.create(guarded.address(replicas=1))
    story = Story()
    await store.commit(story.bulletins(GROUP), lambda: b"first")
    old = await asyncio.to_thread(lambda: guarded.primary)
    old.pause()
    late, pen = story.bulletins(GROUP), Pen()
    on_its_way = asyncio.create_task(store.commit(late, pen))
    new = await asyncio.to_thread(guarded.wait_for_another, old)
    with pytest.raises(Unavailable) as refused:
        async with asyncio.timeout(FAILOVER_S):
            await on_its_way
    assert refused.value.code == "redis_unreachable"
    assert "can be made again" in (refused.value.hint or "")
    guarded.each(Sentinel.pause)
    old.resume()
    await asyncio.to_thread(wait_until, lambda: head(old)[0] == b"%d" % late.head.size)
    assert role(old) == "master"
    assert pen.signed == 0
    assert head(new)[0] == b"%d" % late.expected.size
    taken = head(old)

    guarded.each(Sentinel.resume)
    store = await committed(store, guarded, late)  # at the new one
    assert head(new)[1] != taken[1]  # one story, and another one that nobody was told
    await asyncio.to_thread(wait_until, lambda: head(old) == head(new))
    assert role(old) == "slave"
    assert await check_whole(store, GROUP) == late.head
    await store.close()


async def test_lines_to_a_primary_that_is_one_no_more_end_by_themselves(valkey: Guarded) -> None:
    """It stands still: neither it nor the network ends a line, and a follower that only reads would
    wait for it, or hear of before from it."""
    address = valkey.address(replicas=1)
    store = await RedisStore.create(address)
    await store.commit(Story().bulletins(GROUP))
    line, lease = await dial(address), Lease(address, "one")
    assert await lease.take()
    old = await asyncio.to_thread(lambda: valkey.primary)
    old.pause()
    await until(lambda: line.down, FAILOVER_S)
    with pytest.raises(LineDown, match="another primary"):
        await line.one("PING")
    assert (await store.state("evidence")).head.size == GROUP
    assert await lease.take()
    old.resume()
    assert clients_of(old) == set()
    await lease.close()
    await store.close()


def clients_of(server: Server) -> set[str]:
    """Who is connected over TCP, apart from sentinels and other servers."""
    with server.client() as client:
        found = client.client_list()
    ours = [one for one in found if not one["name"].startswith("sentinel-")]
    return {one["id"] for one in ours if one["flags"] == "N" and one["addr"].startswith("127.")}


async def test_a_failover_that_an_operator_asks_for_needs_no_restart(guarded: Guarded) -> None:
    store = await RedisStore.create(guarded.address(replicas=1))
    story = Story()
    old = await asyncio.to_thread(lambda: guarded.primary)
    for turn in range(20):
        commit = story.bulletins(GROUP, name=turn)
        if turn == 5:
            await asyncio.to_thread(guarded.failover)
        async with asyncio.timeout(FAILOVER_S):
            store = await committed(store, guarded, commit)
    await asyncio.to_thread(guarded.wait_for_another, old)
    assert await check_whole(store, GROUP) == story.head
    # A sentinel that has only just come back to it has not said its name yet.
    await until(lambda: not clients_of(old), FAILOVER_S)
    await store.close()


async def committed(store: RedisStore, guarded: Guarded, commit: Commit) -> RedisStore:
    """As the sequencer does: after a doubt it opens anew and looks."""
    while True:
        try:
            if (await store.state("evidence")).head != commit.head:
                await store.commit(commit)
        except SaphanError:
            await store.close()
            store = await opened(guarded)
        else:
            return store


async def opened(guarded: Guarded) -> RedisStore:
    while True:
        try:
            return await RedisStore.open(guarded.address(replicas=1))
        except Unavailable:
            await asyncio.sleep(0.05)


# --- who must have it ----------------------------------------------------------------------------


async def test_what_counts_is_at_every_replica_that_may_be_promoted(valkey: Guarded) -> None:
    """Timeline: a replica stands still, on a line that nobody ends, and is waited for until the
    sentinels find it dead: before, they might promote it; it ends; then the sentinels are gone, and
    nobody says that it still is dead."""
    address = valkey.address(replicas=1)
    store, story = await RedisStore.create(address), Story()
    await store.commit(story.bulletins(GROUP))
    valkey.servers[2].pause()
    await store.commit(story.bulletins(GROUP))
    assert (await ask(address)).alive == 1
    await asyncio.to_thread(valkey.servers[2].kill)
    for _ in range(2):  # the primary may have seen its end only after the first
        await store.commit(story.bulletins(GROUP))
    valkey.each(Sentinel.pause)
    async with asyncio.timeout(FAILOVER_S):
        refused = await refusal_of(store, story)
    assert (refused.code, "sentinel" in refused.message) == ("commit_unknown", True)
    await store.close()


async def test_a_few_sentinels_write_nobody_off(valkey: Guarded) -> None:
    """Timeline: a replica ends, and three sentinels say that it is dead; two of them fall silent.
    Behind a cut they may promote the very replica that the third one does not reach."""
    address = valkey.address(replicas=1)
    store, story = await RedisStore.create(address), Story()
    await asyncio.to_thread(valkey.servers[2].kill)
    for _ in range(2):  # the primary may have seen its end only after the first
        await store.commit(story.bulletins(GROUP))
    for sentinel in valkey.sentinels[1:]:
        sentinel.pause()
    async with asyncio.timeout(FAILOVER_S):
        refused = await refusal_of(store, story)
    assert (refused.code, (await ask(address)).alive) == ("replicas_missing", 1)
    for sentinel in valkey.sentinels[1:]:
        sentinel.resume()
    commit = story.bulletins(GROUP)
    async with asyncio.timeout(FAILOVER_S):
        store = await committed(store, valkey, commit)
    await store.close()


async def refusal_of(store: RedisStore, story: Story) -> CommitUnknown:
    """Of the first commit that is none."""
    while True:
        try:
            await store.commit(story.bulletins(GROUP))
        except CommitUnknown as error:
            return error


async def test_a_write_at_a_primary_of_before_does_not_count(shared: Guarded) -> None:
    """Its own replica has it, and the sentinels have promoted the other one."""
    address = shared.address(replicas=1)
    line = await dial(address)
    promises, followers = await examine(line, address), Followers(address)
    line.place = ("127.0.0.1", shared.servers[1].port)
    told = await line.ask([("SET", "mine", "1"), *followers.waiting(promises)], address.wait_ms)
    with pytest.raises(LineDown, match="another primary"):
        await followers.check(line, promises, told[1:])
    assert line.down


# --- who is asked --------------------------------------------------------------------------------


async def test_one_sentinel_is_enough_and_none_is_not(shared: Guarded) -> None:
    """Nor is one needed while all replicas follow and have what is written."""
    store, story = await RedisStore.create(shared.address(replicas=1, name="mine")), Story()
    await store.commit(story.bulletins(GROUP))
    address = shared.address()
    named = await ask(address, all_of_them=True)
    assert (named.answered, named.quorum, named.replicas) == (3, 2, 2)
    try:
        for left in (2, 1):
            shared.sentinels[left].pause()
            found = await ask(address, all_of_them=True)
            assert (found.place, found.answered) == (named.place, left)
        shared.sentinels[0].pause()
        with pytest.raises(Unavailable) as nobody:
            await ask(address)
        await store.commit(story.bulletins(GROUP))
        await store.close()
    finally:
        shared.each(Sentinel.resume)
    assert nobody.value.code == "sentinels_unreachable"


async def test_a_slow_sentinel_is_waited_for_if_no_other_answers(shared: Guarded) -> None:
    """On a busy machine one takes more than the second after which others answer for it."""
    shared.each(Sentinel.pause)
    asking = asyncio.create_task(ask(shared.address()))
    try:
        await asyncio.wait((asking,), timeout=2 * LIMITS.sentinel_reply_ms / 1000)
        assert not asking.done()
        shared.sentinels[0].resume()
        assert (await asking).answered == 1
    finally:
        shared.each(Sentinel.resume)


ANSWERS = (
    b"+OK\r\n" * 3,
    b"*-1\r\n" * 2 + b"*0\r\n",
    b"*2\r\n$9\r\n127.0.0.1\r\n$5\r\n70000\r\n" + b"*0\r\n" * 2,
    b"*2\r\n$9\r\n127.0.0.1\r\n$1\r\n1\r\n" + b"*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n*0\r\n",
    b"*2\r\n$1\r\n\xff\r\n$1\r\n1\r\n" + b"*0\r\n" * 2,
    b"-ERR unknown command 'SENTINEL'\r\n" * 3,
)


@pytest.mark.parametrize("said", ANSWERS)
async def test_who_answers_as_no_sentinel_does_is_passed_over(shared: Guarded, said: bytes) -> None:
    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(said)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(lie, "127.0.0.1", 0) as liar:
        at = f"127.0.0.1:{liar.sockets[0].getsockname()[1]}"
        alone = RedisAddress(url=f"redis+sentinel://{at}/{NAME}")
        with pytest.raises(OperatorError) as refused:
            await ask(alone)
        assert refused.value.code in ("redis_failed", "sentinel_primary_unknown")
        honest = shared.address()
        among = RedisAddress(url=honest.url.replace("://", f"://{at},"))
        named = await ask(among, all_of_them=True)
        assert (named.answered, named.place) == (3, (await ask(honest)).place)


async def test_of_two_answers_that_of_the_newest_failover_counts(valkey: Guarded) -> None:
    """A sentinel slept through it and wakes up with the primary of before."""
    old = await asyncio.to_thread(lambda: valkey.primary)
    asleep = valkey.sentinels[2]
    asleep.pause()
    await asyncio.to_thread(old.kill)
    await asyncio.to_thread(
        wait_until,
        lambda: all(int(one.told()["port"]) != old.port for one in valkey.sentinels[:2]),
    )
    new = await asyncio.to_thread(lambda: valkey.primary)
    forgetful = Sentinel(asleep.directory / "before", asleep.engine, old)
    await asyncio.to_thread(forgetful.start)  # knows nobody: names what it was told to watch
    try:
        at = [valkey.sentinels[0].port, forgetful.port]
        url = "redis+sentinel://" + ",".join(f"127.0.0.1:{port}" for port in at) + "/bridge"
        address = RedisAddress(url=url)
        for _ in range(20):  # whoever of them answers first
            assert (await ask(address)).place == ("127.0.0.1", new.port)
    finally:
        await asyncio.to_thread(forgetful.kill)


async def test_a_server_that_is_a_replica_is_not_taken_for_the_primary(
    tmp_path: Path, shared: Guarded
) -> None:
    """The sentinel names it, and it is none: in the middle of a failover, or set up wrongly."""
    replica = shared.servers[1]
    wrong = Sentinel(tmp_path / "wrong", replica.engine, replica)
    await asyncio.to_thread(wrong.start)
    try:
        address = RedisAddress(url=f"redis+sentinel://127.0.0.1:{wrong.port}/bridge")
        with pytest.raises(Unavailable) as refused:
            await dial(address)
        assert refused.value.code == "failover_under_way"
    finally:
        await asyncio.to_thread(wrong.kill)


async def test_a_name_that_the_sentinels_do_not_know_is_the_operators_to_mend(
    shared: Guarded,
) -> None:
    address = shared.address()
    other = RedisAddress(url=address.url.replace("/bridge", "/another"))
    with pytest.raises(OperatorError) as unknown:
        await dial(other)
    assert unknown.value.code == "sentinel_primary_unknown"
    assert unknown.value.hint


async def test_a_failover_without_replicas_waited_for_is_a_loss_to_be_accepted(
    shared: Guarded,
) -> None:
    with pytest.raises(OperatorError) as refused:
        await RedisStore.create(shared.address())
    assert refused.value.code == "store_lossy"
    assert "--replicas" in (refused.value.hint or "")
    store = await RedisStore.create(shared.address(accept_loss=True))
    assert store.accepted_losses == ("replicas 0",)
    await store.close()
