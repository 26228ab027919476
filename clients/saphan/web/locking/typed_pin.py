"""The PIN of a token, typed into the page."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from saphan_schemas.errors import OperatorError

from saphan.keys.keyfile_json import parse_key_file
from saphan.keys.pin import PinSource


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedPin(PinSource):
    """Gives what was typed, once: after the token was pulled it is typed again, at the lock."""

    typed: list[str] = field(default_factory=list, repr=False)

    def read(self, token: str) -> str:
        """Raises OperatorError `pin_unavailable`."""
        if not self.typed or not self.typed[0]:
            raise OperatorError(
                "pin_unavailable",
                f"the PIN of the token {token} is needed",
                field="pin",
                hint="put the token in, lock the page, and unlock it with passphrase and PIN",
            )
        return self.typed.pop()


def token_label(key_file: Path) -> str | None:
    """The name of the token that holds half of this key; None: no token does. Blocking.

    Raises:
        OperatorError: `file_missing`, `key_file_*`.
    """
    place = parse_key_file(key_file).pkcs11
    return None if place is None else place.label
