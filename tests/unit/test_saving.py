"""Attachments become files: whole or not at all, in place of nothing, whatever their name is."""

from __future__ import annotations

from pathlib import Path

import pytest
from saphan.saving import Saving
from saphan_protocol.identity import sha256
from saphan_schemas.errors import OperatorError, Unavailable
from saphan_schemas.records import Blob

DATA = b"%PDF-1.7"
BLOB = Blob(len(DATA), sha256(DATA))


def save(path: Path, name: str = "a.pdf", data: bytes = DATA) -> Path:
    with Saving(path, name, BLOB) as saving:
        saving.write(data)
        return saving.finish()


@pytest.mark.parametrize("name", ["a" * 251 + ".pdf", "ລ" * 83 + ".pdf", "ក្" * 41 + ".pdf"])
def test_a_name_may_be_as_long_as_the_file_system_takes(tmp_path: Path, name: str) -> None:
    assert save(tmp_path / name).read_bytes() == DATA
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_folder_takes_it_under_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert save(tmp_path / "link") == tmp_path / "link" / "a.pdf"
    with pytest.raises(OperatorError, match="file_exists"):
        save(tmp_path)


@pytest.mark.parametrize("wrong", [DATA[:-1], DATA + b"x", b"x" * len(DATA)])
def test_other_bytes_leave_nothing(tmp_path: Path, wrong: bytes) -> None:
    with pytest.raises(Unavailable, match="attachment_cut"):
        save(tmp_path, data=wrong)
    assert list(tmp_path.iterdir()) == []


def test_two_savings_of_one_name_replace_nothing(tmp_path: Path) -> None:
    one, two = Saving(tmp_path, "a.pdf", BLOB), Saving(tmp_path, "a.pdf", BLOB)
    for saving in (one, two):
        saving.write(DATA)
    assert two.finish().read_bytes() == DATA
    with pytest.raises(OperatorError, match="file_exists"):
        one.finish()
    for saving in (one, two):
        saving.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.pdf"]


def test_what_cannot_be_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "there.pdf").write_bytes(b"mine")
    (tmp_path / "nowhere.pdf").symlink_to(tmp_path / "gone")
    for path, code in (
        (tmp_path / "z" / "a.pdf", "file_unwritable"),
        (tmp_path / ("z" * 300), "file_unwritable"),
        (tmp_path / "there.pdf" / "a.pdf", "file_unwritable"),
        (tmp_path / "there.pdf", "file_exists"),
        (tmp_path / "nowhere.pdf", "file_exists"),
    ):
        with pytest.raises(OperatorError, match=code):
            save(path)
    assert (tmp_path / "there.pdf").read_bytes() == b"mine"
    assert not (tmp_path / "gone").exists()
