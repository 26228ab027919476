"""An officer's key in two halves: a file, and a real PKCS#11 token (SoftHSM)."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pkcs11
import pytest
from pkcs11 import exceptions as told
from saphan.keys.keyfiles import (
    SecretKey,
    is_sealed,
    new_key,
    new_token_key,
    read_key,
    read_key_id,
)
from saphan.keys.pin import PinSource
from saphan.keys.token_key import TokenHalf
from saphan.keys.token_place import TokenAccess
from saphan_protocol.keys import check_public_key
from saphan_schemas.records import Role
from support.refusals import refusal
from support.softhsm import PIN, VARIABLE, Tokens, drawer
from support.token_keys import MESSAGE, PASSPHRASE, file_of, officer_of


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tokens]:
    made = drawer(tmp_path_factory.mktemp("drawer"), "desk", "other")
    with made.here():
        yield made


@pytest.fixture(autouse=True)
def _logged_out(tokens: Tokens) -> Iterator[None]:
    """A process is logged in at a token or it is not, whoever asked: no test inherits it."""
    yield
    tokens.forget()


@pytest.fixture
def officer(tokens: Tokens) -> SecretKey:
    return officer_of(tokens)


@pytest.fixture
def path(officer: SecretKey, tmp_path: Path) -> Path:
    return file_of(officer, tmp_path)


def private(tokens: Tokens, key: SecretKey) -> pkcs11.Key:
    """The half on the token, as any program with the PIN finds it."""
    assert key.token is not None
    token = next(
        slot.get_token()
        for slot in pkcs11.lib(str(tokens.library)).get_slots(token_present=True)
        if slot.get_token().label == "desk"
    )
    session = token.open(rw=True, user_pin=PIN)
    return session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, id=key.token.key)


# --- both halves ----------------------------------------------------------------------------------


def test_file_and_token_together_sign(path: Path, officer: SecretKey, tokens: Tokens) -> None:
    found = read_key(path, Role.OFFICER, PASSPHRASE, tokens.access())
    assert found == officer
    check_public_key(Role.OFFICER, found.public)
    key = found.signing()
    assert key.key_id == officer.key_id == read_key_id(path)
    key.verifying().verify(MESSAGE, key.sign(MESSAGE))
    assert is_sealed(path)


def test_the_library_may_lie_elsewhere_on_another_machine(
    path: Path, tokens: Tokens, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "libsofthsm2.so"
    shutil.copy(tokens.library, elsewhere)
    access = TokenAccess(library=elsewhere, pin=PinSource(file=tokens.pin_file))
    key = read_key(path, Role.OFFICER, PASSPHRASE, access).signing()
    key.verifying().verify(MESSAGE, key.sign(MESSAGE))


def test_the_half_on_the_token_cannot_be_read_there(officer: SecretKey, tokens: Tokens) -> None:
    half = private(tokens, officer)
    for attribute, wanted in (
        (pkcs11.Attribute.SENSITIVE, True),
        (pkcs11.Attribute.EXTRACTABLE, False),
        (pkcs11.Attribute.NEVER_EXTRACTABLE, True),
        (pkcs11.Attribute.LOCAL, True),
    ):
        assert half[attribute] is wanted
    with pytest.raises(told.AttributeSensitive):
        half[pkcs11.Attribute.VALUE]


def test_nothing_of_the_token_half_is_in_the_file(path: Path, officer: SecretKey) -> None:
    """The sealed part holds 32 bytes, ML-DSA's seed, and nothing else is secret."""
    fields = json.loads(path.read_text())
    assert fields["saphan"] == "key/2"
    assert set(fields) == {
        *("saphan", "role", "handle", "key_id", "public", "pkcs11"),
        *("argon2id", "nonce", "sealed"),
    }
    assert len(officer.seed) == 32
    assert set(fields["pkcs11"]) == {"library", "label", "serial", "key"}
    assert PIN not in path.read_text()


def test_neither_repr_nor_place_show_secrets(officer: SecretKey) -> None:
    shown = f"{officer!r} {officer.held!r} {officer.signing()!r}"
    assert PIN not in shown
    assert repr(officer.seed) not in shown


# --- one half -------------------------------------------------------------------------------------


