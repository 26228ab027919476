"""Where one half of a key lies when a PKCS#11 token holds it, and how it is reached.

The package that talks to tokens is optional (`saphan[pkcs11]`): `saphan.keys.token_key` alone
imports it, and only when a key file or an option names a token.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from saphan_protocol.keys import Ed25519Signer
from saphan_schemas.errors import OperatorError

from saphan.keys.pin import PinSource


class HeldHalf(Ed25519Signer, Protocol):
    """An Ed25519 key that a token holds."""

    def open(self) -> None:
        """Ask for the PIN now, if it was not yet; `sign` does it where nobody did before."""
        ...

    def close(self) -> None:
        """Log out; the next signature asks again."""
        ...

    def discard(self) -> None:
        """Remove a key that was made a moment ago, and will not be used, from the token."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPlace:
    """A key on a token.

    Args:
        library: the PKCS#11 library (a shared object) that drives the token.
        label: the token's name, as people know it; serial: what tells it from all others.
        key: CKA_ID of the key, 16 bytes.
    """

    library: Path
    label: str
    serial: bytes
    key: bytes

    def called(self, name: str) -> bool:
        """Whether a person who names this token by label or serial says so."""
        return name in (self.label, self.serial.decode("ascii", "replace"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAccess:
    """What the person says about their token.

    Args:
        library: in place of the one that the key file names; needed to make a key.
        token: label or serial (hexadecimal) of the token to make a key on.
        pin: where the PIN comes from.
    """

    library: Path | None = None
    token: str | None = None
    pin: PinSource = field(default_factory=PinSource)


class Half(NamedTuple):
    """An Ed25519 key on a token; `public` has 32 bytes."""

    place: TokenPlace
    public: bytes
    signer: HeldHalf


def held_half(place: TokenPlace, public: bytes, access: TokenAccess) -> HeldHalf:
    """The half that lies at `place`; the token is not asked before the first signature.

    Raises:
        OperatorError: `pkcs11_not_installed`.
    """
    _need_package()
    from saphan.keys.token_key import TokenHalf

    return TokenHalf(place, public, access)


def make_half(access: TokenAccess, label: str) -> Half:
    """Make an Ed25519 key on the token that `access` names; `label` is what its tools show.

    Raises:
        OperatorError: `pkcs11_not_installed`, and those of `saphan.keys.token_key.make`.
    """
    _need_package()
    from saphan.keys.token_key import make

    return make(access, label)


def _need_package() -> None:
    try:
        import saphan.keys.token_key  # noqa: F401 - the only part that needs python-pkcs11
    except ImportError:
        raise OperatorError(
            "pkcs11_not_installed",
            "the package that reaches PKCS#11 tokens is not installed",
            field="pkcs11",
            hint="pip install 'saphan[pkcs11]'",
        ) from None
