"""What goes wrong with a token, in a person's words; a token's own words are a code at most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pkcs11 import exceptions as told
from saphan_schemas.errors import OperatorError

PIN_WRONG: Final = "pkcs11_pin_wrong"
_NAME_IT: Final = "name the PKCS#11 library of the token's maker: --pkcs11 FILE"


def library_missing(path: Path) -> OperatorError:
    return _library(path, "there is no such file", _NAME_IT)


def library_unusable(path: Path, error: told.PKCS11Error) -> OperatorError:
    """It was not loaded, or it was and said that it cannot begin (then the error has a name)."""
    if type(error) is told.PKCS11Error:
        return _library(path, "it is no PKCS#11 library of this machine", _NAME_IT)
    why = f"it does not start ({type(error).__name__})"
    return _library(path, why, "see whether its settings and tokens may be read by you")


def _library(path: Path, why: str, hint: str) -> OperatorError:
    message = f"{path} cannot be used: {why}"
    return OperatorError("pkcs11_library", message, field="pkcs11", hint=hint)


def token_named() -> OperatorError:
    """A key can only be made on a token that was named."""
    return OperatorError(
        "pkcs11_token_named",
        "to make a key on a token, both the token and its PKCS#11 library are named",
        field="token",
        hint="--token LABEL --pkcs11 FILE",
    )


def token_missing(label: str) -> OperatorError:
    return OperatorError(
        "pkcs11_token_missing",
        f"the token {label} is not there",
        field="token",
        hint="put it in and run the command again; if it is in, check the reader and --pkcs11 FILE",
    )


def token_ambiguous(label: str, serials: Sequence[str]) -> OperatorError:
    return OperatorError(
        "pkcs11_token_ambiguous",
        f"{len(serials)} tokens are called {label}",
        field="token",
        hint=f"pull all but one, or name its serial: {', '.join(serials)}",
    )


def no_ed25519(label: str) -> OperatorError:
    return OperatorError(
        "pkcs11_no_ed25519",
        f"the token {label} makes no Ed25519 keys",
        field="token",
        hint="use one that knows the mechanism CKM_EC_EDWARDS_KEY_PAIR_GEN: docs/token.md",
    )


def exposed(label: str) -> OperatorError:
    return OperatorError(
        "pkcs11_key_exposed",
        f"the token {label} made a key that it would give away; the key was removed again",
        field="token",
        hint="see whether the token is set to make keys that cannot be read, or use another one",
    )


def key_missing(label: str) -> OperatorError:
    return OperatorError(
        "pkcs11_key_missing",
        f"the token {label} does not hold the key that belongs to this key file",
        field="token",
        hint="was the token wiped? then revoke the key and enrol a new one: docs/token.md",
    )


def key_differs(label: str) -> OperatorError:
    return OperatorError(
        "pkcs11_key_differs",
        f"what the token {label} signs does not hold under this key file's public key",
        field="token",
        hint="token and key file do not belong together: use the file that was made with it",
    )


def failed(label: str, error: told.PKCS11Error, *, last_try: bool = False) -> OperatorError:
    """What the token answered, as one of a few codes; the PIN is in none of them.

    Args:
        last_try: the token says that one more wrong PIN locks it.
    """
    match error:
        case told.PinIncorrect() | told.PinInvalid() | told.PinLenRange():
            return OperatorError(
                PIN_WRONG,
                f"the PIN does not open the token {label}",
                field="pin",
                hint="one more wrong PIN locks the token: be sure before you try again"
                if last_try
                else "a few wrong PINs lock the token: be sure before you try again",
            )
        case told.PinLocked():
            return OperatorError(
                "pkcs11_pin_locked",
                f"the token {label} is locked: too many wrong PINs were tried",
                field="pin",
                hint="whoever set it up unlocks it; if it was not you who tried, tell the office",
            )
        case told.PinExpired() | told.UserPinNotInitialized():
            return OperatorError(
                "pkcs11_pin_unset",
                f"the PIN of the token {label} has to be set before it can be used",
                field="pin",
                hint="set it with the tool of the token's maker",
            )
        case _:
            return OperatorError(
                "pkcs11_failed",
                f"the token {label} did not do what was asked ({type(error).__name__})",
                field="token",
                hint="pull it, put it in again and repeat the command",
            )
