"""The day-key seed file: later days open, passed days are gone for good."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from saphan_broker.private_files import read
from saphan_broker.seeds import LOCK_NAME, SEED_NAME, DayKeys
from saphan_protocol import daykeys
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import LIMITS

TODAY = 20_700


@pytest.fixture
def keys_dir(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def days(keys_dir: Path) -> DayKeys:
    return DayKeys.create(keys_dir, TODAY)


def assert_destroyed(days: DayKeys, day: int, wrapped: bytes) -> None:
    with pytest.raises(OperatorError) as refused:
        days.unwrap(day, wrapped, b"context")
    assert refused.value.code == "day_key_destroyed"
    with pytest.raises(OperatorError) as refused:
        days.wrap(day, b"plain", b"context")
    assert refused.value.code == "day_key_destroyed"


def test_what_is_wrapped_opens_on_its_day_and_in_its_context_only(days: DayKeys) -> None:
    wrapped = days.wrap(TODAY + 30, b"stanza", b"context")
    assert days.unwrap(TODAY + 30, wrapped, b"context") == b"stanza"
    for day, context in ((TODAY + 31, b"context"), (TODAY + 30, b"other")):
        with pytest.raises(OperatorError) as refused:
            days.unwrap(day, wrapped, context)
        assert refused.value.code == "unwrap_failed"


def test_every_wrapping_has_its_own_nonce(days: DayKeys) -> None:
    def wrap(_turn: int) -> bytes:
        return days.wrap(TODAY, b"same", b"context")[: daykeys.NONCE_BYTES]

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(wrap, range(1000)))) == 1000


def test_keys_do_not_depend_on_the_order_in_which_days_are_asked(
    days: DayKeys, keys_dir: Path
) -> None:
    order = (0, LIMITS.record_days, 30, 31, 29, LIMITS.record_days - 1, 0)
    wrapped = {day: days.wrap(TODAY + day, b"%d" % day, b"context") for day in order}
    again = DayKeys.open(keys_dir)
    for day in sorted(wrapped):
        assert again.unwrap(TODAY + day, wrapped[day], b"context") == b"%d" % day


def test_advancing_destroys_what_was_due_before(days: DayKeys, keys_dir: Path) -> None:
    due, kept = (days.wrap(day, b"stanza", b"context") for day in (TODAY + 4, TODAY + 5))
    days.advance(TODAY + 5)
    for held in (days, DayKeys.open(keys_dir)):
        assert held.day == TODAY + 5
        assert held.unwrap(TODAY + 5, kept, b"context") == b"stanza"
        assert_destroyed(held, TODAY + 4, due)


def test_the_old_seed_is_nowhere_in_the_keys_directory(days: DayKeys, keys_dir: Path) -> None:
    before = read(keys_dir / SEED_NAME)
    seed = before.split(b'"seed":"')[1][:64]
    descriptor = (keys_dir / SEED_NAME).open("rb")  # what a reader of the old blocks would see
    days.advance(TODAY + 1)
    with descriptor:
        assert seed not in descriptor.read()
    assert sorted(path.name for path in keys_dir.iterdir()) == [LOCK_NAME, SEED_NAME]
    assert (keys_dir / LOCK_NAME).read_bytes() == b""
    assert seed not in read(keys_dir / SEED_NAME)


def test_no_process_sets_back_what_another_one_has_reached(keys_dir: Path, days: DayKeys) -> None:
    """Both were started before; the second one hears of an earlier day, later."""
    other = DayKeys.open(keys_dir)
    days.advance(TODAY + 9)
    before = read(keys_dir / SEED_NAME)
    other.advance(TODAY + 7)
    assert read(keys_dir / SEED_NAME) == before
    assert_destroyed(other, TODAY + 6, bytes(64))
    other.advance(TODAY + 11)
    assert DayKeys.open(keys_dir).day == TODAY + 11
    wrapped = other.wrap(TODAY + 12, b"stanza", b"context")
    assert days.unwrap(TODAY + 12, wrapped, b"context") == b"stanza"


def test_advancing_to_a_day_that_has_passed_changes_nothing(days: DayKeys, keys_dir: Path) -> None:
    days.advance(TODAY + 5)
    before = read(keys_dir / SEED_NAME)
    days.advance(TODAY + 5)
    days.advance(TODAY)
    assert read(keys_dir / SEED_NAME) == before
    assert days.day == TODAY + 5


def test_a_thread_that_is_late_brings_no_earlier_seed_back(
    days: DayKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A beat and the sweep move the seed of one process, each in a thread of its own."""
    advance = daykeys.advance

    def overtaken(seed: bytes, day: int, to_day: int) -> bytes:
        monkeypatch.undo()
        days.advance(TODAY + 12)
        return advance(seed, day, to_day)

    monkeypatch.setattr(daykeys, "advance", overtaken)
    days.advance(TODAY + 10)
    assert days.day == TODAY + 12


def test_a_crash_before_the_rename_destroys_nothing(days: DayKeys, keys_dir: Path) -> None:
    wrapped = days.wrap(TODAY, b"stanza", b"context")
    (keys_dir / f"{SEED_NAME}.new").write_bytes(b'{"saphan":"days/1","day":20')
    again = DayKeys.open(keys_dir)
    assert again.unwrap(TODAY, wrapped, b"context") == b"stanza"
    again.advance(TODAY + 1)
    assert DayKeys.open(keys_dir).day == TODAY + 1


def test_a_failed_write_leaves_the_seed_as_it_was(
    days: DayKeys, keys_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapped = days.wrap(TODAY, b"stanza", b"context")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("saphan_broker.private_files.os.fsync", full)
        with pytest.raises(OperatorError) as refused:
            days.advance(TODAY + 1)
    assert refused.value.code == "key_file_unwritable"
    for held in (days, DayKeys.open(keys_dir)):
        assert held.unwrap(TODAY, wrapped, b"context") == b"stanza"


def test_a_folder_that_takes_no_lock_is_an_error_of_the_keys_folder(
    days: DayKeys, keys_dir: Path
) -> None:
    """A disk that has become read-only: the operator is told, with a code."""
    (keys_dir / LOCK_NAME).mkdir()
    with pytest.raises(OperatorError, match="key_file_unwritable"):
        days.advance(TODAY + 1)
    assert days.day == TODAY


def test_a_day_out_of_reach_is_refused(days: DayKeys) -> None:
    with pytest.raises(OperatorError) as refused:
        days.wrap(TODAY + LIMITS.ratchet_days + 1, b"", b"")
    assert refused.value.code == "day_out_of_range"


def test_the_file_is_private_made_once_and_checked(days: DayKeys, keys_dir: Path) -> None:
    path = keys_dir / SEED_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(OperatorError) as refused:
        DayKeys.create(keys_dir, TODAY)
    assert refused.value.code == "key_file_exists"
    text = path.read_bytes()
    secret = text.decode().split('"seed":"')[1][:16]
    assert secret not in repr(days)
    for damaged in (text[:-4], text.replace(b"days/1", b"days/2"), text.replace(b'"seed"', b'"s"')):
        path.write_bytes(damaged)
        with pytest.raises(OperatorError) as refused:
            DayKeys.open(keys_dir)
        assert refused.value.code == "key_file_malformed"
        assert secret not in str(refused.value)
    path.write_bytes(text)
    path.chmod(0o640)
    with pytest.raises(OperatorError) as refused:
        DayKeys.open(keys_dir)
    assert refused.value.code == "key_file_exposed"
