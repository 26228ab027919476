"""What replicas must hold before anything is answered, and who may write: real servers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from saphan_broker.store.base import CommitUnknown, HeadMoved, SignedHead
from saphan_broker.store.redis.lease import Lease
from saphan_broker.store.redis.store import RedisStore
from saphan_schemas.errors import OperatorError, Unavailable
from support.pens import Pen
from support.redis_relay import redis_relay
from support.servers import ENGINES, Engine, Server, cluster_of
from support.store_commits import Story
from support.whole_store import check_whole

GROUP = 3
HEAD = "saphan:{saphan/evidence}:head"
LEASE = "saphan:{saphan/evidence}:lease"


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.param
    return found


@pytest.fixture
def pair(engine: Engine, tmp_path: Path) -> Iterator[Sequence[Server]]:
    """A primary and its replica."""
    servers = cluster_of(tmp_path / "pair", 1, engine)
    yield servers
    for server in servers:
        server.free()


@pytest.fixture
def server(engine: Engine, tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path / "server", engine).start()
    yield started
    started.free()


# --- replicas ------------------------------------------------------------------------------------


async def test_a_commit_is_answered_when_the_replica_has_it(pair: Sequence[Server]) -> None:
    primary, replica = pair
    store = await RedisStore.create(primary.address(replicas=1))
    story = Story()
    await store.commit(story.bulletins(GROUP), lambda: b"note")
    with replica.client() as client:
        assert client.hget(HEAD, "size") == b"%d" % GROUP
        assert client.hget(HEAD, "note") == b"note"
    await store.close()


async def test_while_the_replica_is_behind_nothing_is_signed_or_answered(
    pair: Sequence[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    primary, replica = pair
    store = await RedisStore.create(primary.address(replicas=1))
    story = Story()
    await store.commit(story.bulletins(GROUP), lambda: b"first")

    pen = Pen()
    address = primary.address(replicas=1, wait_ms=100)
    monkeypatch.setattr(store._writer, "address", address)
    replica.pause()
    commit = story.bulletins(GROUP)
    with pytest.raises(CommitUnknown) as unknown:
        await store.commit(commit, pen)
    assert pen.signed == 0
    assert unknown.value.code == "replicas_missing"
    assert "0 of 1" in unknown.value.message
    with pytest.raises(CommitUnknown):  # what it reads may be lost with the server
        await store.state("evidence")
    await store.close()
    with pytest.raises(Unavailable) as missing:
        await RedisStore.open(address)
    assert missing.value.code == "replicas_missing"
    lease = Lease(address, "one")
    with pytest.raises(Unavailable) as missing:  # nor is anything signed by a new holder
        await lease.take()
    assert missing.value.code == "replicas_missing"

    replica.resume()
    patient = primary.address(replicas=1)
    again = await RedisStore.open(patient)
    assert await check_whole(again, GROUP) == commit.head
    assert await again.note("evidence") == SignedHead(GROUP, b"first")
    await again.close()
    await lease.close()


async def test_too_few_replicas_then_enough(server: Server, engine: Engine, tmp_path: Path) -> None:
    address = server.address(replicas=1, wait_ms=100)
    with pytest.raises(Unavailable) as missing:
        await RedisStore.create(address)
    assert missing.value.code == "replicas_missing"
    with Server(tmp_path / "replica", engine).start() as replica:
        replica.follow(server)
        store = await RedisStore.open(server.address(replicas=1))
        commit = Story().bulletins(GROUP)
        await store.commit(commit)
        assert await check_whole(store, GROUP) == commit.head
        await store.close()


async def test_a_replica_takes_no_broker(pair: Sequence[Server]) -> None:
    primary, replica = pair
    await (await RedisStore.create(primary.address(replicas=1))).close()
    with pytest.raises(OperatorError) as refused:
        await RedisStore.open(replica.address())
    assert refused.value.code == "redis_read_only"


async def test_a_server_that_wants_replicas_itself_refuses_a_commit_whole(server: Server) -> None:
    store = await RedisStore.create(server.address())
    commit = Story().bulletins(GROUP)
    server.set("min-replicas-to-write", "1")
    with pytest.raises(Unavailable) as refused:
        await store.commit(commit)
    assert refused.value.code == "replicas_missing"
    server.set("min-replicas-to-write", "0")
    await store.commit(commit)
    assert await check_whole(store, GROUP) == commit.head
    await store.close()


async def test_a_lease_moves_to_the_new_primary_although_the_old_one_lives(
    pair: Sequence[Server],
) -> None:
    """The address leads to the replica now, and no line was cut."""
    primary, replica = pair
    await (await RedisStore.create(primary.address(replicas=1))).close()
    async with redis_relay(primary.port) as relay:
        lease = Lease(relay.address(), "one")
        assert await lease.take()
        with replica.client() as client:
            client.execute_command("REPLICAOF", "NO", "ONE")
        primary.follow(replica)
        relay.target = replica.port
        with pytest.raises(OperatorError) as refused:
            await lease.renew()
        assert refused.value.code == "redis_read_only"
        assert await lease.take()
        with replica.client() as client:
            assert client.get(LEASE) == b"one"
        await lease.close()


# --- the lease -----------------------------------------------------------------------------------


async def test_one_at_a_time_holds_the_lease_and_gives_it_back(server: Server) -> None:
    await (await RedisStore.create(server.address())).close()
    one, two = Lease(server.address(), "one"), Lease(server.address(), "two")
    assert await one.current() is None
    assert await one.take()
    assert await one.take()  # still ours, the same holding
    assert (one.epoch, await two.current()) == (1, ("one", 1))
    assert not await two.take()
    assert not await two.renew()
    await two.release()  # what is not ours is not given up
    assert await one.renew()
    await one.release()
    assert not await one.renew()
    assert await two.take()
    assert two.epoch == 2
    for lease in (one, two):
        await lease.close()


async def test_a_lease_that_runs_out_can_be_taken(server: Server) -> None:
    await (await RedisStore.create(server.address())).close()
    one, two = Lease(server.address(), "one"), Lease(server.address(), "two")
    assert await one.take()
    with server.client() as client:
        assert 0 < client.pttl(LEASE) <= 2000
        client.pexpire(LEASE, 0)
    assert not await one.renew()
    assert one.epoch == 0
    assert await two.take()
    for lease in (one, two):
        await lease.close()


async def test_of_two_that_believe_in_the_lease_only_the_last_one_writes(server: Server) -> None:
    address = server.address()
    first, second = Lease(address, "one"), Lease(address, "two")
    store = await RedisStore.create(address)
    other = await RedisStore.open(address)
    story = Story()
    assert await first.take()
    store.epoch = first.epoch
    await store.commit(story.bulletins(GROUP), lambda: b"first")
    unheard = story.bulletins(GROUP)
    with server.client() as client:
        client.delete(LEASE)  # its holder hung so long
    assert await second.take()
    other.epoch = second.epoch

    async def refused(store: RedisStore) -> None:
        with pytest.raises(HeadMoved) as fenced:
            await store.commit(unheard, lambda: b"second")
        assert fenced.value.code == "lease_lost"
        with pytest.raises(HeadMoved) as fenced:
            await store.put_note("evidence", GROUP, b"other")
        assert fenced.value.code == "lease_lost"

    await refused(store)  # although the head is still the one it knows
    directory = Story(log="directory")
    with pytest.raises(HeadMoved):
        await store.commit(directory.leaves([b"types"]))
    assert (await other.state("evidence")).head == unheard.expected
    await other.commit(unheard, lambda: b"second")
    await refused(store)
    assert await check_whole(other, GROUP) == unheard.head
    assert await other.note("evidence") == SignedHead(2 * GROUP, b"second")
    for each in (first, second, store, other):
        await each.close()


async def test_who_never_took_the_lease_does_not_write(server: Server) -> None:
    address = server.address()
    lease = Lease(address, "one")
    await (await RedisStore.create(address)).close()
    assert await lease.take()
    store = await RedisStore.open(address)
    with pytest.raises(HeadMoved) as refused:
        await store.commit(Story().bulletins(GROUP))
    assert refused.value.code == "lease_lost"
    await store.close()
    store = await RedisStore.open(address, epoch=lease.epoch)
    await store.commit(Story().bulletins(GROUP))
    await store.close()
    await lease.close()


async def test_an_epoch_outlives_the_server(server: Server) -> None:
    address = server.address()
    await (await RedisStore.create(address)).close()
    one, two = Lease(address, "one"), Lease(address, "two")
    assert await one.take()
    server.kill()
    with pytest.raises(Unavailable):
        await one.renew()
    server.start()
    with server.client() as client:
        client.delete(LEASE)
    assert await two.take()
    assert two.epoch == 2
    for lease in (one, two):
        await lease.close()
