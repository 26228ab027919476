"""The PIN of a token: asked at the terminal, or read from a private file or an open descriptor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.messages import text

from saphan.keys.passphrase import PassphraseSource


@dataclass(frozen=True, slots=True, kw_only=True)
class PinSource:
    """Where a PIN comes from: a file, a descriptor, or (neither) the terminal."""

    file: Path | None = None
    descriptor: int | None = None
    say: Callable[..., str] = text
    """Texts of the catalogue in the person's language, English if nobody says otherwise."""

    def read(self, token: str) -> str:
        """The PIN of the token with this label; one line of text, its length left to the token.

        Raises:
            OperatorError: `pin_unavailable`, `key_file_exposed`, `file_missing`, `file_unreadable`.
            InvalidInput: `pin_malformed`, `too_large`.
        """
        source = PassphraseSource(
            file=self.file,
            descriptor=self.descriptor,
            say=lambda _key, what: self.say("prompt.pin", token=what),
        )
        try:
            return source.read(token).reveal().decode()
        except OperatorError as error:
            if error.code != "passphrase_unavailable":
                raise
            raise OperatorError(
                "pin_unavailable",
                f"the PIN of the token {token} cannot be asked for here",
                field="pin",
                hint="run it at a terminal, or give --pin-file FILE or --pin-fd NUMBER",
            ) from None
        except InvalidInput as error:
            if error.code != "passphrase_malformed":
                raise
            raise InvalidInput(
                "pin_malformed",
                f"the PIN of the token {token} cannot be used",
                field="pin",
                hint="give one line of text that is not empty",
            ) from None
