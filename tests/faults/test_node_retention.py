"""A node's sweep: killed at each effect, on a full disk, with a clock that leaps."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import signal
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from saphan.node.files.parts import GONE
from saphan.node.retaining.sweeping import LEAP, UNWITNESSED
from saphan.node.retention.witnessed import ACTED_FACT
from saphan.node.service import NodeService
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import DAY_MS, LIMITS
from support.attaching import pdf, send
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, states
from support.command import environment
from support.erasing_child import PLACES, node, sweep

ATTACHED = 70_000


@dataclass(frozen=True)
class Due:
    """A node's folder, and what is in it: one bulletin that is due, one that a hold keeps."""

    folder: Path
    now: int
    day: int
    gone: bytes
    held: bytes

    def copy(self, place: Path) -> Due:
        shutil.copytree(self.folder, place)
        return Due(place, self.now, self.day, self.gone, self.held)

    @property
    def keys(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "node/data/archive-keys").iterdir())

    @property
    def parts(self) -> list[str]:
        """Folders of attachments."""
        return sorted(path.name for path in (self.folder / "node/data/blobs/in").iterdir())


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Due:
    """One for all tests of this file: each takes a copy."""

    async def make(place: Path) -> Due:
        async with bridged(place) as bridge:
            found = await made(bridge, bridge.clock() // DAY_MS + 2)
            return found.copy(place / "original")

    return asyncio.run(make(tmp_path_factory.mktemp("retention")))


@pytest.fixture
def due(original: Due, tmp_path: Path) -> Due:
    return original.copy(tmp_path / "due")


async def made(bridge: Bridge, last: int) -> Due:
    """Both with an attachment, both due on the same day."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            found = []
            for seed in (1, 2):
                one = await send(la, pdf(ATTACHED, seed), retain_until=last)
                await eventually(lambda: states(kh, one) == ["accepted"])  # noqa: B023
                found.append(one)
            with kh.db.transaction() as tx:
                tx.execute("INSERT INTO held (bulletin, hold) VALUES (?, ?)", (found[1], b"h" * 32))
    return Due(bridge.place / KH, last * DAY_MS + 5, last, *found)


async def killed(found: Due, where: str) -> tuple[int, str]:
    """How the child ended, and what it said."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "support.erasing_child", str(found.folder), str(found.now), where),
        env=environment(),
        cwd=Path(__file__).parent.parent,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await child.communicate()
    assert child.returncode is not None
    assert child.returncode in (0, -signal.SIGKILL), err.decode()
    return child.returncode, out.decode()


def is_done(service: NodeService, found: Due) -> None:
    """All of one is gone and said, once; all of the other is here, under another day's key."""
    db = service.db
    assert db.rows("SELECT state FROM retention ORDER BY seq") == [("deleted",), ("active",)]
    assert db.rows("SELECT id FROM bulletins JOIN bodies USING (seq)") == [(found.held,)]
    assert db.rows("SELECT id FROM bulletins WHERE wrapped IS NOT NULL") == [(found.held,)]
    said = db.rows("SELECT bulletin FROM statements WHERE event = 'erased'")
    assert said == [(found.gone,)]
    assert db.rows("SELECT stage FROM parts WHERE bulletin = ? AND place = 1", (found.gone,)) == [
        (GONE,)
    ]
    assert found.parts == [found.held.hex()]
    assert str(found.day) not in found.keys
    assert not [name for name in found.keys if name.startswith(".")]
    assert service.readings.system(found.held)[0]["id"] == found.held.hex()


async def test_killed_at_each_effect_it_ends_the_same(due: Due, tmp_path: Path) -> None:
    copies = {where: due.copy(tmp_path / str(at)) for at, where in enumerate(PLACES)}
    ends = await asyncio.gather(*(killed(found, where) for where, found in copies.items()))
    assert ends == [(-signal.SIGKILL, "")] * len(PLACES)
    for found in copies.values():
        service = node(found.folder, found.now)
        with closing(service.db):
            sweep(service, found.now)
            is_done(service, found)
            assert sweep(service, found.now + 60_000) == 0


async def test_a_full_disk_leaves_it_to_the_next_look(due: Due) -> None:
    status, said = await killed(due, "full")
    assert status == 0
    # A limit on files is no full disk to every write of SQLite's.
    assert json.loads(said)["code"] in ("disk_full", "store_damaged")
    service = node(due.folder, due.now)
    with closing(service.db):
        assert sweep(service, due.now) == 1
        is_done(service, due)


async def test_nothing_is_said_while_a_file_is_still_there(
    due: Due, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk keeps an attachment: it is erased and said when that is gone, and not before."""
    service = node(due.folder, due.now)
    with closing(service.db):
        with monkeypatch.context() as patched:
            patched.setattr("saphan.node.files.blobs.shutil.rmtree", refuse)
            with pytest.raises(OperatorError, match="file_unwritable"):
                sweep(service, due.now)
        assert service.db.rows("SELECT 1 FROM statements WHERE event = 'erased'") == []
        assert service.db.rows("SELECT state FROM retention") == [("deleting",), ("active",)]
        sweep(service, due.now)
        is_done(service, due)


def refuse(path: Path) -> None:
    raise PermissionError(errno.EACCES, "this disk gives nothing away", str(path))


async def test_nothing_goes_on_a_clock_that_leaps(due: Due) -> None:
    """A year ahead: an alarm, and everything stays until a person says that the time is right."""
    service = node(due.folder, due.now)
    with closing(service.db):
        before = due.now - DAY_MS
        assert sweep(service, before) == 0
        leap = before + LIMITS.retention_leap_ms + 365 * DAY_MS
        assert sweep(service, leap) == 0
        assert [alarm.code for alarm in service.alarms.standing()] == [LEAP]
        assert len(service.db.rows("SELECT 1 FROM bodies")) == 2
        assert str(due.day) in due.keys
        assert service.db.row("SELECT value FROM facts WHERE name = ?", (ACTED_FACT,)) == (before,)
        # Back again, as a witness's clock was set right: no person is needed.
        assert sweep(service, due.now) == 1
        assert service.alarms.standing() == []


async def test_a_witness_that_is_silent_for_days_is_an_alarm(due: Due) -> None:
    """One other agency, and its node is off: nothing goes, and somebody hears of it."""
    later = due.now + LIMITS.destruction_grace_ms
    for silent in (due.now - DAY_MS, None):
        service = node(due.folder, later)
        with closing(service.db):
            assert sweep(service, silent) == 0
            assert [alarm.code for alarm in service.alarms.standing()] == [UNWITNESSED]
    service = node(due.folder, due.now + DAY_MS)
    with closing(service.db):
        assert sweep(service, due.now - DAY_MS) == 0
        assert service.alarms.standing() == []
    service = node(due.folder, later)
    with closing(service.db):
        sweep(service, due.now - DAY_MS)
        assert sweep(service, later) == 1
        assert service.alarms.standing() == []


async def test_days_without_power_are_no_leap(due: Due) -> None:
    service = node(due.folder, due.now)
    with closing(service.db):
        sweep(service, due.now - DAY_MS)
    later = due.now + 30 * DAY_MS
    service = node(due.folder, later)
    with closing(service.db):
        assert sweep(service, later) == 1
        is_done(service, due)


async def test_a_key_that_is_exposed_stops_the_wrapping_and_loses_nothing(due: Due) -> None:
    """What is held must not go with its day because its key cannot be read just now."""
    path = due.folder / "node/data/archive-keys" / str(due.day)
    os.chmod(path, 0o644)
    service = node(due.folder, due.now)
    with closing(service.db), pytest.raises(OperatorError, match="key_file_exposed"):
        sweep(service, due.now)
    os.chmod(path, 0o600)
    service = node(due.folder, due.now)
    with closing(service.db):
        sweep(service, due.now)
        is_done(service, due)


async def test_a_damaged_key_of_what_is_held_keeps_no_other_key_alive(due: Due) -> None:
    folder = due.folder / "node/data/archive-keys"
    (folder / str(due.day)).write_bytes(b"x" * 16)
    (folder / str(due.day - 1)).write_bytes(b"x" * 32)
    (folder / str(due.day + 1)).write_bytes(b"x" * 32)
    for day in (due.day - 1, due.day + 1):
        os.chmod(folder / str(day), 0o600)
    service = node(due.folder, due.now + DAY_MS)
    with closing(service.db), pytest.raises(OperatorError, match="archive_key_damaged"):
        sweep(service, due.now + DAY_MS)
    assert due.keys == [str(due.day)]
