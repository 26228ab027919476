"""Log keys and pin files of the broker: made once, private, and public parts that pins carry."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from saphan_broker.keys import (
    create_log_keys,
    key_path,
    load_log_keys,
    make_pins,
    read_pins,
    write_pins,
)
from saphan_protocol.checkpoint import verify_head
from saphan_protocol.notes import parse_vkey
from saphan_schemas.errors import InvalidInput, OperatorError

ORIGIN = "bridge.example/evidence/1"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def code(refused: pytest.ExceptionInfo[OperatorError]) -> str:
    return refused.value.code


def test_keys_come_back_from_their_file_and_sign_heads_both_ways(keys: Path) -> None:
    made = create_log_keys(keys, "evidence", ORIGIN)
    read = load_log_keys(keys, "evidence")
    assert read.pair == made.pair
    head = read.sign_head(3, bytes(32), 1_790_000_000)
    assert verify_head(head.note, made.pair) == head
    assert tuple(parse_vkey(text) for text in made.pin.vkeys) == made.pair


def test_files_are_private_from_their_first_instant(keys: Path) -> None:
    create_log_keys(keys, "evidence", ORIGIN)
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    assert stat.S_IMODE(key_path(keys, "evidence").stat().st_mode) == 0o600


def test_keys_are_never_made_over_others(keys: Path) -> None:
    create_log_keys(keys, "evidence", ORIGIN)
    before = key_path(keys, "evidence").read_bytes()
    with pytest.raises(OperatorError) as refused:
        create_log_keys(keys, "evidence", ORIGIN)
    assert code(refused) == "key_file_exists"
    assert key_path(keys, "evidence").read_bytes() == before


@pytest.mark.parametrize("mode", (0o640, 0o604, 0o620, 0o601))
def test_an_exposed_key_file_is_refused_with_the_command_that_helps(keys: Path, mode: int) -> None:
    create_log_keys(keys, "evidence", ORIGIN)
    key_path(keys, "evidence").chmod(mode)
    with pytest.raises(OperatorError) as refused:
        load_log_keys(keys, "evidence")
    assert code(refused) == "key_file_exposed"
    assert f"chmod 600 {key_path(keys, 'evidence')}" in str(refused.value.hint)


def test_an_exposed_keys_directory_is_refused(keys: Path) -> None:
    create_log_keys(keys, "evidence", ORIGIN)
    keys.chmod(0o755)
    with pytest.raises(OperatorError) as refused:
        load_log_keys(keys, "evidence")
    assert code(refused) == "key_file_exposed"
    with pytest.raises(OperatorError):
        create_log_keys(keys, "directory", ORIGIN)


def test_missing_keys_are_named(keys: Path) -> None:
    with pytest.raises(OperatorError) as refused:
        load_log_keys(keys, "evidence")
    assert code(refused) == "key_file_missing"


@pytest.mark.parametrize(
    "change",
    (
        (b"logkey/1", b"logkey/2"),
        (b'"ed25519":"', b'"ed25519":"00'),
        (b'"mldsa44":"', b'"mldsa44":"zz'),
        (b'{"saphan"', b'{"more":1,"saphan"'),
        (b"bridge.example", b"bridge example"),
        (b"}", b""),
    ),
)
def test_damaged_key_files_are_refused_without_quoting_them(
    keys: Path, change: tuple[bytes, bytes]
) -> None:
    create_log_keys(keys, "evidence", ORIGIN)
    path = key_path(keys, "evidence")
    text = path.read_bytes()
    path.write_bytes(text.replace(*change))
    with pytest.raises(OperatorError) as refused:
        load_log_keys(keys, "evidence")
    assert code(refused) == "key_file_malformed"
    secret = text.decode().split('"ed25519":"')[1][:16]
    assert secret not in f"{refused.value} {refused.value.hint} {refused.getrepr()}"


def test_an_origin_that_could_not_sign_makes_no_file(keys: Path) -> None:
    with pytest.raises(InvalidInput):
        create_log_keys(keys, "evidence", "Bridge Example")
    assert not key_path(keys, "evidence").exists()


def test_secrets_are_not_in_the_repr(keys: Path) -> None:
    made = create_log_keys(keys, "evidence", ORIGIN)
    text = key_path(keys, "evidence").read_text()
    for name in ("ed25519", "mldsa44"):
        assert text.split(f'"{name}":"')[1][:16] not in repr(made)
    assert ORIGIN in repr(made)


def test_pins_go_through_their_public_file(keys: Path, tmp_path: Path) -> None:
    directory = create_log_keys(keys, "directory", "bridge.example/directory/1")
    evidence = create_log_keys(keys, "evidence", ORIGIN)
    pins = make_pins("bridge.example", directory, evidence)
    path = tmp_path / "pins.json"
    write_pins(path, pins)
    assert read_pins(path) == pins
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    path.write_bytes(path.read_bytes().replace(b"pins/1", b"pins/2"))
    with pytest.raises(InvalidInput):
        read_pins(path)
