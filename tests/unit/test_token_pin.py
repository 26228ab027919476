"""The PIN of a real PKCS#11 token (SoftHSM): asked for once, never tried twice, never shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pkcs11
import pytest
from pkcs11 import exceptions as told
from saphan.keys.keyfiles import discarded_on_error, new_token_key, read_key, write_sealed
from saphan.keys.pin import PinSource
from saphan.keys.token_errors import failed
from saphan.keys.token_place import TokenAccess
from saphan_schemas.errors import OperatorError
from saphan_schemas.records import Role
from support.cheap import CHEAP
from support.refusals import refusal
from support.softhsm import PIN, Tokens, drawer
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
def path(tokens: Tokens, tmp_path: Path) -> Path:
    return file_of(officer_of(tokens), tmp_path)


class Counting(PinSource):
    """A person who notes how often they are asked."""

    asked: ClassVar[list[str]] = []
    said: ClassVar[str] = PIN

    def read(self, token: str) -> str:
        self.asked.append(token)
        return self.said


class Mistaken(Counting):
    said = "000000"


@pytest.fixture
def asked() -> list[str]:
    Counting.asked.clear()
    return Counting.asked


def test_a_wrong_pin_is_tried_once(path: Path, asked: list[str]) -> None:
    """Whatever calls again, and however often: the token counts, and locks."""
    found = read_key(path, Role.OFFICER, PASSPHRASE, TokenAccess(pin=Mistaken()))
    assert found.held is not None
    for action in (found.held.open, lambda: found.signing().sign(MESSAGE), found.held.open):
        error = refusal(action)
        assert error.code == "pkcs11_pin_wrong"
        assert Mistaken.said not in f"{error.message} {error.hint}"
        found.held.close()
    assert asked == ["desk"]


def test_the_pin_is_asked_for_once_and_not_before_it_is_needed(
    path: Path, asked: list[str]
) -> None:
    found = read_key(path, Role.OFFICER, PASSPHRASE, TokenAccess(pin=Counting()))
    key = found.signing()
    assert asked == []
    assert found.held is not None
    found.held.open()
    key.sign(MESSAGE)
    key.sign(MESSAGE)
    assert asked == ["desk"]
    found.held.close()
    found.held.close()
    key.sign(MESSAGE)
    assert asked == ["desk", "desk"]


def test_who_makes_a_key_is_asked_once(tokens: Tokens, asked: list[str]) -> None:
    access = TokenAccess(library=tokens.library, token="desk", pin=Counting())
    new_token_key("dao", access).signing().sign(MESSAGE)
    assert asked == ["desk"]


def test_a_key_that_gets_no_file_leaves_the_token(tokens: Tokens, tmp_path: Path) -> None:
    (tmp_path / "dao.key").write_text("another file")
    token = pkcs11.lib(str(tokens.library)).get_token(token_label="other")
    with token.open(user_pin=PIN) as session:
        before = len(list(session.get_objects()))
        key = new_token_key("dao", tokens.access("other"))
        assert len(list(session.get_objects())) == before + 2
        with pytest.raises(OperatorError), discarded_on_error(key):
            write_sealed(tmp_path / "dao.key", key, PASSPHRASE, CHEAP)
        assert len(list(session.get_objects())) == before
    assert refusal(lambda: key.signing().sign(MESSAGE)).code == "pkcs11_key_missing"


def test_without_a_terminal_the_pin_is_missed(path: Path, tokens: Tokens) -> None:
    (empty := tokens.folder / "empty.txt").write_text("\n")
    empty.chmod(0o600)
    access = TokenAccess(pin=PinSource(file=empty))
    key = read_key(path, Role.OFFICER, PASSPHRASE, access).signing()
    assert refusal(lambda: key.sign(MESSAGE)).code == "pin_malformed"
    tokens.pin_file.chmod(0o644)
    try:
        key = read_key(path, Role.OFFICER, PASSPHRASE, tokens.access()).signing()
        assert refusal(lambda: key.sign(MESSAGE)).code == "key_file_exposed"
    finally:
        tokens.pin_file.chmod(0o600)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (told.PinLocked(), "pkcs11_pin_locked"),
        (told.PinExpired(), "pkcs11_pin_unset"),
        (told.UserPinNotInitialized(), "pkcs11_pin_unset"),
        (told.PinLenRange(), "pkcs11_pin_wrong"),
        (told.DeviceError(), "pkcs11_failed"),
    ],
)
def test_what_tokens_say_has_a_code(said: told.PKCS11Error, code: str) -> None:
    assert failed("desk", said).code == code


def test_the_last_try_is_said() -> None:
    hints = [failed("desk", told.PinIncorrect(), last_try=last).hint for last in (False, True)]
    assert "one more wrong PIN locks the token" not in str(hints[0])
    assert "one more wrong PIN locks the token" in str(hints[1])
