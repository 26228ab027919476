"""Secret key files: sealed by a passphrase (roots, orders, officers), or private to a service user.

A key file is JSON: {"saphan": "key/1", role, handle, key_id, public} and either a `seed` (mode 0600
is its only guard; a power cut must not stop the office) or `argon2id`, `nonce`, `sealed`:
AES-256-GCM of the seed under Argon2id(passphrase), with everything else of the file as its aad.
In "key/2" the Ed25519 half lies on a PKCS#11 token that `pkcs11` names; the seed is ML-DSA's alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from saphan_protocol.composite import MLDSA_PUBLIC_BYTES, MLDSA_SEED_BYTES
from saphan_protocol.identity import pae_array
from saphan_protocol.keys import SIGNING_ROLES, SigningKey, key_id
from saphan_protocol.mailbox import MailboxKey
from saphan_protocol.suite import MLDSA65PrivateKey
from saphan_protocol.witness import WitnessKey
from saphan_schemas.errors import OperatorError, SaphanError
from saphan_schemas.records import Role

from saphan.base64_text import text_of
from saphan.durable import create_file
from saphan.keys.keyfile_json import (
    HALF_KEY_FORMAT,
    KEY_FORMAT,
    KeyJson,
    damaged,
    format_key_file,
    parse_key_file,
    to_bytes,
)
from saphan.keys.passphrase import Passphrase
from saphan.keys.token_place import HeldHalf, TokenAccess, TokenPlace, held_half, make_half

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


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A key's seed with its public half; the seed is not in the repr.

    Args:
        token: where the Ed25519 half lies, if not in `seed`; `held` signs there.
    """

    role: Role
    public: bytes
    seed: bytes = field(repr=False)
    handle: str | None = None
    token: TokenPlace | None = None
    held: HeldHalf | None = field(default=None, repr=False, compare=False)

    @property
    def key_id(self) -> bytes:
        """The key's identity, 32 bytes."""
        return key_id(self.role, self.public)

    def signing(self) -> SigningKey:
        """The key, ready to sign; RuntimeError for mailbox and witness keys."""
        if self.role not in SIGNING_ROLES:
            raise RuntimeError(f"a {self.role.value} key is no signing key")
        if self.held is None:
            return SigningKey(self.role, self.seed)
        half = self.public[MLDSA_PUBLIC_BYTES:]
        return SigningKey.with_signer(self.role, self.seed, self.held, half)


def new_key(role: Role, handle: str | None = None) -> SecretKey:
    """A fresh key from the operating system's randomness."""
    seed = os.urandom(32 if role is Role.MAILBOX else 64)
    return SecretKey(role, public_half(role, seed), seed, handle)


def new_token_key(handle: str, access: TokenAccess) -> SecretKey:
    """An officer's fresh key; its Ed25519 half is made on the token and never leaves it.

    Raises:
        OperatorError: `pkcs11_*` codes of `make_half`.
    """
    seed = os.urandom(MLDSA_SEED_BYTES)
    half = make_half(access, f"saphan officer {handle}")
    key = SigningKey.with_signer(Role.OFFICER, seed, half.signer, half.public)
    return SecretKey(Role.OFFICER, key.public, seed, handle, half.place, half.signer)


@contextmanager
def discarded_on_error(key: SecretKey) -> Iterator[None]:
    """While a new key gets its file: if it gets none, nothing of it stays on its token."""
    try:
        yield
    except SaphanError:
        if key.held is not None:
            key.held.discard()
        raise


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
    create_file(path, format_key_file(_clear_fields(key) | {"seed": text_of(key.seed)}))


def write_sealed(
    path: Path, key: SecretKey, passphrase: Passphrase, cost: Argon2Cost = DEFAULT_COST
) -> None:
    """Create a 0600 file that opens with the passphrase only; takes about 0.2 s by default.

    Raises:
        OperatorError: `file_exists`, `file_unwritable`.
    """
    salt, nonce = os.urandom(16), os.urandom(12)
    wrapping = _stretch(passphrase, salt, cost)
    aad = _aad(key.role, key.handle, key.public, salt, cost, key.token)
    sealed = AESGCM(wrapping).encrypt(nonce, key.seed, aad)
    argon2id = {
        "salt": text_of(salt),
        "memory_kib": cost.memory_kib,
        "iterations": cost.iterations,
        "lanes": cost.lanes,
    }
    secret = {"argon2id": argon2id, "nonce": text_of(nonce), "sealed": text_of(sealed)}
    create_file(path, format_key_file(_clear_fields(key) | secret))


def is_sealed(path: Path) -> bool:
    """Whether the key file asks for a passphrase.

    Raises:
        OperatorError: what `read_key` raises for a file that is no key file.
    """
    return parse_key_file(path).sealed is not None


def read_key_id(path: Path) -> bytes:
    """The id a key file claims, without opening its secret; `read_key` proves it.

    Raises:
        OperatorError: what `read_key` raises for a file that is no key file.
    """
    file = parse_key_file(path)
    return key_id(file.role, to_bytes(path, "public", file.public))


