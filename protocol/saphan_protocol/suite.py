"""The one suite and its primitives; a Python without them gets one clear error, not an ImportError.

Suite 1 (schemas/spec/suite.md): HPKE MLKEM768-X25519 / HKDF-SHA256 / AES-256-GCM, Cobblestone-256,
id-MLDSA65-Ed25519-SHA512, SHA-256; logs and witnesses add ML-DSA-44. Everything else in this
package takes its post-quantum primitives from here, so that this imports without them and
the program can say what is wrong: `require_post_quantum()` is called once at start.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, NoReturn

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from saphan_schemas.errors import OperatorError

__all__ = [
    "AEAD",
    "KDF",
    "KEM",
    "Cobblestone256Decryptor",
    "Cobblestone256Encryptor",
    "MLDSA44PrivateKey",
    "MLDSA44PublicKey",
    "MLDSA65PrivateKey",
    "MLDSA65PublicKey",
    "MLKEM768PrivateKey",
    "MLKEM768PublicKey",
    "MLKEM768X25519PrivateKey",
    "MLKEM768X25519PublicKey",
    "Suite",
    "require_post_quantum",
]

_NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "cryptography.cobblestone": ("Cobblestone256Decryptor", "Cobblestone256Encryptor"),
    "cryptography.hazmat.primitives.asymmetric.mldsa": (
        "MLDSA44PrivateKey",
        "MLDSA44PublicKey",
        "MLDSA65PrivateKey",
        "MLDSA65PublicKey",
    ),
    "cryptography.hazmat.primitives.asymmetric.mlkem": ("MLKEM768PrivateKey", "MLKEM768PublicKey"),
    "cryptography.hazmat.primitives.hpke": (
        "AEAD",
        "KDF",
        "KEM",
        "MLKEM768X25519PrivateKey",
        "MLKEM768X25519PublicKey",
        "Suite",
    ),
}


def _unsupported(what: str) -> OperatorError:
    return OperatorError(
        "crypto_unsupported",
        f"the installed cryptography library has no {what}",
        field="cryptography",
        hint="install pip's own wheel, which carries the OpenSSL it needs, not a distribution's "
        "package: pip install --only-binary :all: 'cryptography>=50.0.2'",
    )


class _Absent:
    """Stands for a primitive the library lacks: any use is the clear error."""

    def __init__(self, name: str) -> None:
        self.__name = name

    def __getattr__(self, _attribute: str) -> NoReturn:
        raise _unsupported(self.__name)

    def __call__(self, *_args: object) -> NoReturn:
        raise _unsupported(self.__name)


def _load(module: str, name: str) -> object:
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError):
        return _Absent(name)


if TYPE_CHECKING:
    from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
    from cryptography.hazmat.primitives.asymmetric.mldsa import (
        MLDSA44PrivateKey,
        MLDSA44PublicKey,
        MLDSA65PrivateKey,
        MLDSA65PublicKey,
    )
    from cryptography.hazmat.primitives.asymmetric.mlkem import (
        MLKEM768PrivateKey,
        MLKEM768PublicKey,
    )
    from cryptography.hazmat.primitives.hpke import (
        AEAD,
        KDF,
        KEM,
        MLKEM768X25519PrivateKey,
        MLKEM768X25519PublicKey,
        Suite,
    )
else:
    for _module, _names in _NEEDED.items():
        for _name in _names:
            globals()[_name] = _load(_module, _name)


def require_post_quantum() -> None:
    """Try every primitive of the suite once (about 1 ms); call it at program start.

    Raises:
        OperatorError: `crypto_unsupported`, naming what the library lacks (specs.md section 2.1).
    """
    # The names can be there while the OpenSSL beneath is too old, so each one is really used.
    try:
        MLDSA65PrivateKey.from_seed_bytes(bytes(32)).public_key()
        MLDSA44PrivateKey.from_seed_bytes(bytes(32)).public_key()
        _try_hpke()
        _try_cobblestone()
    except UnsupportedAlgorithm as error:
        raise _unsupported(f"complete suite ({error})") from None
    except InvalidTag:
        raise _unsupported("working HPKE or Cobblestone (what it sealed does not open)") from None


def _try_hpke() -> None:
    hpke = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    key = MLKEM768X25519PrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(bytes(64)),
        X25519PrivateKey.from_private_bytes(bytes(32)),
    )
    hpke.decrypt(hpke.encrypt(b"", key.public_key(), b""), key, b"")


def _try_cobblestone() -> None:
    encryptor = Cobblestone256Encryptor(bytes(32), b"")
    decryptor = Cobblestone256Decryptor(bytes(32), b"")
    decryptor.update(encryptor.finalize())
    decryptor.finalize()
