"""Signed notes as C2SP signed-note: verifier keys, the note's form, its lines, their verification.

Steps N1 to N9 are those of `schemas/spec/log.md`. A note's text means nothing before a known key's
line has been verified over it; what a text says is the matter of `checkpoint.py`.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS

from saphan_protocol.suite import MLDSA44PublicKey

KEY_ID_BYTES: Final = 4
TIME_BYTES: Final = 8
MAX_TIME: Final = 2**63 - 1
MAX_NAME_BYTES: Final = 255
"""The type 06 message has one length byte for a name (C2SP tlog-cosignature)."""

_DASH: Final = "\u2014 "
_CONTROL: Final = bytes(code for code in range(0x20) if code != 0x0A)
_NOT_IN_NAMES: Final = re.compile(r"[\s+\x00-\x1f]")
_HEX8: Final = re.compile(r"[0-9a-f]{8}", re.ASCII)


class KeyType(enum.IntEnum):
    """Signature type bytes of signed-note that Saphan uses; it knows no others."""

    ED25519 = 0x01
    COSIGNATURE_ED25519 = 0x04
    COSIGNATURE_MLDSA44 = 0x06


_PUBLIC_BYTES: Final = {
    KeyType.ED25519: 32,
    KeyType.COSIGNATURE_ED25519: 32,
    KeyType.COSIGNATURE_MLDSA44: 1312,
}
_BLOB_BYTES: Final = {
    KeyType.ED25519: 64,
    KeyType.COSIGNATURE_ED25519: TIME_BYTES + 64,
    KeyType.COSIGNATURE_MLDSA44: TIME_BYTES + 2420,
}


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key under a name, for one signature type. Made by `verifier_key` or `parse_vkey`."""

    name: str
    type: KeyType
    key_id: bytes
    public: bytes

    def named(self, name: str) -> VerifierKey:
        """The same key under another name: a log's keys under its successor's origin."""
        return verifier_key(name, self.type, self.public)


@dataclass(frozen=True, slots=True)
class NoteLine:
    """One signature line: name, key id of 4 bytes, and what the key made (`blob`)."""

    name: str
    key_id: bytes
    blob: bytes

    def encode(self) -> bytes:
        """The line with its line feed."""
        tail = base64.b64encode(self.key_id + self.blob).decode()
        return f"{_DASH}{self.name} {tail}\n".encode()


@dataclass(frozen=True, slots=True)
class Note:
    """A note that has the right form; nothing in it is verified."""

    text: bytes
    lines: tuple[NoteLine, ...]


@dataclass(frozen=True, slots=True)
class VerifiedLine:
    """A line of a known key that holds; `time` is in POSIX seconds, None for type 01."""

    key: VerifierKey
    time: int | None


Message = Callable[[VerifierKey, int], bytes]
"""message(key, time): the bytes a cosignature of types 04 and 06 is made over."""


def verifier_key(name: str, kind: KeyType, public: bytes) -> VerifierKey:
    """A verifier key with its id: SHA-256(name || 0A || type || public)[:4].

    Raises:
        InvalidInput: `vkey_name`, `vkey_key` (length of the public key).
    """
    _check_name(name, "vkey_name")
    if len(public) != _PUBLIC_BYTES[kind]:
        raise InvalidInput(
            "vkey_key",
            f"a public key of type {kind:02x} has {_PUBLIC_BYTES[kind]} bytes, not {len(public)}",
            field="vkey",
        )
    digest = hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()
    return VerifierKey(name, kind, digest[:KEY_ID_BYTES], public)


def format_vkey(key: VerifierKey) -> str:
    """`<name>+<hex id>+<base64 of type and public key>`."""
    material = base64.b64encode(bytes([key.type]) + key.public).decode()
    return f"{key.name}+{key.key_id.hex()}+{material}"


