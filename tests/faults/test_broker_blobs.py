"""The broker's attachments after a crash between any two effects, on full disks, after SIGKILL."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from saphan_broker.blobs.files import BlobFiles
from saphan_broker.blobs.staging import FILE_BYTES, Staging
from saphan_broker.store.sqlite_file import STORE_NAME
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import KIB, LIMITS
from saphan_schemas.records import Blob
from support.agency import Agency
from support.broker_process import broker_process
from support.brokers import World

AGENCY, ID = "la.ospp", b"\xab" * 32
DATA = tuple(bytes([at]) * (10 * KIB + at) for at in range(2))
BLOBS = tuple(Blob(len(data), sha256(data).digest()) for data in DATA)
PART = 4 * KIB
EFFECTS = ("mkdir", "open", "pwrite", "utime", "fsync", "rename", "link", "unlink")


class Crash(BaseException):
    """The process ends here."""


@dataclass
class Crashing:
    """Counts effects on files and ends the process at one of them.

    Args:
        at: number of the effect, from 1.
        done: whether that effect still happens.
    """

    at: int
    done: bool
    count: int = 0

    def wrap(self, name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def effect(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            if self.count != self.at:
                return real(*args, **kwargs)
            if name == "pwrite" and not self.done:  # half of it reaches the file
                real(args[0], bytes(args[1])[: len(args[1]) // 2], *args[2:])
            elif self.done:
                real(*args, **kwargs)
            raise Crash(name)

        return effect


@contextmanager
def crashing(at: int, done: bool) -> Iterator[Crashing]:
    crash = Crashing(at, done)
    with pytest.MonkeyPatch.context() as patch:
        for name in EFFECTS:
            patch.setattr(os, name, crash.wrap(name))
        yield crash


@dataclass
class Broker:
    """What the broker does with one bulletin's attachments, in its order, over restarts."""

    place: Path
    committed: bool = False
    brought: list[int] = field(default_factory=lambda: [0, 0])

    def run(self) -> None:
        staging, files = Staging(self.place / "staging"), BlobFiles(self.place)
        if not self.committed:
            for found, _linked in list(files.ids()):
                files.remove(found, 2**62)
            for number, (blob, data) in enumerate(zip(BLOBS, DATA, strict=True)):
                held = staging.held(AGENCY, blob, 1)
                while held < blob.length:
                    part = data[held : held + PART]
                    held = staging.append(AGENCY, blob, held, part, 1)
                    self.brought[number] += len(part)
            sources = []
            for number in files.missing(ID, BLOBS):
                staged = staging.whole(AGENCY, BLOBS[number])
                assert staged is not None
                sources.append((number, staged))
            files.link(ID, sources, 1)
            self.committed = True  # the store's commit, which is whole or not
        staging.forget(AGENCY, BLOBS)

    def check(self) -> None:
        files = BlobFiles(self.place)
        for number, data in enumerate(DATA):
            assert files.read(ID, number, 0, 10**6) == data
        assert files.missing(ID, BLOBS) == []


