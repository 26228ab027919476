"""The JSON of a secret key file: parsed strictly, written in one form, nothing decrypted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import msgspec
from saphan_schemas.errors import OperatorError, SaphanError
from saphan_schemas.records import Handle, Role
from saphan_schemas.strict_json import parse_json

from saphan.base64_text import bytes_of, text_of
from saphan.private import read_private

KEY_FORMAT: Final = "key/1"
HALF_KEY_FORMAT: Final = "key/2"
"""One half of the key lies on a PKCS#11 token."""
KEY_FILE_BYTES: Final = 16 * 1024
"""A composite public key takes 2.6 KiB in base64, everything else under 1 KiB."""


class Argon2Json(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the passphrase is stretched; sizes in KiB."""

    salt: str
    memory_kib: int
    iterations: int
    lanes: int


class TokenJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the Ed25519 half lies; serial and key in hexadecimal."""

    library: str
    label: str
    serial: str
    key: str


class KeyJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key file as it stands on the disk, its secret still sealed if it is."""

    saphan: str
    role: Role
    key_id: str
    public: str
    handle: Handle | None = None
    seed: str | None = None
    argon2id: Argon2Json | None = None
    nonce: str | None = None
    sealed: str | None = None
    pkcs11: TokenJson | None = None


def parse_key_file(path: Path) -> KeyJson:
    """A key file's fields: exactly one of seed and sealed seed, the format that fits them.

    Raises:
        OperatorError: `file_missing`, `file_unreadable`, `key_file_exposed`, `key_file_damaged`.
    """
    try:
        data = read_private(path, KEY_FILE_BYTES, "key-file")
    except SaphanError as error:
        if error.code == "too_large":
            raise damaged(path, error.message) from None
        raise
    try:
        file = parse_json(KeyJson, data)
    except ValueError:  # whose words are left out: they may quote what stands in the file
        raise damaged(path, "it does not parse") from None
    if file.saphan not in (KEY_FORMAT, HALF_KEY_FORMAT):
        raise damaged(path, f"its format is neither {KEY_FORMAT} nor {HALF_KEY_FORMAT}")
    parts = (file.argon2id, file.nonce, file.sealed)
    if (file.seed is None) == any(part is None for part in parts):
        raise damaged(path, "it holds neither a seed nor a sealed seed, or both")
    on_token = file.saphan == HALF_KEY_FORMAT
    if on_token != (file.pkcs11 is not None) or (on_token and file.seed is not None):
        raise damaged(path, "its format does not fit what it says of a token")
    return file


def format_key_file(fields: dict[str, object]) -> bytes:
    """The file's bytes."""
    return json.dumps(fields, indent=2).encode() + b"\n"


def to_bytes(path: Path, name: str, text: str) -> bytes:
    """What `text_of` wrote into the field `name`; `key_file_damaged` for anything else."""
    try:
        data = bytes_of(text)
    except ValueError:
        raise damaged(path, f"{name} is not base64") from None
    if text_of(data) != text:
        raise damaged(path, f"{name} is not base64 in its one canonical form")
    return data


def damaged(path: Path, why: str) -> OperatorError:
    """The one error for a file that is no whole key file."""
    return OperatorError(
        "key_file_damaged",
        f"{path} is no whole key file: {why}",
        field="key-file",
        hint="name the .key file; if this is it, take it from its backup; if there is none, "
        "make a new key and revoke this one",
    )