def parse_vkey(text: str) -> VerifierKey:
    """A verifier key from its text; the id must be the one its name, type and key give.

    Raises:
        InvalidInput: `vkey_malformed`, `vkey_name`, `vkey_type`, `vkey_key`, `vkey_id`.
    """
    parts = text.split("+", 2)
    if len(parts) != 3 or not _HEX8.fullmatch(parts[1]):
        raise InvalidInput(
            "vkey_malformed", "a verifier key is <name>+<8 hex digits>+<base64>", field="vkey"
        )
    material = strict_base64(parts[2], "vkey_malformed", "vkey")
    if not material or material[0] not in _PUBLIC_BYTES:
        kind = f"{material[0]:02x}" if material else "none"
        raise InvalidInput("vkey_type", f"type {kind} is not one of 01, 04, 06", field="vkey")
    key = verifier_key(parts[0], KeyType(material[0]), material[1:])
    if key.key_id.hex() != parts[1]:
        raise InvalidInput(
            "vkey_id",
            f"the id {parts[1]} is not the one of this name and key, {key.key_id.hex()}",
            field="vkey",
            hint="compare the key with its owner again; a part of it was altered or cut off",
        )
    return key


def parse_note(data: bytes) -> Note:
    """Split a note into its text and its lines, verifying nothing (steps N1 to N5).

    Raises:
        InvalidInput: `too_large`, `note_encoding`, `note_malformed`, `note_lines`, `note_line`.
    """
    if len(data) > LIMITS.note_bytes:  # N1
        raise InvalidInput(
            "too_large",
            f"the note has {len(data)} bytes, at most {LIMITS.note_bytes} are taken",
            field="note",
        )
    _check_characters(data)  # N2
    cut = data.rfind(b"\n\n")  # N3: the text may hold empty lines; the last one ends it
    if cut < 0 or not data.endswith(b"\n"):
        raise InvalidInput(
            "note_malformed",
            "a note is a text, an empty line and signature lines, each ended by a line feed",
            field="note",
        )
    return Note(data[: cut + 1], parse_lines(data[cut + 2 :]))


def parse_lines(data: bytes) -> tuple[NoteLine, ...]:
    """Signature lines alone, such as a witness returns (steps N4 and N5).

    Raises:
        InvalidInput: `note_encoding`, `note_lines` (1 to 128 are taken), `note_line`.
    """
    _check_characters(data)
    if not data.endswith(b"\n"):
        raise InvalidInput("note_lines", "no ended signature line", field="note.lines")
    rows = data.decode()[:-1].split("\n")
    if len(rows) > LIMITS.note_signatures:  # N4
        raise InvalidInput(
            "note_lines",
            f"{len(rows)} signature lines, at most {LIMITS.note_signatures} are taken",
            field="note.lines",
        )
    return tuple(_parse_line(row, index) for index, row in enumerate(rows))


def verify_note(
    note: Note, keys: Iterable[VerifierKey], message: Message | None = None
) -> tuple[VerifiedLine, ...]:
    """Verify every line whose name and key id are known, in the note's order (steps N6 to N9).

    Args:
        keys: who is believed; lines of all others are ignored.
        message: what types 04 and 06 sign; needed if `keys` holds such a key.

    Raises:
        InvalidInput: `note_duplicate`, `note_signature` (a known key's line does not hold),
            `note_unsigned` (no line of a known key).
    """
    known = {(key.name, key.key_id): key for key in keys}
    verified: dict[VerifierKey, VerifiedLine] = {}
    for index, line in enumerate(note.lines):
        key = known.get((line.name, line.key_id))
        if key is None:  # N6
            continue
        if key in verified:  # N7: a second line could carry a second time
            raise InvalidInput(
                "note_duplicate", f"{key.name} signed twice", field=f"note.lines.{index}"
            )
        verified[key] = _verify_line(note.text, line, key, message, index)  # N8
    if not verified:  # N9
        raise InvalidInput("note_unsigned", "no line of a known key", field="note.lines")
    return tuple(verified.values())


