"""Two processes that both believe in the lease, and a server that fails under them.

Expected, whatever happens: one root for each size, each bulletin once, "retry" instead of an answer
that is not true, and everything goes on by itself.
"""

from __future__ import annotations

import asyncio
import fcntl
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from saphan_broker.store.redis.keys import Keys
from saphan_broker.store.redis.lease import Lease
from saphan_protocol.checkpoint import verify_head
from saphan_protocol.notes import parse_vkey
from saphan_schemas.frames import Result, Submission
from saphan_schemas.records import BatchSignature
from support.crews import Crew, Member, until
from support.loads import Stubborn
from support.session import Line

A, B = "la.ospp", "kh.gpo"
THIEF = "00" * 16


@pytest.fixture
async def crew(tmp_path: Path) -> AsyncIterator[Crew]:
    crew = Crew(tmp_path, A, B)
    async with crew.carried(2):
        await crew.enrol()
        yield crew


def one(crew: Crew) -> tuple[Submission, BatchSignature]:
    sender = crew.agencies[A]
    made = sender.bulletin([B], crew.clock())
    (item,), batch = sender.submissions([made], [crew.agencies[B]])
    return item, batch


async def brought(line: Line, item: Submission, batch: BatchSignature) -> Result:
    """What a node does: sends the same again for as long as it is told to."""
    async with asyncio.timeout(30):
        while True:
            (result,) = await line.submit([item], batch)
            if not result.retry_after_ms:
                return result
            await asyncio.sleep(0.05)


def drop_lease(crew: Crew) -> None:
    """As if it had run out: whoever looks first takes it."""
    with crew.server.client() as client:
        client.delete(Keys("bridge.example", "evidence").lease)


async def pass_on(crew: Crew, done: Callable[[bytes | None], bool]) -> None:
    """The holder's lease runs out, as often as it takes it back; nobody else's does.

    Args:
        done: whether it has gone on, by who has the lease now.
    """
    lease = Keys("bridge.example", "evidence").lease
    with crew.server.client() as client:
        held = now = client.get(lease)
        while now == held or not done(now):
            if now == held:
                client.delete(lease)
            await asyncio.sleep(0.3)
            now = client.get(lease)


async def check_one_story(crew: Crew, count: int) -> None:
    """Every bulletin once, and the signed head is over exactly these leaves."""
    store = crew.members[-1].broker.store
    size = (await store.state("evidence")).head.size
    rows = await store.entries(0, size)
    submitted = [row.bulletin for row in rows if row.event == "submitted"]
    assert len(submitted) == len(set(submitted)) == count
    note = await store.note("evidence")
    assert note is not None
    first, second = (parse_vkey(key) for key in crew.pins.evidence.vkeys)
    assert verify_head(note.note, (first, second)).size == size


async def test_a_holder_whose_lease_another_took_is_fenced_and_follows(crew: Crew) -> None:
    """Timeline: the lease is taken behind the holder's back; what it has is not written; the
    thief dies; one of the two goes on."""
    holder, follower = crew.members
    near, far = await crew.line_at(holder, A), await crew.line_at(follower, A)
    thief = Lease(crew.server.address(name="bridge.example"), THIEF)
    while not await thief.take():  # another may look just when it has run out
        drop_lease(crew)
    before = (await follower.broker.store.state("evidence")).head
    item, batch = one(crew)
    (result,) = await near.submit([item], batch)
    assert result.retry_after_ms > 0, result
    await until(lambda: not holder.broker.role.holding)
    assert (await follower.broker.store.state("evidence")).head == before
    await until(lambda: not follower.broker.role.holder_known)
    (result,) = await far.submit([item], batch)
    assert result.code == "no_holder"
    await thief.close()
    await until(lambda: any(member.broker.role.holding for member in crew.members))
    first = await brought(near, item, batch)
    assert first.code is None
    assert await brought(far, item, batch) == first
    for line in (near, far):
        await line.entry(first.indices[0])
    await check_one_story(crew, 1)


