"""What has left the server's memory is read as if it were there (docs/adr/0015)."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from msgspec.structs import replace
from saphan_broker.objects.directory import DirectoryObjects
from saphan_broker.store.redis.archive.index import Slots
from saphan_broker.store.redis.archive.policy import Policy
from saphan_broker.store.redis.store import RedisStore
from saphan_schemas.errors import OperatorError
from support.archives import EagerStore, Twin, archive_all, held
from support.rooms import ROOT
from support.servers import Server
from support.store_commits import START, digest


async def test_only_what_is_open_stays_in_memory(
    twin: Twin, server: Server, tmp_path: Path
) -> None:
    rows = await twin.bulletins(300)
    await twin.bulletins(40, sender="kh.gpo", recipient="la.ospp")
    waiting = await twin.bulletins(3, sender="th.oncb")
    done = await twin.commit(
        twin.story.leaves([], deliveries=[replace(row, deadline=None) for row in rows])
    )
    await twin.check()
    before = await held(server, tmp_path.name)
    assert (before["b"], before["n"], before["blocks"], before["x"]) == (343, 343, 2, 0)
    assert await archive_all(twin.store) > 300
    await twin.check()
    after = await held(server, tmp_path.name)
    assert (after["b"], after["n"], after["blocks"], after["sigs"]) == (43, 43, 1, 1)
    assert after["x"] == 5  # a bucket for each 128 slots of ids and nonces
    assert await archive_all(twin.store) == 0
    for row in (*done.deliveries[:2], *waiting):
        await twin.event(row, "read", row.state, row.deadline)
    await twin.check()


async def test_what_is_said_late_lies_over_the_archive_and_follows_it(
    twin: Twin, server: Server, tmp_path: Path
) -> None:
    rows = await twin.finish(await twin.bulletins(5))
    await archive_all(twin.store)
    assert (await held(server, tmp_path.name))["b"] == 0
    for state in ("read", "read again", "and again"):
        rows[1] = await twin.event(rows[1], state, state)
        await twin.check()
        assert (await held(server, tmp_path.name))["b"] == 1
        await archive_all(twin.store)
        await twin.check()
        assert (await held(server, tmp_path.name))["b"] == 0


async def test_an_archived_bulletin_may_be_opened_again(
    twin: Twin, server: Server, tmp_path: Path
) -> None:
    rows = await twin.finish(await twin.bulletins(4))
    await archive_all(twin.store)
    again = twin.story.event(rows[2], "consigned", "submitted", deadline=START + 5)
    stanza = replace(twin.commits[0].stanzas[2], sealed=b"a new stanza")
    commit = await twin.commit(replace(again, stanzas=[stanza]))
    await archive_all(twin.store)
    await twin.check()
    assert (await held(server, tmp_path.name))["b"] == 1
    await twin.finish(commit.deliveries)
    await archive_all(twin.store)
    await twin.check()
    assert (await held(server, tmp_path.name))["b"] == 0


async def test_recipients_of_one_bulletin_stand_apart(twin: Twin) -> None:
    story = twin.story
    first = story.bulletins(2)
    rows = [
        replace(row, recipient=agency)
        for row in first.deliveries
        for agency in ("kh.gpo", "vn.c04", "th.oncb")
    ]
    stanzas = [
        replace(first.stanzas[0], bulletin=row.bulletin, recipient=row.recipient, sealed=b"s")
        for row in rows
    ]
    await twin.commit(replace(first, deliveries=rows, stanzas=stanzas))
    for row in rows[:5]:
        await twin.event(row, "accepted", "accepted")
    await archive_all(twin.store)
    await twin.check()
    assert await twin.store.archive_some() == 0
    await twin.event(rows[5], "rejected", "rejected")
    await archive_all(twin.store)
    await twin.event(rows[4], "read", "read")
    await twin.check()
    await archive_all(twin.store)
    await twin.check()


async def test_what_was_refused_leaves_the_memory_too_and_may_come_back(
    twin: Twin, server: Server, tmp_path: Path
) -> None:
    """Somebody who is refused again and again must not fill it."""
    ids = [digest("refused", at) for at in range(3)]
    for id_ in (*ids, ids[0]):
        await twin.commit(twin.story.refusal(id_))
    await archive_all(twin.store)
    await twin.bulletins(1)
    await twin.check()
    assert (await held(server, tmp_path.name))["b"] == 1
    await twin.commit(twin.story.refusal(ids[0]))
    await twin.check()
    await archive_all(twin.store)
    admitted = await twin.commit(twin.story.admission(ids[:2]))
    assert await twin.store.bodies(ids) == await twin.memory.bodies(ids)
    assert await archive_all(twin.store) < 10
    assert (await held(server, tmp_path.name))["b"] == 3
    rows = await twin.finish(admitted.deliveries)
    await archive_all(twin.store)
    await twin.check()
    assert (await held(server, tmp_path.name))["b"] == 1
    await twin.event(rows[0], "read", "read")
    await twin.commit(twin.story.refusal(ids[1]))
    await archive_all(twin.store)
    await twin.check()
    names = await held(server, tmp_path.name)
    assert (names["b"], names["n"]) == (1, 1)


async def test_what_was_refused_thousands_of_times_leaves_whole_or_stays(
    twin: Twin, server: Server, tmp_path: Path
) -> None:
    story, id_ = twin.story, digest("again and again")
    await twin.bulletins(1)
    for name, count, size, left in (("often", 9_000, 0, 1), ("too long", 40, 120_000, 2)):
        one = story.refusal(id_)
        start = story.tree.size
        said = {
            (id_, digest(name, at).ljust(32 + size, b"."), "la.ospp"): start + at
            for at in range(count)
        }
        await twin.commit(one)
        await twin.commit(story.leaves([digest(key) for key in said], statements=said))
        await archive_all(twin.store)
        await twin.check()
        assert (await held(server, tmp_path.name))["b"] == left


async def test_bulletins_of_one_due_day_share_packs(twin: Twin, tmp_path: Path) -> None:
    commit = twin.story.bulletins(60)
    days = [replace(row, due_day=30_000 + at % 3) for at, row in enumerate(commit.bulletins)]
    quiet = [
        replace(row, deadline=None, due_day=of.due_day)
        for row, of in zip(commit.deliveries, days, strict=True)
    ]
    stanzas = [
        replace(row, due_day=of.due_day) for row, of in zip(commit.stanzas, days, strict=True)
    ]
    rows = {"bulletins": days, "deliveries": quiet, "stanzas": stanzas}
    await twin.commit(replace(commit, **rows))
    await archive_all(twin.store)
    await twin.check()
    (store,) = (tmp_path / "objects").glob("[0-9a-f]*")
    for kind in ("facts", "packs"):
        found = sorted(path.name for path in (store / kind).iterdir())
        assert found == ["30000", "30001", "30002"]
        assert all(len(list((store / kind / day).iterdir())) == 1 for day in found)


async def test_what_was_archived_is_there_for_another_process(
    twin: Twin, server: Server, tmp_path: Path
) -> None:
    await twin.finish(await twin.bulletins(270))
    await archive_all(twin.store)
    objects = DirectoryObjects(tmp_path / "objects")
    twin.store, first = (
        await RedisStore.open(server.address(name=tmp_path.name), objects=objects),
        twin.store,
    )
    await twin.check()
    assert await twin.store.archive_some() == 0
    await twin.store.close()
    twin.store = first
    await objects.close()


async def test_a_store_is_not_opened_without_its_archive(
    twin: Twin, server: Server, tmp_path: Path
) -> None:
    await twin.finish(await twin.bulletins(1))
    await archive_all(twin.store)
    elsewhere = DirectoryObjects(tmp_path / "elsewhere")
    for objects in (None, elsewhere):
        with pytest.raises(OperatorError) as refused:
            await RedisStore.open(server.address(name=tmp_path.name), objects=objects)
        assert refused.value.code == "objects_elsewhere"
    await elsewhere.close()


async def test_nothing_above_the_signed_head_is_archived(server: Server, tmp_path: Path) -> None:
    objects = DirectoryObjects(tmp_path / "objects")
    policy = Policy(keep_blocks=0, keep_bulletins=0, keep_box=1, least_bulletins=1, least_box=1)
    address = server.address(name=tmp_path.name)
    store = await RedisStore.create(address, objects=objects, policy=policy)
    twin = Twin(store)
    await twin.finish(await twin.bulletins(300))
    assert await archive_all(store) == 0
    await store.put_note("evidence", 310, b"note")
    assert await archive_all(store) > 10
    await twin.check()
    names = await held(server, tmp_path.name)
    assert (names["b"], names["blocks"]) == (290, 2)
    await store.close()
    await objects.close()


async def test_the_usual_policy_keeps_what_is_new(server: Server, tmp_path: Path) -> None:
    objects = DirectoryObjects(tmp_path / "objects")
    store = await RedisStore.create(server.address(name=tmp_path.name), objects=objects)
    twin = Twin(store)
    await twin.finish(await twin.bulletins(300))
    await store.put_note("evidence", 600, b"note")
    assert await archive_all(store) == 0
    await store.close()
    await objects.close()


async def test_of_two_ids_with_one_slot_the_second_stays_in_memory(
    twin: Twin, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Slots, "of_id", lambda _self, id_: id_[:8])  # the true ones are keyed
    ids = [digest("same")[:10] + digest(at)[:22] for at in range(3)]
    for id_ in ids[:2]:
        await _admit_finished(twin, id_)
    await archive_all(twin.store)
    await twin.check()
    assert (await held(server, tmp_path.name))["b"] == 1
    assert await twin.store.bulletins([ids[2]]) == {}
    assert await archive_all(twin.store) == 0
    stored = (await twin.memory.bulletins([ids[1]]))[ids[1]]
    assert (await twin.store.by_nonce([(stored.sender, stored.nonce)])) != {}


async def _admit_finished(twin: Twin, id_: bytes) -> None:
    """One bulletin with this id, which nothing is waited for."""
    commit = twin.story.bulletins(1, name=id_)
    (key, index) = next(iter(commit.statements.items()))
    await twin.commit(
        replace(
            commit,
            entries=[replace(commit.entries[0], bulletin=id_)],
            bulletins=[twin.story.bulletin(id_, "la.ospp")],
            deliveries=[replace(commit.deliveries[0], bulletin=id_, deadline=None)],
            stanzas=[replace(commit.stanzas[0], bulletin=id_)],
            statements={(id_, *key[1:]): index},
        )
    )


async def test_the_index_is_kept_in_short_listpacks(
    twin: Twin, server: Server, tmp_path: Path
) -> None:
    """Their bytes are what the ADR states; every slot is found while the buckets grow."""
    prefix = f"saphan:{{{tmp_path.name}/evidence}}:".encode()
    for _ in range(2):
        rows = await twin.bulletins(450)
        quiet = [replace(row, deadline=None) for row in rows]
        await twin.commit(twin.story.leaves([], deliveries=quiet))
        await archive_all(twin.store)
        ids = [row.bulletin for row in rows]
        assert await twin.store.bulletins(ids) == await twin.memory.bulletins(ids)
    await twin.check()
    with server.client() as client:
        buckets = list(client.scan_iter(match=prefix + b"x:*", count=10_000))
        lengths = [client.hlen(key) for key in buckets]
        keys = [*buckets, prefix + b"packs:0", prefix + b"archive"]
        assert {client.object("encoding", key) for key in keys} == {b"listpack"}
    assert len(buckets) == 2 * 900 // 128 + 1
    assert (sum(lengths), max(lengths) < 320) == (2 * 900, True)


async def test_a_long_directory_log_leaves_tiles_of_every_level(
    twin: Twin, server: Server, tmp_path: Path
) -> None:
    twin.story.log = "directory"
    for at in range(0, 65_536 + 512, 8_257):
        leaves = [b"%d" % (at + more) for more in range(8_257)]
        await twin.commit(twin.story.leaves(leaves))
    await archive_all(twin.store)
    for level, n in ((0, 0), (0, 255), (0, 257), (1, 0), (1, 1), (2, 0)):
        found = await twin.store.tile("directory", level, n)
        assert found == await twin.memory.tile("directory", level, n)
        assert found is not None
    assert await twin.store.leaves("directory", 100, 900) == [b"%d" % at for at in range(100, 900)]
    with server.client() as client:
        kept = client.hkeys(f"saphan:{{{tmp_path.name}/directory}}:tiles")
    assert sorted(kept) == [b"0/258", b"1/1", b"2/0"]
    assert (await held(server, tmp_path.name))["blocks"] == 1


async def test_a_block_that_no_object_holds_stays_in_memory(
    twin: Twin, server: Server, tmp_path: Path
) -> None:
    twin.story.log = "directory"
    leaves = [b"%d" % at * 16_000 for at in range(100, 356)]
    await twin.commit(twin.story.leaves(leaves))
    await twin.commit(twin.story.leaves([b"%d" % at for at in range(300)]))
    await archive_all(twin.store)
    assert await twin.store.leaves("directory", 0, 256) == leaves
    assert await twin.store.tile("directory", 0, 0) == await twin.memory.tile("directory", 0, 0)
    with server.client() as client:
        kept = [key.rpartition(b":")[2] for key in client.scan_iter(f"*{tmp_path.name}*blocks:*")]
    assert sorted(kept) == [b"0", b"2"]


async def test_an_eager_mover_beside_work_changes_no_answer(server: Server, tmp_path: Path) -> None:
    store = await EagerStore.make(server.address(name=tmp_path.name), tmp_path / "objects")
    twin = Twin(store)
    for turn in range(6):
        rows = await twin.bulletins(7, recipient=("kh.gpo", "vn.c04")[turn % 2])
        await twin.finish(rows[: turn + 1])
        await twin.check()
    await store.close()


async def test_the_rights_that_operating_names_are_enough(server: Server, tmp_path: Path) -> None:
    """For commits, reads and the mover; other keys are out of reach."""
    text = await asyncio.to_thread((ROOT / "docs" / "operating.md").read_text, encoding="utf-8")
    (rights,) = re.findall(r"user broker on #\S+ (.+)", text)
    password = tmp_path / "password"
    password.write_text("a password\n")
    password.chmod(0o600)

    def grant() -> None:
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "broker", "on", ">a password", *rights.split())

    await asyncio.to_thread(grant)
    address = server.address(name=tmp_path.name, user="broker", password_file=password)
    store = await EagerStore.make(address, tmp_path / "objects")
    twin = Twin(store)
    await twin.finish((await twin.bulletins(260))[:4])
    await twin.check()
    found = await held(server, tmp_path.name)
    assert (found["b"], found["blocks"]) == (256, 1)
    await store.close()
