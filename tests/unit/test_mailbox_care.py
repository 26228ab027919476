"""A mailbox key's end: alarms before it, destruction after it, reasons that outlive it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from saphan import durable
from saphan.agency import init
from saphan.keys.keyfiles import new_key, read_mailbox, write_plain
from saphan.keys.mailbox_schedule import WEEK_MS
from saphan.keys.passphrase import Passphrase
from saphan.node.alarms import Alarms
from saphan.node.archive import Archive
from saphan.node.logs import Logs
from saphan.node.rows.db import Database
from saphan.node.trust.mailbox_care import MailboxCare
from saphan.node.trust.mailboxes import Mailboxes
from saphan.node.trust.rejections import Rejections
from saphan.node.witness import Witness
from saphan.office import Office
from saphan_protocol.detail import seal_detail, seal_erasure
from saphan_protocol.directory import operation_leaf
from saphan_schemas.codec import encode
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import ErasureDetail, ExportCount, Role, Statement
from support.cheap import CHEAP
from support.pin_files import pins

NOW = 1_752_624_000_000
BULLETIN, DAY = b"b" * 32, 20_500


@dataclass
class House:
    """An agency's node without its line: `now` is its clock, `heads` what witnesses say."""

    office: Office
    db: Database
    now: int = NOW

    def __post_init__(self) -> None:
        self.alarms = Alarms(lambda: self.now)
        self.mailboxes = Mailboxes(self.office.node / "mailbox")
        logs = Logs(self.db, pins())
        for signed in self.office.history():
            logs.directory.apply(operation_leaf(signed))
        archive = Archive(self.office.node / "archive")
        self.rejections = Rejections(self.db, self.mailboxes, archive)
        witness = Witness("la.ospp", None, self.office.node / "witness.json", lambda: self.now)
        self.keys = logs.directory.keys("la.ospp", Role.MAILBOX)
        self.care = MailboxCare(
            "la.ospp", self.db, logs, self.mailboxes, self.rejections, witness, self.alarms,
            lambda: self.now,
        )  # fmt: skip

    def head(self, time: int, witnesses: str) -> None:
        """A head was heard; `time` in ms UTC."""
        with self.db.transaction() as tx:
            tx.execute(
                "INSERT INTO heads VALUES ('o', ?, ?, ?, ?, ?)",
                (time, b"r" * 32, time // 1000, b"note", witnesses),
            )

    def files(self) -> list[str]:
        return sorted(path.name for path in (self.office.node / "mailbox").iterdir())

    def codes(self) -> list[str]:
        self.care.look()
        return [alarm.code for alarm in self.alarms.standing()]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    word = Passphrase("root of the agency")
    office = init(tmp_path / "la", "la.ospp", word, {"bounmy": word}, now=NOW, cost=CHEAP)
    db = Database(tmp_path / "data")
    yield House(office, db)
    db.close()


def test_the_last_weeks_are_told_in_time(house: House) -> None:
    assert house.codes() == []
    house.now = NOW + (LIMITS.mailbox_first_weeks - LIMITS.mailbox_warn_weeks) * WEEK_MS
    assert house.codes() == []
    house.now += 1
    assert house.codes() == ["mailbox_runs_out"]
    (alarm,) = house.alarms.standing()
    assert "27 days more" in alarm.message
    assert alarm.hint
    assert "saphan keys rotate mailbox --weeks 24" in alarm.hint


def test_an_enrolled_key_that_is_not_here_is_told(house: House) -> None:
    name = house.files()[0]
    file = house.office.node / "mailbox" / name
    away = file.rename(house.office.folder / name)
    house.mailboxes = Mailboxes(file.parent)
    house = House(house.office, house.db)
    assert house.codes() == ["mailbox_halves_missing"]
    assert name.removesuffix(".key") in house.alarms.standing()[0].message
    away.rename(file)
    assert house.codes() == []


@pytest.mark.parametrize(
    ("clock", "head", "witnesses", "left"),
    [
        (1, 1, "kh.gpo", 7),
        (1, 1, "", 8),  # signed by the log, cosigned by nobody
        (1, -1, "kh.gpo", 8),
        (-1, 1, "kh.gpo", 8),
        (0, 0, "kh.gpo", 8),
    ],
)
def test_a_half_goes_when_clock_and_witnessed_head_are_past_its_end(
    house: House, clock: int, head: int, witnesses: str, left: int
) -> None:
    first = min(house.keys, key=lambda key: key.open_until or 0)
    end = first.open_until
    assert end is not None
    house.now = end + clock * 60_000
    house.head(end + head * 60_000, witnesses)
    house.care.look()
    assert len(house.files()) == left
    held = house.mailboxes.get(first.key_id)
    assert (held is None) == (left == 7)


def test_a_disk_that_refuses_is_an_alarm_and_tried_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = max(key.open_until or 0 for key in house.keys)
    house.now = end + 1_000
    house.head(end + 1_000, "kh.gpo")
    with monkeypatch.context() as broken:
        broken.setattr(durable, "_overwrite", refuse)
        assert "file_unwritable" in house.codes()
    house.care.look()
    Mailboxes(house.office.node / "mailbox")  # the next start
    assert house.files() == []


def refuse(path: Path) -> None:
    raise OperatorError("file_unwritable", f"{path} cannot be written: a test says so")


def test_a_file_is_overwritten_before_it_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another name of the same bytes shows what is left of them."""
    key = new_key(Role.MAILBOX)
    path = tmp_path / f"{key.key_id.hex()[:16]}.key"
    write_plain(path, key)
    size = path.stat().st_size
    (tmp_path / "same").hardlink_to(path)
    durable.destroy_file(path)
    assert (tmp_path / "same").read_bytes() == bytes(size)
    assert [each.name for each in tmp_path.iterdir()] == ["same"]
    durable.destroy_file(path)  # gone already: nothing to do


def test_a_crash_while_a_file_is_destroyed_leaves_no_half_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [new_key(Role.MAILBOX) for _ in range(2)]
    paths = [tmp_path / f"{key.key_id.hex()[:16]}.key" for key in keys]
    for path, key in zip(paths, keys, strict=True):
        write_plain(path, key)
    with monkeypatch.context() as crash:
        crash.setattr(durable, "_overwrite", refuse)
        with pytest.raises(OperatorError):
            durable.destroy_file(paths[0])
    assert len(list(tmp_path.iterdir())) == 2
    mailboxes = Mailboxes(tmp_path)
    assert list(tmp_path.iterdir()) == [paths[1]]
    assert mailboxes.get(keys[0].key_id) is None
    assert mailboxes.get(keys[1].key_id) is not None


def test_why_something_was_rejected_outlives_the_mailbox_key(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    first = min(house.keys, key=lambda key: key.open_until or 0)
    detail = seal_detail("weight is missing", BULLETIN, "kh.gpo", first.key_id, first.public)
    statement = encode(Statement(BULLETIN, b"c" * 32, "kh.gpo", NOW, "schema_invalid", detail))
    with house.db.transaction() as tx:
        tx.execute(
            "INSERT INTO bulletins (id, sender, nonce, header, header_id, digest, wrap_day, stored)"
            " VALUES (?, 'la.ospp', ?, '', '', '', ?, 1)",
            (BULLETIN, b"n" * 16, DAY),
        )
        tx.execute(
            "INSERT INTO entries VALUES (7, ?, 'rejected', ?, 'la.ospp', 'kh.gpo', 'kh.gpo',"
            " 'schema_invalid', '', '', ?, NULL, NULL, 9, '')",
            (BULLETIN, NOW, statement),
        )
    assert house.rejections.reason(statement, "kh.gpo") == "weight is missing"
    house.now = (first.open_until or 0) + 1_000
    house.head(house.now, "kh.gpo")
    with caplog.at_level(logging.INFO):
        house.care.look()
    assert f"mailbox key {first.key_id.hex()[:16]} is destroyed" in caplog.text
    assert house.mailboxes.get(first.key_id) is None
    assert house.rejections.reason(statement, "kh.gpo") == "weight is missing"
    stored = house.db.rows("SELECT wrapped FROM details")
    assert b"weight" not in stored[0][0]
    again = statement.replace(b"kh.gpo", b"vn.vks")
    assert house.rejections.reason(again, "vn.vks") is None


def test_what_an_eraser_knew_outlives_the_mailbox_key_but_not_our_own_erasure(
    house: House,
) -> None:
    first = min(house.keys, key=lambda key: key.open_until or 0)
    known = ErasureDetail((ExportCount("saved", 2),), 1, 3)
    told = {"exports": {"saved": 2}, "desks": {"erased": 1, "waiting": 3}}
    statements = {}
    for place, bulletin in enumerate((BULLETIN, b"e" * 32)):
        detail = seal_erasure(known, bulletin, "kh.gpo", first.key_id, first.public)
        said = encode(Statement(bulletin, b"c" * 32, "kh.gpo", NOW, "due", detail))
        statements[bulletin] = said
        with house.db.transaction() as tx:
            tx.execute(
                "INSERT INTO bulletins (id, sender, nonce, header, header_id, digest, wrap_day,"
                " stored) VALUES (?, 'la.ospp', ?, '', '', '', ?, 1)",
                (bulletin, bytes([place]) * 16, DAY),
            )
            tx.execute(
                "INSERT INTO entries VALUES (?, ?, 'erased', ?, 'la.ospp', 'kh.gpo', 'kh.gpo',"
                " 'due', '', '', ?, NULL, NULL, 9, '')",
                (place + 7, bulletin, NOW, said),
            )
        assert house.rejections.known(said, "kh.gpo") == told
        assert house.rejections.reason(said, "kh.gpo") is None
    with house.db.transaction() as tx:  # one of them this agency has erased meanwhile
        tx.execute("UPDATE retention SET erased = 1 WHERE seq = 2")
    house.now = (first.open_until or 0) + 1_000
    house.head(house.now, "kh.gpo")
    house.care.look()
    assert house.mailboxes.get(first.key_id) is None
    assert house.rejections.known(statements[BULLETIN], "kh.gpo") == told
    assert house.rejections.known(statements[b"e" * 32], "kh.gpo") is None


def test_a_copy_under_another_name_is_destroyed_too(tmp_path: Path) -> None:
    gone, stays = new_key(Role.MAILBOX), new_key(Role.MAILBOX)
    write_plain(tmp_path / f"{gone.key_id.hex()[:16]}.key", gone)
    write_plain(tmp_path / "last week.key", gone)
    write_plain(tmp_path / "next week.key", stays)
    Mailboxes(tmp_path).destroy(gone.key_id)
    assert [path.name for path in tmp_path.iterdir()] == ["next week.key"]
    mailboxes = Mailboxes(tmp_path)
    assert mailboxes.get(gone.key_id) is None
    assert mailboxes.get(stays.key_id) is not None


def test_a_key_file_that_is_put_back_is_read_again(tmp_path: Path) -> None:
    key = new_key(Role.MAILBOX)
    mailboxes = Mailboxes(tmp_path)
    path = tmp_path / f"{key.key_id.hex()[:16]}.key"
    write_plain(path, key)
    assert mailboxes.get(key.key_id) is not None
    mailboxes.destroy(key.key_id)
    assert mailboxes.get(key.key_id) is None
    write_plain(path, key)
    assert mailboxes.get(key.key_id) is not None
    assert read_mailbox(path).key_id == key.key_id
