"""Record packs and log folders, taken beside a running broker, hold up in an offline audit."""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest
from saphan.audit.folder import LogFolder
from saphan.audit.packfile import read_pack
from saphan_broker.export_file import file_error, new_file
from saphan_broker.logs.log_export import export_logs
from saphan_broker.records import write_pack
from saphan_broker.seeds import DayKeys
from saphan_broker.store.memory import MemoryStore
from saphan_protocol.audit.report import Report
from saphan_protocol.audit.verdict import audit
from saphan_protocol.pins import Pins
from saphan_schemas.bodies import known_types
from saphan_schemas.errors import OperatorError
from saphan_schemas.packs import PackEnd, PackEntry, PackHead, PackItem, PackSignature
from saphan_schemas.records import Event
from support.broker_command import BrokerRan, init_broker, saphan_broker
from support.brokers import World

A, B = "la.ospp", "kh.gpo"
BULLETINS = 5


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A running broker that has carried bulletins: accepted, refused and waiting ones."""
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
        await carry(world)
        yield world


async def carry(world: World) -> None:
    sender, recipient = world.agencies[A], world.agencies[B]
    out, into = await world.line(A), await world.line(B)
    attached: list[tuple[bytes, ...]] = [(b"warrant" * 900, b"photo")] + [()] * (BULLETINS - 1)
    made = [sender.bulletin([B], world.clock(), attachments=files) for files in attached]
    await out.bring(made[0].attachments)
    replay = sender.bulletin([B], world.clock(), nonce=made[0].header.nonce)
    items, batch = sender.submissions([*made, replay], [recipient])
    *good, bad = await out.submit(items, batch)
    assert {result.code for result in good} == {None}
    assert bad.code == "replay"
    about = [(one.bulletin_id, one.ciphertext_digest) for one in made[:3]]
    for event in (Event.HANDOVER, Event.ACCEPTED):
        said, batch = recipient.statements(event, about, (A, B), world.clock())
        results = await into.state(said, batch)
        assert {result.code for result in results} == {None}
    await out.close()
    await into.close()


async def command(*words: str | Path, status: int = 0) -> BrokerRan:
    return await asyncio.to_thread(lambda: saphan_broker(*words, "--json", status=status))


async def exported(world: World, *options: str) -> tuple[BrokerRan, Path]:
    out = world.place / "records.pack"
    words = ("records", "export", "--data", world.data, "--keys", world.keys, "--out", out)
    return await command(*words, *options), out


def check(pins: Pins, folder: Path, *packs: Path) -> Report:
    """The offline audit, as `saphan audit verify` runs it."""
    return audit(
        pins,
        LogFolder(folder / "directory"),
        LogFolder(folder / "evidence"),
        [(path.name, read_pack(path)) for path in packs],
        {known.name: known.digest for known in known_types()},
    )


async def test_a_pack_and_a_folder_pass_the_audit_whole(world: World) -> None:
    folder = world.place / "log"
    ran = await command("log", "export", "--data", world.data, "--out", folder)
    sizes = {log: book.tree.size for log, book in world.broker.state.books.items()}
    assert {log: ran.json[log]["size"] for log in sizes} == sizes
    ran, pack = await exported(world)
    report = await asyncio.to_thread(check, world.pins, folder, pack)
    assert report.finding is None, report.finding
    coverage = report.coverage
    # Five submitted, one refused, three handed over, three accepted: every entry is opened.
    assert coverage.opened == {"submitted": 5, "refused": 1, "handover": 3, "accepted": 3}
    assert coverage.entries_opened == coverage.entries == 12
    assert (coverage.agreements_opened, coverage.agreements_logged) == (1, 1)
    assert coverage.signatures == 11
    assert ran.json["entries"] == 12
    assert ran.json["signatures"] == 3  # three batches, each given once
    assert ran.json["destroyed"] == 0
    assert stat.S_IMODE(pack.stat().st_mode) == 0o600


async def test_a_pack_without_an_attachments_digest_fails_the_audit(world: World) -> None:
    folder = world.place / "log"
    await command("log", "export", "--data", world.data, "--out", folder)
    _, pack = await exported(world)
    items = await asyncio.to_thread(lambda: list(read_pack(pack)))
    (with_files,) = [item for item in entries(items) if item.attachments]
    assert len(with_files.attachments) == 2
    for attachments in ((), with_files.attachments[:1], with_files.attachments[::-1]):
        other = [
            msgspec.structs.replace(item, attachments=attachments) if item is with_files else item
            for item in items
        ]
        report = await asyncio.to_thread(
            audit,
            world.pins,
            LogFolder(folder / "directory"),
            LogFolder(folder / "evidence"),
            [("records.pack", iter(other))],
            {known.name: known.digest for known in known_types()},
        )
        assert report.finding is not None
        assert (report.finding.code, report.finding.index) == ("bulletin_id", with_files.index)


async def test_a_pack_of_a_stretch_opens_only_that(world: World) -> None:
    first = next(index for index, number in enumerate(await kinds(world)) if number == "submitted")
    ran, pack = await exported(world, "--from", str(first), "--to", str(first + 3))
    assert (ran.json["start"], ran.json["stop"]) == (first, first + 3)
    items = await asyncio.to_thread(lambda: list(read_pack(pack)))
    assert [item.index for item in entries(items)] == [first, first + 1, first + 2]
    head, end = items[0], items[-1]
    assert isinstance(head, PackHead)
    assert (head.start, head.stop, head.maker) == (first, first + 3, "broker")
    assert isinstance(end, PackEnd)
    assert (end.agreements, end.signatures, end.entries) == (1, 1, 3)


async def kinds(world: World) -> list[str | None]:
    """The event of every evidence leaf; None for an anchor."""
    size = world.broker.state.evidence.tree.size
    found = {row.index: row.event for row in await world.broker.store.entries(0, size)}
    return [found.get(index) for index in range(size)]


def entries(items: list[PackItem]) -> Iterator[PackEntry]:
    return (item for item in items if isinstance(item, PackEntry))


async def test_a_pack_shows_no_content_and_no_key(world: World) -> None:
    _, pack = await exported(world)
    data = await asyncio.to_thread(pack.read_bytes)
    size = world.broker.state.evidence.tree.size
    rows = await world.broker.store.entries(0, size)
    ids = {row.bulletin for row in rows if row.event == "submitted" and row.bulletin}
    stored = await world.broker.store.bodies(ids)
    assert len(stored) == BULLETINS
    stanzas = await world.broker.store.stanzas([(id_, B) for id_ in ids])
    assert len(stanzas) == BULLETINS
    for row in stored.values():
        assert row.ciphertext[:64] not in data
        assert row.ciphertext_digest in data
        assert row.ciphertext_length == len(row.ciphertext)


async def test_signatures_come_before_the_entries_that_need_them(world: World) -> None:
    _, pack = await exported(world)
    known: set[bytes] = set()
    for item in await asyncio.to_thread(lambda: list(read_pack(pack))):
        if isinstance(item, PackSignature):
            known.add(item.batch.key)
        elif isinstance(item, PackEntry) and item.item is not None:
            assert item.item.key in known


async def test_records_of_a_destroyed_day_stay_closed(world: World) -> None:
    copy = world.place / "later"
    await asyncio.to_thread(shutil.copytree, world.keys, copy)
    keys = DayKeys.open(copy)
    size = world.broker.state.evidence.tree.size
    (day,) = {row.record_day for row in await world.broker.store.entries(0, size)}
    await asyncio.to_thread(keys.advance, day + 1)
    parts: list[bytes] = []
    made = await write_pack(world.broker.store, keys, parts.append, 0, None, 0)
    assert (made.entries, made.destroyed, made.signatures) == (0, 12, 0)
    assert made.agreements == 1


async def test_a_second_log_export_adds_what_is_new(world: World) -> None:
    folder = world.place / "log"
    words = ("log", "export", "--data", world.data, "--out", folder)
    await command(*words)
    before = (await command(*words)).json["evidence"]["size"]
    await carry(world)
    ran = await command(*words)
    assert ran.json["evidence"]["size"] > before
    _, pack = await exported(world)
    report = await asyncio.to_thread(check, world.pins, folder, pack)
    assert report.finding is None, report.finding
    assert report.coverage.entries_opened == 24


async def test_a_folder_with_something_else_is_left_alone(world: World) -> None:
    folder = world.place / "log"
    other = world.place / "other"
    await asyncio.to_thread(other.mkdir)
    await asyncio.to_thread(init_broker, other, "other.example")
    words = ("log", "export", "--out", folder, "--data")
    await command(*words, other / "data")
    ran = await asyncio.to_thread(lambda: saphan_broker(*words, world.data, status=5))
    assert ran.code == "folder_foreign"
    await asyncio.to_thread((folder / "directory/checkpoint").unlink)
    ran = await asyncio.to_thread(lambda: saphan_broker(*words, other / "data", status=5))
    assert ran.code == "folder_foreign"


async def test_export_says_what_is_wrong_and_leaves_nothing(world: World) -> None:
    other = world.place / "other"
    await asyncio.to_thread(other.mkdir)
    await asyncio.to_thread(init_broker, other, "other.example")
    out = world.place / "x.pack"
    cases: list[tuple[tuple[str | Path, ...], str, int]] = [
        (("--data", world.data, "--keys", other / "keys"), "unwrap_failed", 5),
        (("--data", world.data, "--keys", world.keys, "--from", "999"), "range_empty", 2),
        (
            ("--data", world.data, "--keys", world.keys, "--from", "3", "--to", "3"),
            "range_empty",
            2,
        ),
        (("--data", world.place, "--keys", world.keys), "store_missing", 5),
        (("--data", world.data, "--keys", world.place / "no"), "key_file_missing", 5),
    ]
    for words, code, status in cases:
        ran = await asyncio.to_thread(
            functools.partial(
                saphan_broker, "records", "export", *words, "--out", out, status=status
            )
        )
        assert ran.code == code
    assert not [name for name in os.listdir(world.place) if name.startswith("x.pack")]
    _, pack = await exported(world)
    before = await asyncio.to_thread(pack.read_bytes)
    words = ("records", "export", "--data", world.data, "--keys", world.keys, "--out", pack)
    ran = await asyncio.to_thread(lambda: saphan_broker(*words, status=5))
    assert ran.code == "file_exists"
    assert await asyncio.to_thread(pack.read_bytes) == before


def write_half(path: Path) -> None:
    with new_file(path) as file:
        file.write(b"first half")
        raise ValueError("half way")


def test_a_file_that_fails_half_way_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="half way"):
        write_half(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OperatorError) as caught, new_file(tmp_path / "no/x"):
        pass
    assert caught.value.code == "file_unwritable"
    full = OSError(28, "No space left on device")
    assert file_error(tmp_path, full).code == "disk_full"


def test_a_log_without_a_head_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        asyncio.run(export_logs(MemoryStore(), tmp_path / "log"))
    assert caught.value.code == "head_missing"
