"""Secret key files: sealed by a passphrase (roots, orders, officers), or private to a service user.

A key file is JSON: {"saphan": "key/1", role, handle, key_id, public} and either a `seed` (mode 0600
is its only guard; a power cut must not stop the office) or `argon2id`, `nonce`, `sealed`:
AES-256-GCM of the seed under Argon2id(passphrase), with everything else of the file as its aad.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from saphan_protocol.identity import pae_array
from saphan_protocol.keys import SIGNING_ROLES, SigningKey, key_id
from saphan_protocol.mailbox import MailboxKey
from saphan_protocol.witness import WitnessKey
from saphan_schemas.errors import OperatorError, SaphanError
from saphan_schemas.records import Handle, Role
from saphan_schemas.strict_json import parse_json

from saphan.durable import create_file
from saphan.passphrase import Passphrase
from saphan.private import read_private

KEY_FORMAT: Final = "key/1"
KEY_FILE_BYTES: Final = 16 * 1024
"""A composite public key takes 2.6 KiB in base64, everything else under 1 KiB."""

MAX_MEMORY_KIB: Final = 256 * 1024
MAX_ITERATIONS: Final = 16
MAX_LANES: Final = 16
MIN_MEMORY_KIB: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Argon2Cost:
    """What one guess at a passphrase costs (RFC 9106; the second recommended option).

    Args:
        memory_kib: KiB of memory, at least 8 for each lane.
        iterations: passes over it.
        lanes: threads.
    """

    memory_kib: int = 64 * 1024
    iterations: int = 3
    lanes: int = 4


DEFAULT_COST: Final = Argon2Cost()


class _Argon2File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    salt: str
    memory_kib: int
    iterations: int
    lanes: int


class _KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    saphan: str
    role: Role
    key_id: str
    public: str
    handle: Handle | None = None
    seed: str | None = None
    argon2id: _Argon2File | None = None
    nonce: str | None = None
    sealed: str | None = None


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A key's seed with its public half; the seed is not in the repr."""

    role: Role
    public: bytes
    seed: bytes = field(repr=False)
    handle: str | None = None

    @property
    def key_id(self) -> bytes:
        """The key's identity, 32 bytes."""
        return key_id(self.role, self.public)

    def signing(self) -> SigningKey:
        """The key, ready to sign; RuntimeError for mailbox and witness keys."""
        if self.role not in SIGNING_ROLES:
            raise RuntimeError(f"a {self.role.value} key is no signing key")
        return SigningKey(self.role, self.seed)


def new_key(role: Role, handle: str | None = None) -> SecretKey:
    """A fresh key from the operating system's randomness."""
    seed = os.urandom(32 if role is Role.MAILBOX else 64)
    return SecretKey(role, public_half(role, seed), seed, handle)


def public_half(role: Role, seed: bytes) -> bytes:
    """Public bytes of the key that a seed makes.

    Raises:
        OperatorError: `key_malformed` for a seed of another length.
    """
    if role is Role.MAILBOX:
        return MailboxKey(seed).public
    if role is Role.WITNESS:
        return WitnessKey(seed).public
    return SigningKey(role, seed).public


def write_plain(path: Path, key: SecretKey) -> None:
    """Create a 0600 file that opens without a passphrase, for the node's service user.

    Raises:
        OperatorError: `file_exists`, `file_unwritable`.
    """
    create_file(path, _format(_clear_fields(key) | {"seed": _text(key.seed)}))


def write_sealed(
    path: Path, key: SecretKey, passphrase: Passphrase, cost: Argon2Cost = DEFAULT_COST
) -> None:
    """Create a 0600 file that opens with the passphrase only; takes about 0.2 s by default.

    Raises:
        OperatorError: `file_exists`, `file_unwritable`.
    """
    salt, nonce = os.urandom(16), os.urandom(12)
    wrapping = _stretch(passphrase, salt, cost)
    aad = _aad(key.role, key.handle, key.public, salt, cost)
    sealed = AESGCM(wrapping).encrypt(nonce, key.seed, aad)
    argon2id = {
        "salt": _text(salt),
        "memory_kib": cost.memory_kib,
        "iterations": cost.iterations,
        "lanes": cost.lanes,
    }
    secret = {"argon2id": argon2id, "nonce": _text(nonce), "sealed": _text(sealed)}
    create_file(path, _format(_clear_fields(key) | secret))


def is_sealed(path: Path) -> bool:
    """Whether the key file asks for a passphrase.

    Raises:
        OperatorError: what `read_key` raises for a file that is no key file.
    """
    return _parse(path).sealed is not None


def read_key_id(path: Path) -> bytes:
    """The id a key file claims, without opening its secret; `read_key` proves it.

    Raises:
        OperatorError: what `read_key` raises for a file that is no key file.
    """
    file = _parse(path)
    return key_id(file.role, _bytes(path, "public", file.public))


def read_key(path: Path, role: Role, passphrase: Passphrase | None = None) -> SecretKey:
    """Open a key file of the given role.

    Args:
        passphrase: needed for a sealed file, not used for a plain one.

    Raises:
        OperatorError: `file_missing`, `file_unreadable`, `key_file_exposed`, `key_file_damaged`,
            `key_file_role`, `passphrase_needed`, `passphrase_wrong`.
    """
    file = _parse(path)
    if file.role is not role:
        raise OperatorError(
            "key_file_role",
            f"{path} holds the agency's {file.role.value} key where the {role.value} key is needed",
            field="role",
            hint="a key has one role only; name the other file",
        )
    public = _bytes(path, "public", file.public)
    if file.seed is not None:
        seed = _bytes(path, "seed", file.seed)
    elif passphrase is None:
        raise OperatorError(
            "passphrase_needed",
            f"{path} is sealed by a passphrase",
            field="passphrase",
            hint="give --passphrase-file FILE or --passphrase-fd NUMBER, or run it at a terminal",
        )
    else:
        seed = _unseal(path, file, public, passphrase)
    return _checked(path, file, SecretKey(role, public, seed, file.handle))