async def test_a_holder_that_is_fenced_between_commit_and_signature(crew: Crew) -> None:
    """Timeline: the commit is durable, its signature waits for the disk; the lease moves; the new
    holder waits for the signer's lock and says so; both sign the same head, and only the new
    holder's note is kept and answered."""
    holder, follower = crew.members
    line = await crew.line_at(holder, A)
    await brought(line, *one(crew))  # the fresh head for this session is signed before it
    item, batch = one(crew)
    with (crew.keys / "evidence.lock").open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        size = (await follower.broker.store.state("evidence")).head.size
        answer = await line.send_submit([item], batch)
        async with asyncio.timeout(20):
            while (await follower.broker.store.state("evidence")).head.size == size:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        await pass_on(crew, lambda now: now is not None)
        await until(lambda: "signer_locked" in codes(follower))
        fcntl.flock(lock, fcntl.LOCK_UN)
    (result,) = await answer
    assert result.retry_after_ms > 0, result
    first = await brought(line, item, batch)
    assert first.code is None
    assert crew.holder is follower
    other = await crew.line_at(follower, A)
    assert await brought(other, item, batch) == first
    await check_one_story(crew, 2)


async def test_a_holder_that_does_not_know_yet_answers_nothing_that_another_has_not_signed(
    crew: Crew,
) -> None:
    """It reads in the store what the new holder has committed, and that is no answer before the
    new holder's head over it is signed and durable."""
    old, new = crew.members
    near, far = await crew.line_at(old, A), await crew.line_at(new, A)
    item, batch = one(crew)

    async def renewed() -> bool:
        return True

    renew = old.broker.role._lease.renew  # type: ignore[attr-defined]
    old.broker.role._lease.renew = renewed  # type: ignore[attr-defined]
    await pass_on(crew, lambda _now: new.broker.role.holding)
    assert (await brought(far, *one(crew))).code is None
    with (crew.keys / "evidence.lock").open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        size = (await new.broker.store.state("evidence")).head.size
        answer = await far.send_submit([item], batch)
        async with asyncio.timeout(20):
            while (await new.broker.store.state("evidence")).head.size == size:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert old.broker.role.holding
        (result,) = await near.submit([item], batch)
        assert result.retry_after_ms > 0, result
        fcntl.flock(lock, fcntl.LOCK_UN)
    old.broker.role._lease.renew = renew  # type: ignore[attr-defined]
    (first,) = await answer
    assert first.code is None
    assert await brought(near, item, batch) == first
    await check_one_story(crew, 2)


async def test_a_process_that_the_server_drops_as_too_slow_loses_nothing(crew: Crew) -> None:
    """The server cuts subscribers off that do not keep up: what was said meanwhile is lost, whoever
    waited for it is told to send again, and everything comes."""
    _holder, follower = crew.members
    line, receiving = await crew.line_at(follower, A), await crew.line_at(follower, B)
    told: list[Result] = []

    async def bring() -> None:
        for _ in range(12):
            result = await brought(line, *one(crew))
            told.append(result)

    loads = [asyncio.create_task(bring()) for _ in range(3)]
    with crew.server.client() as client:
        for enough in (4, 12, 20):
            await until(lambda: len(told) >= enough)  # noqa: B023
            assert client.execute_command("CLIENT", "KILL", "TYPE", "pubsub") == 2
    await asyncio.gather(*loads)
    assert {result.code for result in told} == {None}
    assert len({result.indices for result in told}) == 36
    for result in told:
        await receiving.entry(result.indices[0])
    await check_one_story(crew, 36)


async def test_a_server_that_is_killed_and_started_again_under_load(crew: Crew) -> None:
    """Nothing that was answered is lost, nothing is logged twice, and nobody has to do anything."""
    nodes = [
        Stubborn(crew.agencies[A], crew.pins, crew.clock, lambda url=member.url: [url])  # type: ignore[misc]
        for member in crew.members
    ]
    told: list[Result] = []

    async def bring(node: Stubborn) -> None:
        for _ in range(15):
            result = await node.bring(*one(crew))
            told.append(result)

    loads = [asyncio.create_task(bring(node)) for node in nodes]
    await until(lambda: len(told) >= 5)
    await asyncio.to_thread(crew.server.kill)
    await asyncio.sleep(0.3)
    await asyncio.to_thread(crew.server.start)
    await asyncio.gather(*loads)
    for node in nodes:
        await node.close()
    assert {result.code for result in told} == {None}
    assert len({result.indices for result in told}) == 30
    await check_one_story(crew, 30)
    await until(lambda: all(member.broker.ready().ready for member in crew.members))


