"""What a backup takes of a folder: all of it that belongs, wherever the keeper has put the disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from saphan.backup.contents import is_public, members
from saphan_schemas.errors import OperatorError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("node/node.key", "node/data/archive-keys/20500", "node/data/blobs/in/ab/1"):
        path = tmp_path / "office" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "office"


def test_a_store_that_was_moved_to_another_disk_is_saved_whole(folder: Path) -> None:
    """Without its archive keys a backup opens nothing, and nobody would notice before a restore."""
    away = folder.parent / "large-disk"
    (folder / "node" / "data").rename(away)
    (folder / "node" / "data").symlink_to(away)
    key = folder.parent / "node.key"
    (folder / "node" / "node.key").rename(key)
    (folder / "node" / "node.key").symlink_to(key)
    assert list(members(folder, "keys")) == ["node/node.key", "node/data/archive-keys/20500"]
    assert list(members(folder, "data")) == ["node/data/blobs/in/ab/1"]


def test_what_proves_two_histories_is_saved_and_the_witnesss_state_is_not(folder: Path) -> None:
    data = folder / "node" / "data"
    proofs = ["seen-differs-2-la.ospp-7.json", "split-view-1-evidence-7.json"]
    for name in (*proofs, "witness.json", ".split-view-1.json.7.new"):
        (data / name).write_bytes(b"x")
    found = [name for name in members(folder, "data") if "blobs" not in name]
    assert found == [f"node/data/{name}" for name in proofs]
    assert not any("json" in name for name in members(folder, "keys"))


def test_what_the_roots_have_signed_is_saved(folder: Path) -> None:
    """An agreement, and an own type: its next version is compared with it, partners get it."""
    for name in ("agreements/la-kh-2026.saphan", "schemas/la.ospp.field_report.1.saphan"):
        path = folder / name
        path.parent.mkdir()
        path.write_bytes(b"x")
        assert name in members(folder, "data")
        assert name not in members(folder, "keys")


def test_a_link_that_leads_back_ends(folder: Path) -> None:
    (folder / "node" / "data" / "blobs" / "in" / "ab" / "c").symlink_to(folder / "node" / "data")
    assert list(members(folder, "data")) == ["node/data/blobs/in/ab/1"]


def test_a_folder_that_cannot_be_read_is_no_empty_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = os.scandir

    def refusing(path: str | Path) -> object:
        if str(path).endswith("archive-keys"):
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(OperatorError) as caught:
        list(members(folder, "keys"))
    assert caught.value.code == "file_unreadable"
    assert "archive-keys" in str(caught.value)
    assert list(members(folder.parent / "gone", "keys")) == []


def test_who_is_paged_how_is_nobody_elses_business() -> None:
    assert is_public("agency.json")
    assert is_public("node/pins.json")
    assert not is_public("node/settings.json")
    assert not is_public("node/node.key")


def test_a_draft_and_the_roots_public_halves_are_in_both_parts_and_a_root_key_in_none(
    folder: Path,
) -> None:
    for name in ("drafts/0002.draft", "root/ann.json", "root/root.key", "root/ann.key"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")
    for part, others in (("keys", "node/node.key"), ("data", "node/data/blobs/in/ab/1")):
        found = list(members(folder, "keys" if part == "keys" else "data"))
        assert {"drafts/0002.draft", "root/ann.json", others} <= set(found)
        assert not any(name.startswith("root/") and name.endswith(".key") for name in found)
