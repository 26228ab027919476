"""The archive cut off at each of its effects, fenced, late, and in a server without memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from saphan_broker.store.redis.archive.move_bulletins import BulletinMover
from saphan_broker.store.redis.archive.policy import EAGER
from saphan_broker.store.redis.line import Command, Line, LineDown
from saphan_broker.store.redis.refusals import Reply
from saphan_broker.store.redis.store import RedisStore
from saphan_schemas.errors import OperatorError, Unavailable
from support.archives import Hooked, HookedTwin, archive_all, fill, held, hooked_twin, reopen
from support.servers import ENGINES, Engine, Server
from support.store_commits import digest


class Counter:
    """Fails the n-th of the effects that pass it, and every later one: the process is gone."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


# --- cut off --------------------------------------------------------------------------------------


@pytest.mark.parametrize("done", [False, True], ids=["not done", "done, reported failed"])
async def test_cut_off_at_each_effect_it_loses_nothing_and_goes_on(
    twin: HookedTwin,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    done: bool,
) -> None:
    await fill(twin)
    ask = Line.ask
    broken: Counter | None = None

    async def cut_put(_name: str) -> None:
        if broken is not None and broken():
            raise OperatorError("blobs_unusable", "injected")

    async def cut_ask(self: Line, commands: Sequence[Command], wait_ms: int = 0) -> list[Reply]:
        writes = any(word[0] == "EVAL" and "no-writes" not in str(word[1]) for word in commands)
        cut = writes and broken is not None and broken()
        if cut and not done:
            raise LineDown("injected")
        replies = await ask(self, commands, wait_ms)
        if cut:
            raise LineDown("injected")
        return replies

    monkeypatch.setattr(Line, "ask", cut_ask)
    if done:
        twin.objects.after = cut_put
    else:
        twin.objects.before = cut_put
    effects = failures = 0
    while True:
        broken = Counter(effects % 7)
        try:
            gone = await archive_all(twin.store)
        except (OperatorError, Unavailable):
            failures += 1
            gone = -1
        broken = None
        if not gone:
            break
        effects += 1
        await twin.check()
        await reopen(twin, server, tmp_path)
        assert effects < 60
    assert failures > 5
    await twin.check()
    names = await held(server, tmp_path.name)
    assert (names["b"], names["blocks"]) == (38 + 140, 1)


async def test_killed_with_its_server_it_goes_on(
    twin: HookedTwin, server: Server, tmp_path: Path
) -> None:
    await fill(twin)
    puts = 0

    async def kill(_name: str) -> None:
        nonlocal puts
        puts += 1
        if puts % 4 == 0:
            await asyncio.to_thread(server.kill)

    twin.objects.after = kill
    for _ in range(20):
        with suppress(Unavailable):
            if not await archive_all(twin.store):
                break
        if server.process is None:
            await asyncio.to_thread(server.start)
        await reopen(twin, server, tmp_path)
        await twin.check()
    twin.objects.after = None
    assert puts > 5
    await archive_all(twin.store)
    await twin.check()
    assert (await held(server, tmp_path.name))["b"] == 38 + 140


async def test_closed_in_the_middle_it_ends_and_another_goes_on(
    twin: HookedTwin, server: Server, tmp_path: Path
) -> None:
    await fill(twin)

    async def close(_name: str) -> None:
        twin.objects.after = None
        await twin.store.close()

    for part in ("blocks", "facts"):
        twin.objects.after = lambda name, part=part: close(name) if part in name else _nothing()
        with pytest.raises(OperatorError) as closed:
            await archive_all(twin.store)
        assert closed.value.code == "store_closed"
        await reopen(twin, server, tmp_path)
        await twin.check()
    await archive_all(twin.store)
    await twin.check()


async def _nothing() -> None:
    """What happens to the other objects."""


# --- what changes meanwhile -----------------------------------------------------------------------


async def test_a_bulletin_that_changes_while_it_is_packed_stays(
    twin: HookedTwin, server: Server, tmp_path: Path
) -> None:
    rows = await twin.finish(await twin.bulletins(6))

    async def change(name: str) -> None:
        if "/facts/" in name:
            twin.objects.after = None
            rows[2] = await twin.event(rows[2], "read", "read")

    twin.objects.after = change
    await twin.store.archive_some()
    assert (await held(server, tmp_path.name))["b"] == 1
    await twin.check()
    await archive_all(twin.store)
    assert (await held(server, tmp_path.name))["b"] == 0
    await twin.check()