async def test_nobody_who_has_the_server_can_speak_for_a_process(crew: Crew) -> None:
    """What is said between processes is sealed: bytes of others, and bytes said again, are passed
    over; what was recorded does not make a bulletin of anybody's."""
    holder, follower = crew.members
    prefix = Keys("bridge.example", "evidence").prefix + b"process:"
    with crew.server.client() as client:
        heard = client.pubsub(ignore_subscribe_messages=True)
        heard.psubscribe(prefix + b"*")
        line = await crew.line_at(follower, A)
        item, batch = one(crew)
        first = await brought(line, item, batch)
        recorded: list[tuple[bytes, bytes]] = []
        names: set[bytes] = set()
        async with asyncio.timeout(20):
            while len(names) < 3:  # all, the holder's, the follower's
                message = await asyncio.to_thread(heard.get_message, timeout=0.1)
                if message is not None:
                    recorded.append((message["channel"], message["data"]))
                    names.add(message["channel"])
        assert not any(item.ciphertext[:32] in data or b"la.ospp" in data for _, data in recorded)
        for name in names:
            for _own, data in recorded:  # said again, and said elsewhere
                assert client.publish(name, data) >= 1
            for length in (0, 3, 16, 60, 500):
                client.publish(name, bytes(length))
        heard.close()
    assert await brought(line, item, batch) == first
    assert holder.broker.role.holding
    assert (holder.broker.ready().ready, follower.broker.ready().ready) == (True, True)
    await check_one_story(crew, 1)


async def test_a_server_restarted_empty_is_noticed_and_nothing_is_signed(
    crew: Crew, tmp_path: Path
) -> None:
    """The signer knows that it signed more than there is: it refuses and says what to do."""
    holder, _follower = crew.members
    line = await crew.line_at(holder, A)
    item, batch = one(crew)
    assert (await brought(line, item, batch)).code is None
    signed = {log: signer.last() for log, signer in holder.broker.state.signers.items()}
    await asyncio.to_thread(crew.server.kill)
    kept, lost = tmp_path / "kept", crew.server.directory / "appendonlydir"
    await asyncio.to_thread(shutil.copytree, lost, kept)
    await asyncio.to_thread(crew.server.start_empty)
    for member in crew.members:
        await until(lambda m=member: "store_missing" in codes(m))  # type: ignore[misc]
        assert "lease_unreachable" not in alarms(member)
        assert not member.broker.role.holding
    for member in crew.members:
        (alarm,) = [a for a in member.broker.ready().reasons if a.code == "store_missing"]
        assert "restore" in alarm.message or "successor" in alarm.message
    assert {log: one.last() for log, one in holder.broker.state.signers.items()} == signed
    with crew.server.client() as client:
        assert client.dbsize() == 0
    await asyncio.to_thread(crew.server.kill)
    await asyncio.to_thread(shutil.rmtree, lost)
    await asyncio.to_thread(kept.rename, lost)
    await asyncio.to_thread(crew.server.start)
    for member in crew.members:  # its files are back: everything goes on, and no alarm stays
        await until(lambda m=member: not codes(m) | alarms(m))  # type: ignore[misc]


def codes(member: Member) -> set[str]:
    return {alarm.code for alarm in member.broker.ready().reasons}


def alarms(member: Member) -> set[str]:
    return {alarm.code for alarm in member.broker.state.alarms.active()}


async def test_a_lease_that_ran_out_unnoticed_is_taken_back(tmp_path: Path) -> None:
    """A process that was merely slow: nobody else was there, so it goes on where it was."""
    crew = Crew(tmp_path, A, B)
    async with crew.carried(1):
        await crew.enrol()
        (only,) = crew.members
        line = await crew.line_at(only, A)
        with crew.server.client() as client:
            lease = Keys("bridge.example", "evidence").lease
            drop_lease(crew)
            await until(lambda: client.get(lease) is not None)
        assert only.broker.role.holding
        result = await brought(line, *one(crew))
        assert result.code is None
        await line.entry(result.indices[0])
        await check_one_story(crew, 1)
