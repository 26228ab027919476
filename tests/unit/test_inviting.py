"""Where a broker's invitation may be written: over an older one, and over nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from saphan_broker.init import init
from saphan_broker.inviting import write_invitation
from saphan_protocol.invitation import Invitation, parse_invitation
from saphan_schemas.errors import SaphanError
from support.pin_files import pins

MADE = Invitation(address="bridge.example:8470", pins=pins(), tls=bytes(32))


def test_a_newer_one_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "bridge.json"
    write_invitation(path, MADE)
    later = replace(MADE, address="bridge.example:9")
    write_invitation(path, later)
    assert parse_invitation(path.read_bytes()) == later
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("there", (b"", b"-----BEGIN PRIVATE KEY-----\n", b'{"saphan": "pins/1"}'))
def test_whatever_else_is_there_stays(tmp_path: Path, there: bytes) -> None:
    path = tmp_path / "tls.key"
    path.write_bytes(there)
    with pytest.raises(SaphanError, match="file_exists"):
        write_invitation(path, MADE)
    with pytest.raises(SaphanError, match="file_exists"):
        init(tmp_path / "d", tmp_path / "k", "bridge.example", invitation_file=path)
    assert [one.name for one in tmp_path.iterdir()] == ["tls.key"]
    assert path.read_bytes() == there


def test_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SaphanError, match="file_exists"):
        write_invitation(tmp_path, MADE)
