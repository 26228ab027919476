"""A root's holder: a sealed key file that never leaves them, and its public half for the others.

`<holder>.key` opens with the holder's passphrase only. `<holder>.json` goes to whoever prepares the
operation that enrols it: {"saphan": "root/1", holder, public}. It proves nothing by itself: the
holder signs that operation on their own machine, after comparing its words.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from saphan_protocol.keys import SigningKey, check_public_key, key_id
from saphan_schemas.decoders import convert
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import Handle, Role
from saphan_schemas.strict_json import parse_json

from saphan.base64_text import bytes_of, text_of
from saphan.durable import PUBLIC_MODE, create_file, make_folder
from saphan.keys.keyfiles import DEFAULT_COST, Argon2Cost, new_key, read_key, write_sealed
from saphan.keys.passphrase import Passphrase

FORMAT: Final = "root/1"
ROOT_HALF_BYTES: Final = 8 * 1024
"""A composite public key takes 2.6 KiB in base64."""


@dataclass(frozen=True, slots=True)
class RootHalf:
    """The public half of a root and who holds the other: a name that proves nothing."""

    holder: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The root's key id, 32 bytes."""
        return key_id(Role.ROOT, self.public)


@dataclass(frozen=True, slots=True)
class NewRoot:
    """A root that has just been made, and its two files."""

    half: RootHalf
    key_file: Path
    public_file: Path


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    saphan: str
    holder: Handle
    public: str


def new_root(
    folder: Path, holder: str, passphrase: Passphrase, cost: Argon2Cost = DEFAULT_COST
) -> NewRoot:
    """Make a root key and write `<holder>.key`, sealed, and `<holder>.json`; needs no network.

    Raises:
        InvalidInput: `holder_malformed`. OperatorError: `file_exists`, `file_unwritable`.
    """
    check_holder(holder)
    make_folder(folder)
    key = new_key(Role.ROOT, holder)
    half = RootHalf(holder, key.public)
    made = NewRoot(half, folder / f"{holder}.key", folder / f"{holder}.json")
    # A crash between the two leaves a key without its public half: nobody has enrolled it yet.
    write_sealed(made.key_file, key, passphrase, cost)
    create_file(made.public_file, format_root_half(half), PUBLIC_MODE)
    return made


def open_root_file(path: Path, passphrase: Passphrase) -> SigningKey:
    """A holder's root key, open; raises what `read_key` raises."""
    return read_key(path, Role.ROOT, passphrase).signing()


def check_holder(name: str) -> None:
    """Refuse what cannot name a holder, before anybody thinks up a passphrase.

    Raises:
        InvalidInput: `holder_malformed`.
    """
    try:
        convert(name, Handle)
    except msgspec.ValidationError:
        raise InvalidInput(
            "holder_malformed",
            f"{name[:64]!r} is no name of a root's holder: lower-case letters, digits and hyphens",
            field="name",
            hint="such as procurator or deputy-2; it names two files, nobody is checked by it",
        ) from None


def format_root_half(half: RootHalf) -> bytes:
    """The public file, indented, with a final line feed."""
    text = text_of(half.public)
    value = {"saphan": FORMAT, "holder": half.holder, "public": text}
    return json.dumps(value, indent=2).encode() + b"\n"


def parse_root_half(data: bytes) -> RootHalf:
    """Read a root's public half and check its key.

    Raises:
        InvalidInput: `root_file_malformed`, `key_malformed`, `key_weak`.
    """
    if len(data) > ROOT_HALF_BYTES:
        raise _malformed(f"it has {len(data)} bytes")
    try:
        file = parse_json(_File, data)
        public = bytes_of(file.public)
    except ValueError as error:
        raise _malformed(f"it does not parse: {error}") from None
    if file.saphan != FORMAT:
        raise _malformed(f"its format is not {FORMAT}")
    check_public_key(Role.ROOT, public)
    return RootHalf(file.holder, public)


def _malformed(why: str) -> InvalidInput:
    return InvalidInput(
        "root_file_malformed",
        f"this is not the public half of a root: {why}",
        field="root",
        hint="ask its holder for the .json file that `saphan root new` wrote",
    )