def read_mailbox(path: Path) -> MailboxKey:
    """A plain mailbox key file, ready to open stanzas; raises what `read_key` raises."""
    return MailboxKey(read_key(path, Role.MAILBOX).seed)


def read_witness(path: Path) -> WitnessKey:
    """A plain witness key file, ready to cosign; raises what `read_key` raises."""
    return WitnessKey(read_key(path, Role.WITNESS).seed)


def read_node(path: Path) -> SigningKey:
    """The node's plain signing key file; raises what `read_key` raises."""
    return read_key(path, Role.NODE).signing()


def _parse(path: Path) -> _KeyFile:
    try:
        data = read_private(path, KEY_FILE_BYTES, "key-file")
    except SaphanError as error:
        if error.code == "too_large":
            raise _damaged(path, error.message) from None
        raise
    try:
        file = parse_json(_KeyFile, data)
    except ValueError:  # whose words are left out: they may quote what stands in the file
        raise _damaged(path, "it does not parse") from None
    if file.saphan != KEY_FORMAT:
        raise _damaged(path, f"its format is not {KEY_FORMAT}")
    parts = (file.argon2id, file.nonce, file.sealed)
    if (file.seed is None) == any(part is None for part in parts):
        raise _damaged(path, "it holds neither a seed nor a sealed seed, or both")
    return file


def _checked(path: Path, file: _KeyFile, key: SecretKey) -> SecretKey:
    """The seed really is this public key's: a file put together from two would sign nonsense."""
    try:
        fits = public_half(key.role, key.seed) == key.public
    except OperatorError:
        fits = False
    if not fits or key.key_id.hex() != file.key_id:
        raise _damaged(path, "its parts do not belong to one key")
    return key


def _unseal(path: Path, file: _KeyFile, public: bytes, passphrase: Passphrase) -> bytes:
    if file.argon2id is None or file.nonce is None or file.sealed is None:
        raise _damaged(path, "its sealed part is not whole")
    found = file.argon2id
    salt, nonce = _bytes(path, "salt", found.salt), _bytes(path, "nonce", file.nonce)
    sealed = _bytes(path, "sealed", file.sealed)
    cost = Argon2Cost(memory_kib=found.memory_kib, iterations=found.iterations, lanes=found.lanes)
    _check_cost(path, cost)
    if (len(salt), len(nonce)) != (16, 12) or len(sealed) not in (48, 80):
        raise _damaged(path, "its sealed part has the wrong length")
    wrapping = _stretch(passphrase, salt, cost)
    try:
        aad = _aad(file.role, file.handle, public, salt, cost)
        return AESGCM(wrapping).decrypt(nonce, sealed, aad)
    except InvalidTag:
        raise OperatorError(
            "passphrase_wrong",
            f"the passphrase does not open {path}",
            field="passphrase",
            hint="check keyboard layout and capitals; if it is surely right, the file was changed: "
            "take it from its backup",
        ) from None


def _check_cost(path: Path, cost: Argon2Cost) -> None:
    """A hostile file must not take the machine's memory or an hour of its time."""
    fine = (
        1 <= cost.lanes <= MAX_LANES
        and 1 <= cost.iterations <= MAX_ITERATIONS
        and max(MIN_MEMORY_KIB, 8 * cost.lanes) <= cost.memory_kib <= MAX_MEMORY_KIB
    )
    if not fine:
        raise _damaged(path, "its Argon2id parameters are outside what is ever written")


def _stretch(passphrase: Passphrase, salt: bytes, cost: Argon2Cost) -> bytes:
    kdf = Argon2id(
        salt=salt,
        length=32,
        iterations=cost.iterations,
        lanes=cost.lanes,
        memory_cost=cost.memory_kib,
    )
    return kdf.derive(passphrase.reveal())


def _aad(role: Role, handle: str | None, public: bytes, salt: bytes, cost: Argon2Cost) -> bytes:
    fields: list[object] = [role.value, handle, public, salt]
    fields += [cost.memory_kib, cost.iterations, cost.lanes]
    return pae_array("saphan/key_file/1", fields)


def _clear_fields(key: SecretKey) -> dict[str, object]:
    fields: dict[str, object] = {"saphan": KEY_FORMAT, "role": key.role.value}
    if key.handle is not None:
        fields["handle"] = key.handle
    return fields | {"key_id": key.key_id.hex(), "public": _text(key.public)}


def _format(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, indent=2).encode() + b"\n"


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(path: Path, name: str, text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise _damaged(path, f"{name} is not base64") from None
    if _text(data) != text:
        raise _damaged(path, f"{name} is not base64 in its one canonical form")
    return data


def _damaged(path: Path, why: str) -> OperatorError:
    return OperatorError(
        "key_file_damaged",
        f"{path} is no whole key file: {why}",
        field="key-file",
        hint="take the file from its backup; if there is none, make a new key and revoke this one",
    )
