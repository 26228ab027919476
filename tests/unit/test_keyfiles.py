"""Secret key files: who may open them, and what damage does to them."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from saphan.keys.keyfiles import (
    SecretKey,
    is_sealed,
    new_key,
    read_key,
    read_mailbox,
    read_node,
    read_witness,
    write_plain,
    write_sealed,
)
from saphan.keys.passphrase import MAX_BYTES, Passphrase, PassphraseSource
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.records import Role
from support.cheap import CHEAP
from support.refusals import refusal

PASSPHRASE = Passphrase("correct horse battery")


@pytest.fixture
def officer() -> SecretKey:
    return new_key(Role.OFFICER, "bounmy")


@pytest.fixture
def sealed(tmp_path: Path, officer: SecretKey) -> Path:
    path = tmp_path / "bounmy.key"
    write_sealed(path, officer, PASSPHRASE, CHEAP)
    return path


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a key file's JSON in place, keeping its mode."""
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))


def test_a_sealed_key_opens_with_its_passphrase(sealed: Path, officer: SecretKey) -> None:
    assert is_sealed(sealed)
    assert read_key(sealed, Role.OFFICER, PASSPHRASE) == officer
    assert officer.signing().key_id == officer.key_id


def test_the_node_opens_its_own_keys_without_anybody_at_the_keyboard(tmp_path: Path) -> None:
    for role, read in (
        (Role.NODE, read_node),
        (Role.MAILBOX, read_mailbox),
        (Role.WITNESS, read_witness),
    ):
        key, path = new_key(role), tmp_path / f"{role}.key"
        write_plain(path, key)
        assert not is_sealed(path)
        assert read(path).key_id == key.key_id