def add_lines(data: bytes, lines: bytes) -> bytes:
    """The note with these lines after its own; a line it already holds is not added again.

    Raises:
        InvalidInput: what `parse_note` and `parse_lines` raise, for both and for the result.
    """
    note = parse_note(data)
    fresh = [line for line in dict.fromkeys(parse_lines(lines)) if line not in note.lines]
    if not fresh:
        return data
    grown = data + b"".join(line.encode() for line in fresh)
    parse_note(grown)
    return grown


def encode_note(text: bytes, lines: Sequence[NoteLine]) -> bytes:
    """A note of a text and its lines; what comes out is what `parse_note` takes.

    Raises:
        InvalidInput: what `parse_note` raises.
    """
    data = text + b"\n" + b"".join(line.encode() for line in lines)
    if parse_note(data) != Note(text, tuple(lines)):
        raise InvalidInput("note_malformed", "the text does not end in a line feed", field="note")
    return data


def strict_base64(text: str, code: str, field: str) -> bytes:
    """Standard base64 in its one canonical spelling: no strays, no line feeds, full padding.

    Raises:
        InvalidInput: `code` on `field`.
    """
    try:
        data = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        data = None
    # Python's decoder takes loose trailing bits; only what encodes back to the same text is taken.
    if data is None or binascii.b2a_base64(data, newline=False).decode() != text:
        raise InvalidInput(code, "not in canonical base64", field=field)
    return data


def _parse_line(row: str, index: int) -> NoteLine:
    """Step N5."""
    field = f"note.lines.{index}"
    name, space, tail = row.removeprefix(_DASH).partition(" ")
    if not row.startswith(_DASH) or not space:
        raise InvalidInput(
            "note_line", "a signature line is an em dash, a name and base64", field=field
        )
    _check_name(name, "note_line", field)
    data = strict_base64(tail, "note_line", field)
    if len(data) <= KEY_ID_BYTES:
        raise InvalidInput("note_line", "the line holds no signature", field=field)
    return NoteLine(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


def _verify_line(
    text: bytes, line: NoteLine, key: VerifierKey, message: Message | None, index: int
) -> VerifiedLine:
    """Step N8."""
    field = f"note.lines.{index}"
    if len(line.blob) != _BLOB_BYTES[key.type]:
        raise InvalidInput(
            "note_signature", f"the line of {key.name} has another length", field=field
        )
    time: int | None = None
    signature, signed = line.blob, text
    if key.type is not KeyType.ED25519:
        if message is None:
            raise RuntimeError("cosignature keys are given without their message")
        time = int.from_bytes(line.blob[:TIME_BYTES], "big")
        if time > MAX_TIME:
            raise InvalidInput("note_signature", f"{key.name}: time over 2**63-1", field=field)
        signature, signed = line.blob[TIME_BYTES:], message(key, time)
    try:
        _load(key.type, key.public).verify(signature, signed)
    except (InvalidSignature, ValueError):
        raise InvalidInput(
            "note_signature", f"the line of {key.name} does not hold", field=field
        ) from None
    return VerifiedLine(key, time)


@lru_cache(maxsize=256)
def _load(kind: KeyType, public: bytes) -> Ed25519PublicKey | MLDSA44PublicKey:
    # Expanding an ML-DSA key costs as much as a verification; logs and witnesses are few.
    if kind is KeyType.COSIGNATURE_MLDSA44:
        return MLDSA44PublicKey.from_public_bytes(public)
    return Ed25519PublicKey.from_public_bytes(public)


def _check_characters(data: bytes) -> None:
    """Step N2."""
    if len(data.translate(None, _CONTROL)) != len(data):
        raise InvalidInput("note_encoding", "a control character in the note", field="note")
    try:
        data.decode()
    except UnicodeDecodeError:
        raise InvalidInput("note_encoding", "the note is not UTF-8", field="note") from None


def _check_name(name: str, code: str, field: str = "vkey") -> None:
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        size = 0
    if not 1 <= size <= MAX_NAME_BYTES or _NOT_IN_NAMES.search(name):
        raise InvalidInput(
            code, "a key's name has 1..255 bytes, no spaces, no plus, no controls", field=field
        )