def test_bytes_are_durable_before_their_name_and_names_before_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut keeps what was synced: bytes, then their final name, then the commit."""
    synced: set[int] = set()
    linked: set[int] = set()
    real_sync, real_link = os.fsync, os.link

    def sync(descriptor: int) -> None:
        real_sync(descriptor)
        synced.add(os.fstat(descriptor).st_ino)

    def link(source: Path, target: Path) -> None:
        assert source.stat().st_ino in synced
        real_link(source, target)
        synced.discard(target.parent.stat().st_ino)
        linked.add(target.parent.stat().st_ino)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "link", link)
    Broker(tmp_path).run()
    assert linked
    assert linked <= synced


@pytest.mark.parametrize("done", (False, True))
def test_a_crash_between_any_two_effects_loses_nothing_and_brings_little_twice(
    tmp_path: Path, done: bool
) -> None:
    at = 0
    while True:
        at += 1
        broker = Broker(tmp_path / str(at))
        with crashing(at, done) as crash, suppress(Crash):
            broker.run()
        if crash.count < at:
            break
        if broker.committed:
            broker.check()
        broker.run()
        broker.check()
        assert list((broker.place / "staging" / AGENCY).iterdir()) == []
        # The part that was on its way when it crashed may come twice, and no other.
        assert sum(broker.brought) <= sum(map(len, DATA)) + PART
    assert at > 40  # every effect had its turn


@pytest.mark.parametrize("code", (errno.ENOSPC, errno.EIO, errno.EDQUOT))
@pytest.mark.parametrize("name", EFFECTS)
def test_a_failing_disk_leaves_what_was_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    """Each effect fails once; the same calls again finish the work."""
    broker = Broker(tmp_path)
    real = getattr(os, name)
    failed: list[str] = []

    def effect(*args: Any, **kwargs: Any) -> Any:
        if not failed:
            failed.append(name)
            if name == "pwrite":
                real(args[0], bytes(args[1])[:100], *args[2:])
            raise OSError(code, os.strerror(code))
        return real(*args, **kwargs)

    monkeypatch.setattr(os, name, effect)
    with pytest.raises(OSError, match=os.strerror(code)):
        broker.run()
    broker.run()
    broker.check()
    assert sum(broker.brought) <= sum(map(len, DATA))  # what the disk took is not brought again


def test_a_disk_that_fills_up_within_a_part_keeps_what_it_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging = Staging(tmp_path / "staging")
    assert staging.append(AGENCY, BLOBS[0], 0, DATA[0][:PART], 1) == PART
    real = os.pwrite

    def full(descriptor: int, data: Any, offset: int) -> int:
        if offset > PART:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, bytes(data)[:100], offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="No space"):
            staging.append(AGENCY, BLOBS[0], PART, DATA[0][PART : 2 * PART], 1)
    held = PART + 100
    assert staging.held(AGENCY, BLOBS[0], 1) == held
    assert staging.append(AGENCY, BLOBS[0], held, DATA[0][held:], 1) == BLOBS[0].length


def test_attachments_leave_the_log_its_room_on_the_disk(tmp_path: Path) -> None:
    full = Staging(tmp_path / "staging", reserve=2**62)
    with pytest.raises(OSError, match="kept for the log"):
        full.append(AGENCY, BLOBS[0], 0, DATA[0][:PART], 1)
    assert full.held(AGENCY, BLOBS[0], 1) == 0
    assert Staging(tmp_path / "staging").append(AGENCY, BLOBS[0], 0, DATA[0][:PART], 1) == PART


def test_files_are_bounded_however_little_is_in_them(tmp_path: Path) -> None:
    staging = Staging(tmp_path / "staging", 10 * FILE_BYTES)
    blobs = [Blob(5000, sha256(bytes([at])).digest()) for at in range(50)]
    for now, blob in enumerate(blobs, 1):
        assert staging.append(AGENCY, blob, 0, b"x", now) == 1
        assert staging.append("kh.gpo", blobs[0], 0, b"x", now) == 1
    assert len(list((tmp_path / "staging" / AGENCY).iterdir())) == 10
    assert [staging.held(AGENCY, blob, 99) for blob in blobs] == [0] * 40 + [1] * 10
    anew = Staging(tmp_path / "staging", 10 * FILE_BYTES)
    anew.append(AGENCY, blobs[0], 0, b"x", 100)
    assert len(list((tmp_path / "staging" / AGENCY).iterdir())) == 10


def test_bytes_that_a_power_cut_damaged_are_found_by_the_digest(tmp_path: Path) -> None:
    staging = Staging(tmp_path / "staging")
    staging.append(AGENCY, BLOBS[0], 0, DATA[0][:PART], 1)
    (path,) = (tmp_path / "staging" / AGENCY).iterdir()
    path.write_bytes(bytes(i % 7 for i in range(PART)))
    assert staging.held(AGENCY, BLOBS[0], 1) == PART
    with pytest.raises(InvalidInput) as caught:
        staging.append(AGENCY, BLOBS[0], PART, DATA[0][PART:], 1)
    assert caught.value.code == "attachment_digest"
    assert staging.held(AGENCY, BLOBS[0], 1) == 0
    assert staging.append(AGENCY, BLOBS[0], 0, DATA[0], 1) == BLOBS[0].length


async def test_a_killed_broker_goes_on_from_what_it_holds(tmp_path: Path) -> None:
    """SIGKILL in the middle of an upload, and again when all is whole but nothing is submitted."""
    world = World(tmp_path, "la.ospp", "kh.gpo")
    await world.init()
    async with world.running():
        await world.enrol()
    sender, recipient = world.agencies["la.ospp"], world.agencies["kh.gpo"]
    made = Agency.bulletin(sender, ["kh.gpo"], world.clock(), attachments=[b"photo" * 40_000])
    (data,) = made.attachments

    async with broker_process(world.data, world.keys) as process:
        world.url = process.url
        line = await world.line("la.ospp")
        number = await line.offer(made.blobs)
        for offset in range(0, 48 * KIB, PART):
            await line.part(number, 0, offset, data[offset : offset + PART])
        await line.until(lambda: line.held[number][0] >= 16 * KIB)
        await process.kill()
        await line.close()
    async with broker_process(world.data, world.keys) as process:
        world.url = process.url
        line = await world.line("la.ospp")
        assert await line.bring(made.attachments) <= len(data) - 16 * KIB
        await process.kill()
        await line.close()
    async with broker_process(world.data, world.keys) as process:
        world.url = process.url
        line, into = await world.line("la.ospp"), await world.line("kh.gpo")
        assert await line.bring(made.attachments) == 0
        items, batch = sender.submissions([made], [recipient])
        (result,) = await line.submit(items, batch)
        assert result.code is None
        assert await into.fetch_whole(made.bulletin_id, 1) == data
        await line.close()
        await into.close()
    assert (world.data / STORE_NAME).exists()


def peak(process: int) -> int:
    """The most memory that a process has had, KiB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0])


async def test_the_largest_attachments_cost_the_broker_little_memory(tmp_path: Path) -> None:
    """Two of 16 MiB in and out: neither is ever whole in the broker's memory."""
    world = World(tmp_path, "la.ospp", "kh.gpo")
    await world.init()
    async with world.running():
        await world.enrol()
    sender, recipient = world.agencies["la.ospp"], world.agencies["kh.gpo"]
    files = [bytes([at]) * LIMITS.attachment_bytes for at in range(2)]
    made = sender.bulletin(["kh.gpo"], world.clock(), attachments=files)
    async with broker_process(world.data, world.keys) as process:
        world.url = process.url
        line, into = await world.line("la.ospp"), await world.line("kh.gpo")
        idle = peak(process.process.pid)
        await line.bring(made.attachments)
        items, batch = sender.submissions([made], [recipient])
        (result,) = await line.submit(items, batch)
        assert result.code is None
        for place, data in enumerate(made.attachments, 1):
            assert sha256(await into.fetch_whole(made.bulletin_id, place)).digest() == (
                sha256(data).digest()
            )
        assert peak(process.process.pid) - idle < 32 * KIB
        await line.close()
        await into.close()