async def test_what_is_opened_after_it_was_chosen_stays(
    twin: HookedTwin, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = await twin.finish(await twin.bulletins(4))
    read, late = BulletinMover._read, [rows[1]]

    async def opened(mover: BulletinMover, ids: Sequence[bytes], *, whole: bool) -> list[Any]:
        while late:
            await twin.event(late.pop(), "consigned", "submitted", 10**13)
        return list(await read(mover, ids, whole=whole))

    monkeypatch.setattr(BulletinMover, "_read", opened)
    await archive_all(twin.store)
    assert (await held(server, tmp_path.name))["b"] == 1
    await twin.check()


async def test_what_is_admitted_after_it_was_chosen_goes_to_its_day(
    twin: HookedTwin, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was only refused has no day; retention removes a day's folder."""
    id_ = digest("admitted after all")
    await twin.commit(twin.story.refusal(id_))
    read = BulletinMover._read

    async def admitted(mover: BulletinMover, ids: Sequence[bytes], *, whole: bool) -> list[Any]:
        if len(twin.commits) == 1:
            late = twin.story.admission([id_])
            done = [replace(row, deadline=None) for row in late.deliveries]
            await twin.commit(replace(late, deliveries=done))
        return list(await read(mover, ids, whole=whole))

    monkeypatch.setattr(BulletinMover, "_read", admitted)
    assert await archive_all(twin.store) + await archive_all(twin.store) > 0
    assert (await held(server, tmp_path.name))["b"] == 0
    folders = {path.name for path in (tmp_path / "objects").glob("*/facts/*")}
    assert folders == {str(twin.commits[1].bulletins[0].due_day)}
    await twin.check()


async def test_two_movers_at_one_time_agree(
    twin: HookedTwin, server: Server, tmp_path: Path
) -> None:
    await fill(twin)
    address = server.address(name=tmp_path.name)
    other = await RedisStore.open(address, objects=twin.objects, policy=EAGER)
    await asyncio.gather(archive_all(twin.store), archive_all(other))
    await twin.check()
    first, twin.store = twin.store, other
    await twin.check()
    twin.store = first
    await other.close()
    assert (await held(server, tmp_path.name))["b"] == 38 + 140


@pytest.mark.parametrize("part", ["blocks", "boxes"])
async def test_a_mover_that_comes_late_undoes_nothing(
    twin: HookedTwin, server: Server, tmp_path: Path, part: str
) -> None:
    """It has slept between an object and its script; another one has gone on since."""
    await fill(twin)
    await twin.bulletins(500)
    asleep, awake = asyncio.Event(), asyncio.Event()
    slow = Hooked(tmp_path / "objects")
    address = server.address(name=tmp_path.name)
    late = await RedisStore.open(address, objects=slow, policy=EAGER)

    async def sleep(name: str) -> None:
        if f"/{part}/" in name:
            asleep.set()
            await awake.wait()

    slow.after = sleep
    task = asyncio.create_task(late.archive_some())
    await asleep.wait()
    await archive_all(twin.store)
    awake.set()
    await task
    await late.close()
    await slow.close()
    await reopen(twin, server, tmp_path)
    await twin.check()
    await twin.bulletins(300)
    await archive_all(twin.store)
    await twin.check()
    assert (await held(server, tmp_path.name))["blocks"] == 1


async def test_who_lost_the_lease_removes_nothing(
    twin: HookedTwin, server: Server, tmp_path: Path
) -> None:
    await fill(twin)

    def fence() -> None:
        with server.client() as client:
            for log in ("evidence", "directory"):
                client.hincrby(f"saphan:{{{tmp_path.name}/{log}}}:head", "epoch", 1)

    before = await held(server, tmp_path.name)

    async def lose(_name: str) -> None:
        twin.objects.after = None
        await asyncio.to_thread(fence)

    twin.objects.after = lose
    for _ in range(3):
        with pytest.raises(Unavailable) as refused:
            await twin.store.archive_some()
        assert refused.value.code == "lease_lost"
    assert await held(server, tmp_path.name) == before
    await twin.check(leads=False)


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_server_without_memory_is_relieved(tmp_path: Path, engine: Engine) -> None:
    with await asyncio.to_thread(Server(tmp_path / engine, engine).start) as server:
        async with hooked_twin(server, tmp_path) as twin:
            await fill(twin)
            with server.client() as client:
                used = client.info("memory")["used_memory"]
            await asyncio.to_thread(server.set, "maxmemory", str(used // 2))
            with pytest.raises(OperatorError) as full:
                await twin.store.commit(twin.story.bulletins(1, name="refused"))
            assert full.value.code == "store_memory_full"
            assert await archive_all(twin.store) > 2
            assert (await held(server, tmp_path.name))["b"] == 38 + 140
            await twin.check()
