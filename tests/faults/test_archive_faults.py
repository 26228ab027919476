"""The archive cut off at each of its effects, fenced, without memory, without its objects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from saphan_broker.objects.directory import DirectoryObjects
from saphan_broker.store.redis.archive.policy import EAGER
from saphan_broker.store.redis.line import Command, Line, LineDown
from saphan_broker.store.redis.refusals import Reply
from saphan_broker.store.redis.store import RedisStore
from saphan_schemas.errors import OperatorError, Unavailable
from support.archives import Twin, archive_all, held
from support.servers import ENGINES, Engine, Server

Hook = Callable[[str], Awaitable[None]]


class Hooked(DirectoryObjects):
    """Objects in a directory; a test may do something before or after one is put."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.before: Hook | None = None
        self.after: Hook | None = None

    async def put(self, name: str, data: bytes) -> None:
        if self.before is not None:
            await self.before(name)
        await super().put(name, data)
        if self.after is not None:
            await self.after(name)


class Counter:
    """Fails the n-th of the effects that pass it, and every later one: the process is gone."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("valkey"))
    try:
        yield server.start()
    finally:
        server.free()


@pytest.fixture
async def objects(tmp_path: Path) -> AsyncIterator[Hooked]:
    objects = Hooked(tmp_path / "objects")
    yield objects
    await objects.close()


@pytest.fixture
async def twin(server: Server, tmp_path: Path, objects: Hooked) -> AsyncIterator[Twin]:
    address = server.address(name=tmp_path.name)
    twin = Twin(await RedisStore.create(address, objects=objects, policy=EAGER))
    yield twin
    await twin.store.close()


async def reopen(twin: Twin, server: Server, tmp_path: Path, objects: Hooked) -> None:
    """Another process on what is there."""
    await twin.store.close()
    address = server.address(name=tmp_path.name)
    twin.store = await RedisStore.open(address, objects=objects, policy=EAGER)


async def fill(twin: Twin) -> None:
    """Something of every kind to be archived: blocks, mailboxes, new and opened bulletins."""
    rows = await twin.bulletins(140)
    quiet = [replace(row, deadline=None) for row in rows[:100]]
    await twin.commit(twin.story.leaves([], deliveries=quiet))
    await archive_all(twin.store)
    await twin.event(quiet[3], "read", "read")
    first = twin.commits[0].stanzas[4]
    again = twin.story.event(quiet[4], "consigned", "submitted")
    await twin.commit(replace(again, stanzas=[replace(first, sealed=b"new")]))
    await twin.finish(rows[100:102])
    await twin.bulletins(140, sender="th.oncb")


# --- cut off --------------------------------------------------------------------------------------


@pytest.mark.parametrize("done", [False, True], ids=["not done", "done, reported failed"])
async def test_cut_off_at_each_effect_it_loses_nothing_and_goes_on(
    twin: Twin,
    server: Server,
    tmp_path: Path,
    objects: Hooked,
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
        objects.after = cut_put
    else:
        objects.before = cut_put
    effects = failures = 0
    while True:
        broken = Counter(effects % 5)
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
        await reopen(twin, server, tmp_path, objects)
        assert effects < 60
    assert failures > 8
    await twin.check()
    names = await held(server, tmp_path.name)
    assert (names["b"], names["blocks"]) == (38 + 140, 1)


async def test_killed_with_its_server_it_goes_on(
    twin: Twin, server: Server, tmp_path: Path, objects: Hooked
) -> None:
    await fill(twin)
    puts = 0

    async def kill(_name: str) -> None:
        nonlocal puts
        puts += 1
        if puts % 4 == 0:
            await asyncio.to_thread(server.kill)

    objects.after = kill
    for _ in range(20):
        with suppress(Unavailable):
            if not await archive_all(twin.store):
                break
        if server.process is None:
            await asyncio.to_thread(server.start)
        await reopen(twin, server, tmp_path, objects)
        await twin.check()
    objects.after = None
    assert puts > 5
    await archive_all(twin.store)
    await twin.check()
    assert (await held(server, tmp_path.name))["b"] == 38 + 140


async def test_closed_in_the_middle_it_ends_and_another_goes_on(
    twin: Twin, server: Server, tmp_path: Path, objects: Hooked
) -> None:
    await fill(twin)

    async def close(_name: str) -> None:
        objects.after = None
        await twin.store.close()

    for part in ("blocks", "facts"):
        objects.after = lambda name, part=part: close(name) if part in name else _nothing()
        with pytest.raises(OperatorError) as closed:
            await archive_all(twin.store)
        assert closed.value.code == "store_closed"
        await reopen(twin, server, tmp_path, objects)
        await twin.check()
    await archive_all(twin.store)
    await twin.check()


async def _nothing() -> None:
    """What happens to the other objects."""


# --- what changes meanwhile -----------------------------------------------------------------------


async def test_a_bulletin_that_changes_while_it_is_packed_stays(
    twin: Twin, server: Server, tmp_path: Path, objects: Hooked
) -> None:
    rows = await twin.finish(await twin.bulletins(6))

    async def change(name: str) -> None:
        if "/facts/" in name:
            objects.after = None
            rows[2] = await twin.event(rows[2], "read", "read")

    objects.after = change
    await twin.store.archive_some()
    assert (await held(server, tmp_path.name))["b"] == 1
    await twin.check()
    await archive_all(twin.store)
    assert (await held(server, tmp_path.name))["b"] == 0
    await twin.check()


async def test_two_movers_at_one_time_agree(
    twin: Twin, server: Server, tmp_path: Path, objects: Hooked
) -> None:
    await fill(twin)
    address = server.address(name=tmp_path.name)
    other = await RedisStore.open(address, objects=objects, policy=EAGER)
    await asyncio.gather(archive_all(twin.store), archive_all(other))
    await twin.check()
    first, twin.store = twin.store, other
    await twin.check()
    twin.store = first
    await other.close()
    assert (await held(server, tmp_path.name))["b"] == 38 + 140


@pytest.mark.parametrize("part", ["blocks", "boxes"])
async def test_a_mover_that_comes_late_undoes_nothing(
    twin: Twin, server: Server, tmp_path: Path, objects: Hooked, part: str
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
    await reopen(twin, server, tmp_path, objects)
    await twin.check()
    await twin.bulletins(300)
    await archive_all(twin.store)
    await twin.check()
    assert (await held(server, tmp_path.name))["blocks"] == 1


async def test_who_lost_the_lease_removes_nothing(
    twin: Twin, server: Server, tmp_path: Path, objects: Hooked
) -> None:
    await fill(twin)

    def fence() -> None:
        with server.client() as client:
            for log in ("evidence", "directory"):
                client.hincrby(f"saphan:{{{tmp_path.name}/{log}}}:head", "epoch", 1)

    before = await held(server, tmp_path.name)

    async def lose(_name: str) -> None:
        objects.after = None
        await asyncio.to_thread(fence)

    objects.after = lose
    for _ in range(3):
        with pytest.raises(Unavailable) as refused:
            await twin.store.archive_some()
        assert refused.value.code == "lease_lost"
    assert await held(server, tmp_path.name) == before
    await twin.check()


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_server_without_memory_is_relieved(
    tmp_path: Path, objects: Hooked, engine: Engine
) -> None:
    server = await asyncio.to_thread(Server(tmp_path / engine, engine).start)
    address = server.address(name=tmp_path.name)
    twin = Twin(await RedisStore.create(address, objects=objects, policy=EAGER))
    try:
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
    finally:
        await twin.store.close()
        server.free()


# --- objects --------------------------------------------------------------------------------------


def spoiled(place: Path, part: str, how: str) -> list[Path]:
    """Every object of a kind, removed or with flipped bits."""
    found = [path for path in place.rglob("*") if path.is_file() and f"/{part}/" in str(path)]
    for path in found:
        data = path.read_bytes()
        if how == "missing":
            path.unlink()
        else:
            path.write_bytes(data[:60] + bytes([byte ^ 1 for byte in data[60:]]))
    return found


READS: dict[str, Callable[[Twin, bytes, Any], Awaitable[object]]] = {
    "blocks": lambda twin, _id, _row: twin.store.leaves("evidence", 0, 3),
    "boxes": lambda twin, _id, _row: twin.store.feed("kh.gpo", None, 200, 5, 10**9),
    "facts": lambda twin, id_, _row: twin.store.bulletins([id_]),
    "packs": lambda twin, id_, _row: twin.store.bodies([id_]),
}


@pytest.mark.parametrize("how", ["missing", "damaged"])
@pytest.mark.parametrize("part", READS)
async def test_an_object_that_is_gone_or_damaged_is_named_and_others_go_on(
    twin: Twin, server: Server, tmp_path: Path, objects: Hooked, part: str, how: str
) -> None:
    await fill(twin)
    await archive_all(twin.store)
    first = twin.commits[0].bulletins[0]
    assert await asyncio.to_thread(spoiled, tmp_path / "objects", part, how) != []
    await reopen(twin, server, tmp_path, objects)
    with pytest.raises(OperatorError) as refused:
        await READS[part](twin, first.id, None)
    assert refused.value.code == f"object_{how}"
    assert f"/{part}/" in refused.value.message
    rows = await twin.bulletins(2, sender="vn.c04", recipient="mm.ccdac")
    await twin.finish(rows)
    await archive_all(twin.store)
    assert (await held(server, tmp_path.name))["b"] == 38 + 140
    ids = [row.bulletin for row in rows]
    assert await twin.store.bodies(ids) == await twin.memory.bodies(ids)


async def test_a_lost_body_ends_no_feed(
    twin: Twin, server: Server, tmp_path: Path, objects: Hooked
) -> None:
    """Its ciphertext comes without bytes; who wants them asks for them, and is told."""
    await twin.finish(await twin.bulletins(5))
    await archive_all(twin.store)
    await asyncio.to_thread(spoiled, tmp_path / "objects", "packs", "missing")
    await reopen(twin, server, tmp_path, objects)
    rows = await twin.store.feed("kh.gpo", None, 100, 100, 10**9)
    right = await twin.memory.feed("kh.gpo", None, 100, 100, 10**9)
    assert [row.entry for row in rows] == [row.entry for row in right]
    lost = [replace(row.bulletin, ciphertext=b"") for row in right[:5] if row.bulletin]
    assert [row.bulletin for row in rows[:5]] == lost
    with pytest.raises(OperatorError):
        await twin.store.bodies([lost[0].id])


@pytest.mark.parametrize("part", ["facts", "packs"])
async def test_what_was_said_late_stays_readable_when_the_archived_part_is_gone(
    twin: Twin, server: Server, tmp_path: Path, objects: Hooked, part: str
) -> None:
    """It is left in memory, once, with a warning; the mover goes on with the others."""
    rows = await twin.finish(await twin.bulletins(3))
    await archive_all(twin.store)
    again = twin.story.event(rows[0], "consigned", "read")
    stanza = replace(twin.commits[0].stanzas[0], sealed=b"new")
    await twin.commit(replace(again, stanzas=[stanza]))
    saved = {path: path.read_bytes() for path in (tmp_path / "objects").rglob(f"{part}/*/*")}
    await asyncio.to_thread(spoiled, tmp_path / "objects", part, "missing")
    await reopen(twin, server, tmp_path, objects)
    await twin.finish(await twin.bulletins(2))
    await archive_all(twin.store)
    assert (await held(server, tmp_path.name))["b"] == 1
    for path, data in saved.items():  # the operator puts it back
        await asyncio.to_thread(_restore, path, data)
    await twin.check()


def _restore(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