def test_the_file_without_the_token_cannot_sign(path: Path, tokens: Tokens) -> None:
    tokens.pull()
    tokens.forget()
    try:
        key = read_key(path, Role.OFFICER, PASSPHRASE, tokens.access()).signing()
        assert refusal(lambda: key.sign(MESSAGE)).code == "pkcs11_token_missing"
    finally:
        tokens.put_back()
        tokens.forget()
    key.verifying().verify(MESSAGE, key.sign(MESSAGE))


def test_the_token_without_the_file_cannot_sign(officer: SecretKey, tokens: Tokens) -> None:
    """A thief with token and PIN makes the Ed25519 half; another ML-DSA seed is another key."""
    assert officer.token is not None
    thief = new_key(Role.OFFICER, "bounmy")
    public = officer.public[1952:]
    held = TokenHalf(officer.token, public, tokens.access())
    forged = SecretKey(Role.OFFICER, officer.public, thief.seed[:32], "bounmy", officer.token, held)
    signature = forged.signing().sign(MESSAGE)
    assert refusal(lambda: officer.signing().verifying().verify(MESSAGE, signature)).code == (
        "signature_invalid"
    )


def test_the_file_with_another_token_cannot_sign(
    path: Path, officer: SecretKey, tokens: Tokens
) -> None:
    """Were the file edited to name another token, its seal would not hold."""
    other = new_token_key("bounmy", tokens.access("other"))
    assert other.token is not None
    assert officer.token is not None
    text = path.read_text().replace(officer.token.serial.hex(), other.token.serial.hex())
    path.write_text(text.replace(officer.token.key.hex(), other.token.key.hex()))
    error = refusal(lambda: read_key(path, Role.OFFICER, PASSPHRASE, tokens.access()))
    assert error.code == "passphrase_wrong"
    half = TokenHalf(other.token, officer.public[1952:], tokens.access())
    assert refusal(lambda: half.sign(MESSAGE)).code == "pkcs11_key_differs"


def test_a_key_that_is_no_longer_on_the_token_is_missed(
    officer: SecretKey, path: Path, tokens: Tokens
) -> None:
    private(tokens, officer).destroy()
    key = read_key(path, Role.OFFICER, PASSPHRASE, tokens.access()).signing()
    assert refusal(lambda: key.sign(MESSAGE)).code == "pkcs11_key_missing"


def test_a_token_pulled_between_two_signatures(path: Path, tokens: Tokens) -> None:
    key = read_key(path, Role.OFFICER, PASSPHRASE, tokens.access()).signing()
    key.sign(MESSAGE)
    tokens.pull()
    try:
        error = refusal(lambda: key.sign(MESSAGE))
        assert error.code in ("pkcs11_token_missing", "pkcs11_failed")
        assert "put it in" in (error.hint or "")
    finally:
        tokens.put_back()
    tokens.forget()
    key.verifying().verify(MESSAGE, key.sign(MESSAGE))


# --- several keys, threads ------------------------------------------------------------------------


def test_two_keys_of_one_token_work_side_by_side(officer: SecretKey, tokens: Tokens) -> None:
    second = new_token_key("dao", tokens.access("desk"))
    for key in (officer.signing(), second.signing(), officer.signing()):
        key.verifying().verify(MESSAGE, key.sign(MESSAGE))


def test_threads_take_turns(officer: SecretKey) -> None:
    key, good = officer.signing(), []

    def work() -> None:
        for _ in range(10):
            key.verifying().verify(MESSAGE, key.sign(MESSAGE))
            good.append(True)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(good) == 40


# --- what is named --------------------------------------------------------------------------------


def test_a_token_is_named_by_label_or_serial(officer: SecretKey, tokens: Tokens) -> None:
    assert officer.token is not None
    named = new_token_key("dao", tokens.access(officer.token.serial.decode()))
    assert named.token is not None
    assert (named.token.label, named.token.serial) == ("desk", officer.token.serial)


def test_tokens_of_one_name_are_told_apart_by_serial(tmp_path: Path, tokens: Tokens) -> None:
    twins = drawer(tmp_path / "twins", "twin", "twin")
    with twins.here():
        error = refusal(lambda: new_token_key("dao", twins.access("twin")))
        assert error.code == "pkcs11_token_ambiguous"
        serial = (error.hint or "").rpartition(" ")[2]
        made = new_token_key("dao", twins.access(serial))
        assert made.token is not None
        assert made.token.serial == serial.encode()
    tokens.forget()


