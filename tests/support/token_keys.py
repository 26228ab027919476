"""An officer's key in two halves: on a real token, and in its file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from saphan.keys.keyfiles import SecretKey, new_token_key, write_sealed
from saphan.keys.passphrase import Passphrase

from support.cheap import CHEAP
from support.softhsm import Tokens

PASSPHRASE: Final = Passphrase("correct horse battery")
MESSAGE: Final = b"DSSEv1 1 a 1 b"


def officer_of(tokens: Tokens) -> SecretKey:
    """A fresh key of bounmy, half of it on the token "desk"; nobody is logged in."""
    key = new_token_key("bounmy", tokens.access("desk"))
    assert key.held is not None
    key.held.close()
    return key


def file_of(officer: SecretKey, folder: Path) -> Path:
    """The other half, under `PASSPHRASE`."""
    path = folder / "bounmy.key"
    write_sealed(path, officer, PASSPHRASE, CHEAP)
    return path
