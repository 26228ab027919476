"""Packs on a real server: they go with their last body, and who reads them misses nothing."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import pytest
from saphan_broker.store.redis import rewriting
from saphan_broker.store.redis.archive import waking
from saphan_broker.store.redis.archive.policy import EAGER
from saphan_broker.store.redis.store import RedisStore
from support.aging_commits import copies, destruction, hold, release, settled, wrapped_anew
from support.archives import HookedTwin, archive_all, reopen
from support.destroyed import (
    cleanse,
    destroy,
    pack_files,
    packs,
    settled_ones,
)
from support.servers import Server
from support.store_commits import digest
from support.windows import found_in

DUE = 30_000


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a rewriting takes long, and then the next one is waited for."""
    monkeypatch.setattr(rewriting, "REST", 0)


async def test_a_pack_goes_with_its_last_body_and_what_is_held_is_taken_out_first(
    twin: HookedTwin, tmp_path: Path
) -> None:
    rows = await settled_ones(twin, 5)
    await archive_all(twin.store)
    (first,) = packs(tmp_path)
    held, kept = hold(twin.story, rows[:1], digest("order"))
    await twin.commit(held)
    await destroy(twin, rows[1:3])
    assert await cleanse(twin.store)
    assert first not in packs(tmp_path)
    await twin.check()
    await destroy(twin, rows[3:])
    assert await cleanse(twin.store)
    await twin.check()
    (last,) = packs(tmp_path)
    size = sum(path.stat().st_size for path in pack_files(tmp_path))
    assert size < 2 * 900 + 2 * 1200  # one of five
    again = await twin.store.stanzas_due(DUE + 1, 10)
    await twin.commit(wrapped_anew(twin.story, again, DUE + 9))
    await archive_all(twin.store)
    assert await cleanse(twin.store)
    assert {path.parent.name for path in pack_files(tmp_path)} == {str(DUE + 9)}
    freed, rows = release(twin.story, kept, held.holds)
    await twin.commit(freed)
    await destroy(twin, rows)
    assert await cleanse(twin.store)
    assert packs(tmp_path) == set() != {last}
    await twin.check()


async def test_what_one_recipient_still_needs_stays_without_the_others_stanza(
    twin: HookedTwin, server: Server, tmp_path: Path
) -> None:
    rows = await settled_ones(twin, 2)
    await twin.commit(copies(twin.story, twin.commits[0], "th.oncb"))
    keys = [(row.bulletin, "th.oncb") for row in rows]
    others = list((await twin.memory.deliveries(keys)).values())
    ended, others = settled(twin.story, others)
    await twin.commit(ended)
    await archive_all(twin.store)
    gone, _after = destruction(twin.story, rows, [])
    await twin.commit(gone)
    await twin.check()
    stanzas = [row.sealed for row in twin.commits[0].stanzas]
    assert found_in([tmp_path / "objects"], stanzas) != set()
    assert await cleanse(twin.store)
    assert found_in([tmp_path / "objects"], stanzas) == set()
    await twin.check()
    await destroy(twin, others)
    await archive_all(twin.store)
    assert await cleanse(twin.store)
    await twin.check()
    assert packs(tmp_path) == set()


async def test_what_is_destroyed_while_its_pack_is_cleansed_is_not_left(
    twin: HookedTwin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One recipient's day has come before the other's, whose comes just then."""
    rows = await settled_ones(twin, 2)
    await twin.commit(copies(twin.story, twin.commits[0], "th.oncb"))
    others = await twin.memory.deliveries([(row.bulletin, "th.oncb") for row in rows])
    ended, last = settled(twin.story, list(others.values()))
    await twin.commit(ended)
    await archive_all(twin.store)
    gone, _after = destruction(twin.story, rows, [])
    await twin.commit(gone)
    delete = twin.objects.delete

    async def meanwhile(name: str) -> None:
        monkeypatch.setattr(twin.objects, "delete", delete)
        await delete(name)
        await destroy(twin, last)

    monkeypatch.setattr(twin.objects, "delete", meanwhile)
    assert await cleanse(twin.store)
    assert packs(tmp_path) == set()
    await twin.check()


@pytest.mark.parametrize("all_of_it", [False, True], ids=["one of them", "all of it"])
async def test_who_reads_a_pack_that_is_cleansed_just_then_misses_nothing(
    twin: HookedTwin,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    all_of_it: bool,
) -> None:
    """Another process, which no sequencer waits for; and it sounds no alarm for ever."""
    rows = await settled_ones(twin, 3)
    await archive_all(twin.store)
    address = server.address(name=tmp_path.name)
    reader = await RedisStore.open(address, objects=twin.objects, policy=EAGER)
    get_range = twin.objects.get_range

    async def meanwhile(name: str, offset: int, length: int) -> bytes | None:
        monkeypatch.setattr(twin.objects, "get_range", get_range)
        await destroy(twin, rows if all_of_it else rows[:1])
        assert await cleanse(twin.store)
        return await get_range(name, offset, length)

    monkeypatch.setattr(twin.objects, "get_range", meanwhile)
    ids = [row.bulletin for row in rows]
    assert await reader.bodies(ids) == await twin.memory.bodies(ids)
    pairs = [(id_, "kh.gpo") for id_ in ids]
    assert await reader.stanzas(pairs) == await twin.memory.stanzas(pairs)
    assert reader.archived is not None
    for name in reader.archived.take_lost():
        assert await reader.archived.is_whole(name)
    await reader.close()


async def test_a_pack_that_is_lost_holds_up_no_other(
    twin: HookedTwin, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = await settled_ones(twin, 3)
    await archive_all(twin.store)
    lost = pack_files(tmp_path, "facts")[0]
    others = await settled_ones(twin, 3)
    await archive_all(twin.store)
    kept = lost.read_bytes()
    lost.unlink()
    await reopen(twin, server, tmp_path)
    asked: list[str] = []
    get = twin.objects.get

    async def counted(name: str) -> bytes | None:
        asked.append(name)
        return await get(name)

    monkeypatch.setattr(twin.objects, "get", counted)
    for _ in range(3):  # it is not asked for before each commit of a sweep
        assert await twin.store.destroyable(DUE, 10) == others
    assert await twin.store.first_undestroyed() == DUE
    assert len([name for name in asked if name.endswith(lost.name)]) == 1
    await destroy(twin, others)
    lost.write_bytes(kept)
    assert await twin.store.destroyable(DUE, 10) == []
    monkeypatch.setattr(waking, "monotonic", lambda: monotonic() + waking.PAUSE_S)
    assert await twin.store.destroyable(DUE, 10) == rows
    await destroy(twin, rows)
    assert await cleanse(twin.store)
    await twin.check()
