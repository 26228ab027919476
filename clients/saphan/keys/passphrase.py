"""Passphrases: asked at the terminal, or read from a private file or an open descriptor.

Never from an argument or the environment: both can be read by other programs of the machine.
"""

from __future__ import annotations

import getpass
import os
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.messages import text
from saphan_schemas.terminal import plain

from saphan.private import read_private

MIN_CHARACTERS: Final = 12
"""With Argon2id at 64 MiB, twelve characters that are no phrase of a book outlast the key."""

MAX_BYTES: Final = 1024


class Passphrase:
    """A passphrase in memory; its repr and its errors never show it.

    Args:
        text: brought to NFC, so that two keyboards that compose a letter differently agree.

    Raises:
        InvalidInput: `passphrase_malformed` (empty, too long, a line feed, not text).
    """

    __slots__ = ("_secret",)

    def __init__(self, text: str) -> None:
        try:
            secret = unicodedata.normalize("NFC", text).encode()
        except UnicodeEncodeError:
            raise _malformed("it is not text in UTF-8") from None
        if not secret or len(secret) > MAX_BYTES:
            raise _malformed(f"it has {len(secret)} bytes, 1 to {MAX_BYTES} are taken")
        if b"\n" in secret or b"\x00" in secret:
            raise _malformed("it has more than one line")
        self._secret = secret

    def __repr__(self) -> str:
        return "<Passphrase>"

    def reveal(self) -> bytes:
        """The UTF-8 bytes, for the key derivation only."""
        return self._secret

    def require_length(self) -> None:
        """Refuse a passphrase too short for a new key.

        Raises:
            InvalidInput: `passphrase_short`.
        """
        count = len(self._secret.decode())
        if count < MIN_CHARACTERS:
            raise InvalidInput(
                "passphrase_short",
                f"the passphrase has {count} characters, at least {MIN_CHARACTERS} are needed",
                field="passphrase",
                hint="take four or five words that do not belong together",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PassphraseSource:
    """Where a passphrase comes from: a file, a descriptor, or (neither) the terminal."""

    file: Path | None = None
    descriptor: int | None = None
    say: Callable[..., str] = text
    """Texts of the catalogue in the person's language, English if nobody says otherwise."""

    def read(self, what: str) -> Passphrase:
        """The passphrase that opens an existing key; `what` names the key to the person.

        Raises:
            OperatorError: `passphrase_unavailable`, `key_file_exposed`, `file_missing`,
                `file_unreadable`.
            InvalidInput: `passphrase_malformed`, `too_large`.
        """
        if self.file is not None:
            return _first_line(read_private(self.file, MAX_BYTES + 2, "passphrase-file"))
        if self.descriptor is not None:
            return _first_line(_drain(self.descriptor))
        return Passphrase(_ask(self.say("prompt.passphrase", what=what) + " "))

    def read_new(self, what: str) -> Passphrase:
        """A passphrase for a new key: long enough, and typed twice at a terminal.

        Raises:
            InvalidInput: `passphrase_short`, `passphrase_mismatch`, and what `read` raises.
        """
        new = self.say("prompt.passphrase_new", what=what, count=MIN_CHARACTERS)
        passphrase = self.read(new)
        passphrase.require_length()
        if self.file is None and self.descriptor is None:
            again = Passphrase(_ask(self.say("prompt.passphrase_again", what=what) + " "))
            if again.reveal() != passphrase.reveal():
                raise InvalidInput(
                    "passphrase_mismatch",
                    "the two passphrases are not the same",
                    field="passphrase",
                    hint="nothing was written: start again",
                )
        return passphrase


def _ask(prompt: str) -> str:
    # getpass would fall back to reading standard input with echo: a passphrase on the screen.
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        raise _unavailable("there is no terminal to ask for the passphrase") from None
    os.close(terminal)
    try:
        return getpass.getpass(plain(prompt))
    except EOFError:
        raise _unavailable("the terminal was closed before a passphrase was typed") from None


def _drain(descriptor: int) -> bytes:
    """Everything up to the end or the first line feed; the descriptor is left open."""
    data = b""
    try:
        while len(data) <= MAX_BYTES + 1 and b"\n" not in data:
            part = os.read(descriptor, MAX_BYTES)
            if not part:
                break
            data += part
    except OSError as error:
        raise _unavailable(f"descriptor {descriptor} cannot be read: {error.strerror}") from None
    return data


def _first_line(data: bytes) -> Passphrase:
    """One line, its line end taken off; a second line is refused, not silently ignored."""
    line = data.removesuffix(b"\n").removesuffix(b"\r")
    try:
        return Passphrase(line.decode())
    except UnicodeDecodeError:
        raise _malformed("it is not text in UTF-8") from None


def _malformed(why: str) -> InvalidInput:
    return InvalidInput(
        "passphrase_malformed",
        f"the passphrase cannot be used: {why}",
        field="passphrase",
        hint="give one line of text",
    )


def _unavailable(why: str) -> OperatorError:
    return OperatorError(
        "passphrase_unavailable",
        why,
        field="passphrase",
        hint="run it at a terminal, or give --passphrase-file FILE or --passphrase-fd NUMBER",
    )