def test_key_files_are_born_readable_by_their_owner_only(tmp_path: Path) -> None:
    os.umask(0)  # the weakest umask there is; the fixture of all tests puts it back
    write_plain(tmp_path / "plain", new_key(Role.NODE))
    write_sealed(tmp_path / "sealed", new_key(Role.ROOT), PASSPHRASE, CHEAP)
    for name in ("plain", "sealed"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", (0o604, 0o640, 0o620, 0o602, 0o601, 0o644))
def test_a_key_file_that_others_can_reach_is_not_used(sealed: Path, mode: int) -> None:
    sealed.chmod(mode)
    error = refusal(lambda: read_key(sealed, Role.OFFICER, PASSPHRASE))
    assert error.code == "key_file_exposed"
    assert f"chmod 600 {sealed}" in (error.hint or "")


def test_an_existing_key_file_is_never_overwritten(sealed: Path, officer: SecretKey) -> None:
    before = sealed.read_bytes()
    assert refusal(lambda: write_plain(sealed, officer)).code == "file_exists"
    assert sealed.read_bytes() == before


def test_a_wrong_passphrase_is_named_and_not_shown(sealed: Path) -> None:
    wrong = Passphrase("correct horse batterz")
    error = refusal(lambda: read_key(sealed, Role.OFFICER, wrong))
    assert (error.code, error.exit_status) == ("passphrase_wrong", 5)
    assert "batterz" not in str(error) + (error.hint or "")


def test_a_sealed_file_without_a_passphrase_says_how_to_give_one(sealed: Path) -> None:
    error = refusal(lambda: read_key(sealed, Role.OFFICER))
    assert error.code == "passphrase_needed"
    assert "--passphrase-file" in (error.hint or "")


def test_half_a_file_is_damaged_wherever_the_writing_stopped(sealed: Path) -> None:
    whole = sealed.read_bytes()
    for length in range(0, len(whole) - 2, 97):
        sealed.write_bytes(whole[:length])
        error = refusal(lambda: read_key(sealed, Role.OFFICER, PASSPHRASE))
        assert error.code == "key_file_damaged", length


def test_a_file_of_another_role_is_refused_before_the_passphrase(sealed: Path) -> None:
    assert refusal(lambda: read_key(sealed, Role.ROOT)).code == "key_file_role"


@pytest.mark.parametrize(
    ("field", "value"),
    (
        ("memory_kib", 1 << 40),
        ("memory_kib", 256 * 1024 + 1),
        ("memory_kib", 0),
        ("memory_kib", -1),
        ("iterations", 10**9),
        ("iterations", 0),
        ("lanes", 1 << 20),
        ("lanes", 0),
    ),
)
def test_a_hostile_file_cannot_eat_memory_or_time(sealed: Path, field: str, value: int) -> None:
    edit(sealed, lambda fields: fields["argon2id"].update({field: value}))
    error = refusal(lambda: read_key(sealed, Role.OFFICER, PASSPHRASE))
    assert error.code == "key_file_damaged"


@pytest.mark.parametrize(
    ("change", "code"),
    (
        (lambda f: f.update(handle="somsak"), "passphrase_wrong"),
        (lambda f: f["argon2id"].update(iterations=2), "passphrase_wrong"),
        (lambda f: f.update(key_id="00" * 32), "key_file_damaged"),
        (lambda f: f.update(saphan="key/2"), "key_file_damaged"),
        (lambda f: f.update(more="x"), "key_file_damaged"),
        (lambda f: f.update(seed="AAAA"), "key_file_damaged"),
        (lambda f: f.update(nonce="AAAA"), "key_file_damaged"),
        (lambda f: f.update(sealed=f["sealed"] + "\n"), "key_file_damaged"),
        (lambda f: f.pop("sealed"), "key_file_damaged"),
        (lambda f: f.update(role="king"), "key_file_damaged"),
    ),
)
def test_a_changed_file_does_not_open(
    sealed: Path, change: Callable[[dict[str, Any]], object], code: str
) -> None:
    edit(sealed, change)
    assert refusal(lambda: read_key(sealed, Role.OFFICER, PASSPHRASE)).code == code


def test_a_member_that_stands_twice_is_damage(sealed: Path) -> None:
    text = sealed.read_text()
    sealed.write_text(text.replace('"role"', '"role": "root", "role"'))
    error = refusal(lambda: read_key(sealed, Role.OFFICER, PASSPHRASE))
    assert error.code == "key_file_damaged"


def test_a_seed_under_another_public_key_is_damage_not_a_signature(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    write_plain(first, new_key(Role.NODE))
    write_plain(second, new_key(Role.NODE))
    seed = json.loads(second.read_text())["seed"]
    edit(first, lambda fields: fields.update(seed=seed))
    assert refusal(lambda: read_node(first)).code == "key_file_damaged"


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert refusal(lambda: read_node(tmp_path / "pipe")).code == "file_unreadable"
    assert refusal(lambda: read_node(tmp_path)).code == "file_unreadable"
    assert refusal(lambda: read_node(tmp_path / "none")).code == "file_missing"
    huge = tmp_path / "huge"
    huge.touch(mode=0o600)
    os.truncate(huge, 1 << 40)  # a sparse file: reading it whole would take the machine down
    assert refusal(lambda: read_node(huge)).code == "key_file_damaged"


def test_nothing_that_is_shown_holds_a_secret(officer: SecretKey) -> None:
    shown = f"{officer!r} {officer} {PASSPHRASE!r} {PASSPHRASE} {officer.signing()!r}"
    assert "correct horse" not in shown
    assert repr(officer.seed) not in shown
    assert officer.seed.hex() not in shown


def test_a_disk_that_is_full_leaves_no_half_file(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        error = refusal(lambda: write_plain(tmp_path / "node.key", new_key(Role.NODE)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert error.code == "file_unwritable"
    assert list(tmp_path.iterdir()) == []


def test_a_key_for_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    missing = tmp_path / "none" / "node.key"
    assert refusal(lambda: write_plain(missing, new_key(Role.NODE))).code == "file_unwritable"


# --- passphrases -----------------------------------------------------------------------------


def write_passphrase(path: Path, text: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(text)
    path.chmod(mode)
    return path


def test_a_passphrase_comes_from_a_private_file(tmp_path: Path) -> None:
    path = write_passphrase(tmp_path / "p", "ສະພານ-ស្ពាន-bridge\n".encode())
    assert PassphraseSource(file=path).read("x").reveal().decode() == "ສະພານ-ស្ពាន-bridge"


def test_a_passphrase_file_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    path = write_passphrase(tmp_path / "p", b"correct horse battery\n", 0o644)
    error = refusal(lambda: PassphraseSource(file=path).read("x"))
    assert isinstance(error, OperatorError)
    assert error.code == "key_file_exposed"


def test_a_passphrase_comes_through_a_descriptor() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"correct horse battery\r\n")
    os.close(writer)
    try:
        assert PassphraseSource(descriptor=reader).read("x").reveal() == PASSPHRASE.reveal()
    finally:
        os.close(reader)


def test_a_closed_descriptor_is_said_so() -> None:
    reader, writer = os.pipe()
    os.close(writer)
    os.close(reader)
    error = refusal(lambda: PassphraseSource(descriptor=reader).read("x"))
    assert error.code == "passphrase_unavailable"


def test_the_same_letters_typed_on_two_keyboards_are_one_passphrase() -> None:
    assert Passphrase("cafe\u0301 au lait").reveal() == Passphrase("caf\u00e9 au lait").reveal()


@pytest.mark.parametrize(
    "data", (b"", b"\n", b"two\nlines\n", b"\xff\xfe\n", b"a\x00b", b"x" * (MAX_BYTES + 1))
)
def test_what_is_no_passphrase_is_refused_without_showing_it(tmp_path: Path, data: bytes) -> None:
    error = refusal(lambda: PassphraseSource(file=write_passphrase(tmp_path / "p", data)).read("x"))
    assert isinstance(error, InvalidInput)
    assert error.code == "passphrase_malformed"
    assert "lines" not in str(error).replace("more than one line", "")


def test_a_new_key_needs_a_passphrase_of_some_length(tmp_path: Path) -> None:
    source = PassphraseSource(file=write_passphrase(tmp_path / "p", "ຄວາມລັບສັ້ນ".encode()[:33]))
    error = refusal(lambda: source.read_new("root"))
    assert error.code == "passphrase_short"  # eleven characters, though 33 bytes
