"""Archive keys: durable before use, bound to their bulletin, gone when their file is gone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from saphan.node.archive import Archive
from saphan_schemas.errors import OperatorError

KEY, ONE, OTHER, DAY = b"k" * 32, b"1" * 32, b"2" * 32, 20_000


def test_a_wrapped_key_opens_after_a_restart(tmp_path: Path) -> None:
    wrapped = Archive(tmp_path / "keys").wrap(KEY, ONE, DAY)
    assert KEY not in wrapped
    assert Archive(tmp_path / "keys").unwrap(wrapped, ONE, DAY) == KEY
    assert (tmp_path / "keys" / str(DAY)).stat().st_mode & 0o777 == 0o600


def test_each_day_has_its_own_key(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "keys")
    archive.wrap(KEY, ONE, DAY)
    archive.wrap(KEY, ONE, DAY + 1)
    names = sorted(path.name for path in (tmp_path / "keys").iterdir())
    assert names == [str(DAY), str(DAY + 1)]


@pytest.mark.parametrize(("bulletin", "day"), [(OTHER, DAY), (ONE, DAY + 1)])
def test_a_wrapped_key_is_bound_to_bulletin_and_day(
    tmp_path: Path, bulletin: bytes, day: int
) -> None:
    archive = Archive(tmp_path / "keys")
    wrapped = archive.wrap(KEY, ONE, DAY)
    archive.wrap(KEY, ONE, DAY + 1)
    with pytest.raises(OperatorError, match="archive_key_damaged"):
        archive.unwrap(wrapped, bulletin, day)


def test_a_destroyed_day_opens_nothing_and_is_not_made_again(tmp_path: Path) -> None:
    wrapped = Archive(tmp_path / "keys").wrap(KEY, ONE, DAY)
    (tmp_path / "keys" / str(DAY)).unlink()
    with pytest.raises(OperatorError, match="archive_key_gone"):
        Archive(tmp_path / "keys").unwrap(wrapped, ONE, DAY)
    assert list((tmp_path / "keys").iterdir()) == []


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    wrapped = Archive(tmp_path / "keys").wrap(KEY, ONE, DAY)
    (tmp_path / "keys" / str(DAY)).chmod(0o640)
    with pytest.raises(OperatorError, match="key_file_exposed"):
        Archive(tmp_path / "keys").unwrap(wrapped, ONE, DAY)


def test_a_cut_off_key_is_named(tmp_path: Path) -> None:
    wrapped = Archive(tmp_path / "keys").wrap(KEY, ONE, DAY)
    os.truncate(tmp_path / "keys" / str(DAY), 31)
    with pytest.raises(OperatorError, match="archive_key_damaged"):
        Archive(tmp_path / "keys").unwrap(wrapped, ONE, DAY)
