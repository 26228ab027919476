"""Keys for hosts that serve and never sign: what is in them, and what they refuse."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from saphan_broker.serving_keys import read_keys, serves_only
from saphan_protocol.pins import parse_pins
from saphan_schemas.errors import OperatorError
from support.broker_command import saphan_broker, saphan_broker_here


def test_shared_keys_open_and_seal_and_cannot_sign(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "there"
    ran = saphan_broker("keys", "share", "--keys", place / "keys", "--out", out)
    assert "cannot sign" in ran.out
    assert {path.name for path in out.iterdir()} == {"days.seed", "pins.json", "tls.crt", "tls.key"}
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}
    for name in ("days.seed", "tls.key", "tls.crt"):
        assert (out / name).read_bytes() == (place / "keys" / name).read_bytes()
    pins, log_keys = read_keys(out)
    assert pins == parse_pins((place / "data/pins.json").read_bytes())
    assert log_keys is None
    # Nothing of what signs went along, under any name.
    secrets = [(place / f"keys/{log}.key").read_bytes() for log in ("directory", "evidence")]
    for path in out.iterdir():
        assert not any(secret in path.read_bytes() for secret in secrets)
    assert not serves_only(place / "keys")


def test_a_signers_directory_that_lost_a_key_is_not_taken_for_a_shared_one(place: Path) -> None:
    (place / "keys/directory.key").unlink()
    (place / "keys/pins.json").write_bytes((place / "data/pins.json").read_bytes())
    with pytest.raises(OperatorError) as caught:
        read_keys(place / "keys")
    assert caught.value.code == "key_file_missing"


def test_sharing_says_what_is_wrong(place: Path, tmp_path: Path) -> None:
    def refused(keys: Path, out: Path) -> str:
        ran = saphan_broker_here("keys", "share", "--keys", keys, "--out", out, status=5)
        assert ran.hint
        return ran.code

    shared = tmp_path / "shared"
    saphan_broker_here("keys", "share", "--keys", place / "keys", "--out", shared)
    before = {path: path.read_bytes() for path in shared.iterdir()}
    assert refused(place / "keys", shared) == "directory_not_empty"
    assert {path: path.read_bytes() for path in shared.iterdir()} == before
    assert refused(shared, tmp_path / "again") == "serves_only"
    assert refused(place / "keys", tmp_path / "no/such") == "directory_unusable"
    assert refused(tmp_path / "none", tmp_path / "out") == "key_file_missing"
    exposed = tmp_path / "open"
    exposed.mkdir(mode=0o755)
    assert refused(place / "keys", exposed) == "key_file_exposed"
    (shared / "pins.json").write_bytes(b"{}")
    with pytest.raises(OperatorError) as caught:
        read_keys(shared)
    assert caught.value.code == "key_file_malformed"


def test_shared_keys_renew_their_certificate_and_not_its_key(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "there"
    saphan_broker_here("keys", "share", "--keys", place / "keys", "--out", out)
    before = (out / "tls.crt").read_bytes()
    saphan_broker_here("tls", "renew", "--keys", out)
    assert (out / "tls.crt").read_bytes() != before
    assert (out / "tls.key").read_bytes() == (place / "keys/tls.key").read_bytes()
    ran = saphan_broker_here("tls", "renew", "--keys", out, "--new-key", status=5)
    assert ran.code == "serves_only"
