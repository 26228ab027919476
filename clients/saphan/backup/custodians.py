"""Custodians: people who open an agency's backups together, each with a key of their own.

A custodian's key is a mailbox key in a sealed key file (files.md, K1 to K6) that no directory
enrols: NAME.key stays with its holder, NAME.pub goes to the node that makes backups.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from saphan_protocol.custody import custodian_id
from saphan_protocol.mailbox import load_public
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Handle, Role
from saphan_schemas.strict_json import parse_json

from saphan.agency import check_handle
from saphan.base64_text import bytes_of, text_of
from saphan.durable import PUBLIC_MODE, create_file, read_bounded
from saphan.keys.keyfiles import DEFAULT_COST, Argon2Cost, new_key, write_sealed
from saphan.keys.passphrase import Passphrase

CUSTODIAN_FORMAT: Final = "custodian/1"
PUBLIC_FILE_BYTES: Final = 8 * 1024
"""A mailbox key takes 1.6 KiB in base64."""


@dataclass(frozen=True, slots=True)
class Custodian:
    """A custodian as others know them: a name and a public key of 1216 bytes."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """32 bytes that name the key."""
        return custodian_id(self.public)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    saphan: str
    name: Handle
    public: str


def make_custodian(
    folder: Path, name: str, passphrase: Passphrase, cost: Argon2Cost = DEFAULT_COST
) -> tuple[Path, Path, Custodian]:
    """Make a custodian's key: NAME.key, sealed by the passphrase, and NAME.pub, in `folder`.

    Returns:
        (secret file, public file, the custodian).

    Raises:
        InvalidInput: `handle_malformed`. OperatorError: `file_exists`, `file_unwritable`.
    """
    check_handle(name)
    key = new_key(Role.MAILBOX, name)
    made = Custodian(name, key.public)
    secret, public = folder / f"{name}.key", folder / f"{name}.pub"
    write_sealed(secret, key, passphrase, cost)
    # A crash here leaves a key that nothing was ever sealed to.
    create_file(public, _format(made), PUBLIC_MODE)
    return secret, public, made


def read_custodian(path: Path) -> Custodian:
    """A custodian's public file.

    Raises:
        InvalidInput: `custodian_malformed`, `key_malformed`, `too_large`.
        OperatorError: `file_missing`, `file_unreadable`.
    """
    data = read_bounded(path, PUBLIC_FILE_BYTES, "custodians")
    try:
        file = parse_json(_File, data)
        public = bytes_of(file.public)
    except ValueError as error:
        raise _malformed(path, f"it does not parse: {error}") from None
    if file.saphan != CUSTODIAN_FORMAT:
        raise _malformed(path, f"its format is not {CUSTODIAN_FORMAT}")
    load_public(public)
    return Custodian(file.name, public)


def read_custodians(paths: Sequence[Path]) -> tuple[Custodian, ...]:
    """Several public files, in the order given; raises what `read_custodian` raises.

    Raises:
        InvalidInput: `custodians_malformed`.
    """
    if len(paths) > LIMITS.custodians:
        raise InvalidInput(
            "custodians_malformed",
            f"{len(paths)} custodians are named, at most {LIMITS.custodians} are possible",
            field="custodians",
            hint="name fewer: every one of them is asked at each restore",
        )
    return tuple(read_custodian(path) for path in paths)


def _format(made: Custodian) -> bytes:
    public = text_of(made.public)
    value = {"saphan": CUSTODIAN_FORMAT, "name": made.name, "public": public}
    return json.dumps(value, indent=2).encode() + b"\n"


def _malformed(path: Path, why: str) -> InvalidInput:
    return InvalidInput(
        "custodian_malformed",
        f"{path} is not a custodian's public file: {why}",
        field="custodians",
        hint="take the NAME.pub that `saphan custodian init` wrote",
    )