def read_key(
    path: Path,
    role: Role,
    passphrase: Passphrase | None = None,
    access: TokenAccess | None = None,
) -> SecretKey:
    """Open a key file of the given role; a token is not asked before the first signature.

    Args:
        passphrase: needed for a sealed file, not used for a plain one.
        access: how a token is reached that holds a half of the key; at the terminal by default.

    Raises:
        OperatorError: `file_missing`, `file_unreadable`, `key_file_exposed`, `key_file_damaged`,
            `key_file_role`, `passphrase_needed`, `passphrase_wrong`, `pkcs11_not_installed`.
    """
    file = parse_key_file(path)
    if file.role is not role:
        raise OperatorError(
            "key_file_role",
            f"{path} holds the agency's {file.role.value} key where the {role.value} key is needed",
            field="role",
            hint="a key has one role only; name the other file",
        )
    public = to_bytes(path, "public", file.public)
    if file.seed is not None:
        seed = to_bytes(path, "seed", file.seed)
    elif passphrase is None:
        raise OperatorError(
            "passphrase_needed",
            f"{path} is sealed by a passphrase",
            field="passphrase",
            hint="give --passphrase-file FILE or --passphrase-fd NUMBER, or run it at a terminal",
        )
    else:
        seed = _unseal(path, file, public, passphrase)
    key = _checked(path, file, SecretKey(role, public, seed, file.handle, _place(path, file)))
    if key.token is None:
        return key
    held = held_half(key.token, public[MLDSA_PUBLIC_BYTES:], access or TokenAccess())
    return replace(key, held=held)


def read_mailbox(path: Path) -> MailboxKey:
    """A plain mailbox key file, ready to open stanzas; raises what `read_key` raises."""
    return MailboxKey(read_key(path, Role.MAILBOX).seed)


def read_witness(path: Path) -> WitnessKey:
    """A plain witness key file, ready to cosign; raises what `read_key` raises."""
    return WitnessKey(read_key(path, Role.WITNESS).seed)


def read_node(path: Path) -> SigningKey:
    """The node's plain signing key file; raises what `read_key` raises."""
    return read_key(path, Role.NODE).signing()


def _checked(path: Path, file: KeyJson, key: SecretKey) -> SecretKey:
    """The seed really is this public key's: a file put together from two would sign nonsense."""
    try:
        fits = _fits(key)
    except OperatorError:
        fits = False
    if not fits or key.key_id.hex() != file.key_id:
        raise damaged(path, "its parts do not belong to one key")
    return key


def _fits(key: SecretKey) -> bool:
    if key.token is None:
        return public_half(key.role, key.seed) == key.public
    # Whether the token holds the other half, its first signature shows: `TokenHalf.sign`.
    mldsa = MLDSA65PrivateKey.from_seed_bytes(key.seed).public_key().public_bytes_raw()
    return key.role is Role.OFFICER and mldsa == key.public[:MLDSA_PUBLIC_BYTES]


def _place(path: Path, file: KeyJson) -> TokenPlace | None:
    found = file.pkcs11
    if found is None:
        return None
    try:
        serial, key = bytes.fromhex(found.serial), bytes.fromhex(found.key)
    except ValueError:
        raise damaged(path, "what it says of its token is not hexadecimal") from None
    return TokenPlace(library=Path(found.library), label=found.label, serial=serial, key=key)


def _unseal(path: Path, file: KeyJson, public: bytes, passphrase: Passphrase) -> bytes:
    if file.argon2id is None or file.nonce is None or file.sealed is None:
        raise damaged(path, "its sealed part is not whole")
    found = file.argon2id
    salt, nonce = to_bytes(path, "salt", found.salt), to_bytes(path, "nonce", file.nonce)
    sealed = to_bytes(path, "sealed", file.sealed)
    cost = Argon2Cost(memory_kib=found.memory_kib, iterations=found.iterations, lanes=found.lanes)
    _check_cost(path, cost)
    if (len(salt), len(nonce)) != (16, 12) or len(sealed) != _sealed_bytes(file):
        raise damaged(path, "its sealed part has the wrong length")
    wrapping = _stretch(passphrase, salt, cost)
    try:
        aad = _aad(file.role, file.handle, public, salt, cost, _place(path, file))
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
        raise damaged(path, "its Argon2id parameters are outside what is ever written")


def _stretch(passphrase: Passphrase, salt: bytes, cost: Argon2Cost) -> bytes:
    kdf = Argon2id(
        salt=salt,
        length=32,
        iterations=cost.iterations,
        lanes=cost.lanes,
        memory_cost=cost.memory_kib,
    )
    return kdf.derive(passphrase.reveal())


def _sealed_bytes(file: KeyJson) -> int:
    """Length of the sealed seed with its tag of 16 bytes."""
    one_half = file.role is Role.MAILBOX or file.pkcs11 is not None
    return 48 if one_half else 80


def _aad(
    role: Role,
    handle: str | None,
    public: bytes,
    salt: bytes,
    cost: Argon2Cost,
    token: TokenPlace | None,
) -> bytes:
    fields: list[object] = [role.value, handle, public, salt]
    fields += [cost.memory_kib, cost.iterations, cost.lanes]
    if token is None:
        return pae_array("saphan/key_file/1", fields)
    # What is sealed with it is what names the library that will be loaded and given the PIN.
    fields += [str(token.library), token.label, token.serial, token.key]
    return pae_array("saphan/key_file/2", fields)


def _clear_fields(key: SecretKey) -> dict[str, object]:
    form = KEY_FORMAT if key.token is None else HALF_KEY_FORMAT
    fields: dict[str, object] = {"saphan": form, "role": key.role.value}
    if key.handle is not None:
        fields["handle"] = key.handle
    fields |= {"key_id": key.key_id.hex(), "public": text_of(key.public)}
    if key.token is not None:
        fields["pkcs11"] = {
            "library": str(key.token.library),
            "label": key.token.label,
            "serial": key.token.serial.hex(),
            "key": key.token.key.hex(),
        }
    return fields