def test_what_is_not_there_is_said(tokens: Tokens, tmp_path: Path) -> None:
    def made(**fields: object) -> str:
        access = TokenAccess(pin=PinSource(file=tokens.pin_file), **fields)  # type: ignore[arg-type]
        return refusal(lambda: new_token_key("dao", access)).code

    (tmp_path / "text.so").write_text("no library")
    assert made(library=tokens.library, token="lost") == "pkcs11_token_missing"
    assert made(library=tokens.library) == "pkcs11_token_named"
    assert made(token="desk") == "pkcs11_token_named"
    assert made(library=tmp_path / "none.so", token="desk") == "pkcs11_library"
    assert made(library=tmp_path / "text.so", token="desk") == "pkcs11_library"


def test_a_library_that_may_not_read_its_tokens_is_not_called_another_file(
    path: Path, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's SoftHSM for whoever is not in its group."""
    tokens.forget()
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv(VARIABLE, str(tokens.folder / "nowhere.conf"))
        key = read_key(path, Role.OFFICER, PASSPHRASE, tokens.access()).signing()
        error = refusal(lambda: key.sign(MESSAGE))
    assert (error.code, "does not start" in error.message) == ("pkcs11_library", True)
    assert "may be read by you" in (error.hint or "")


def objects(tokens: Tokens) -> int:
    """How many the token "other" holds."""
    token = pkcs11.lib(str(tokens.library)).get_token(token_label="other")
    with token.open(user_pin=PIN) as session:
        return len(list(session.get_objects()))


def test_a_token_that_gives_its_keys_away_keeps_none(
    tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told otherwise, SoftHSM makes a key that can be read: it is seen, and removed."""
    careless = {pkcs11.Attribute.SENSITIVE: False, pkcs11.Attribute.EXTRACTABLE: True}
    monkeypatch.setattr("saphan.keys.token_key._GUARDED", careless)
    before = objects(tokens)
    error = refusal(lambda: new_token_key("dao", tokens.access("other")))
    assert error.code == "pkcs11_key_exposed"
    assert objects(tokens) == before


def test_a_token_without_ed25519_is_named(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mechanism that SoftHSM has not, as others have not that of Ed25519."""
    unknown = pkcs11.Mechanism.X9_42_DH_KEY_PAIR_GEN
    monkeypatch.setattr("saphan.keys.token_key.MAKE", unknown)
    error = refusal(lambda: new_token_key("dao", tokens.access("other")))
    assert error.code == "pkcs11_no_ed25519"
    assert "other" in error.message


# --- the file -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"saphan": "key/1"},
        {"pkcs11": None},
        {"role": "node"},
        {"sealed": "AAAA"},
        {"seed": "AAAA"},
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    path: Path, tokens: Tokens, change: dict[str, object]
) -> None:
    fields = json.loads(path.read_text()) | change
    path.write_text(json.dumps(fields))
    role = Role(fields["role"])
    error = refusal(lambda: read_key(path, role, PASSPHRASE, tokens.access()))
    assert error.code in ("key_file_damaged", "passphrase_wrong")


@pytest.mark.parametrize("name", ["library", "label", "serial", "key"])
def test_where_the_token_is_cannot_be_changed(path: Path, tokens: Tokens, name: str) -> None:
    """A changed library would be loaded and given the PIN."""
    fields = json.loads(path.read_text())
    fields["pkcs11"][name] = "00"
    path.write_text(json.dumps(fields))
    error = refusal(lambda: read_key(path, Role.OFFICER, PASSPHRASE, tokens.access()))
    assert error.code == "passphrase_wrong"
    fields["pkcs11"]["serial"] = "not hexadecimal"
    path.write_text(json.dumps(fields))
    error = refusal(lambda: read_key(path, Role.OFFICER, PASSPHRASE, tokens.access()))
    assert error.code == "key_file_damaged"


@pytest.fixture
def _without_the_package(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "pkcs11"]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("saphan.keys.token_key", "saphan.keys.token_errors"):
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("_without_the_package")
def test_without_the_extra_it_says_what_to_install(path: Path, tokens: Tokens) -> None:
    error = refusal(lambda: read_key(path, Role.OFFICER, PASSPHRASE, tokens.access()))
    assert error.code == "pkcs11_not_installed"
    assert "saphan[pkcs11]" in (error.hint or "")
    assert refusal(lambda: new_token_key("dao", tokens.access("desk"))).code == error.code
