"""Heads of Saphan's logs: C2SP checkpoints with both of the log's lines, and their cosignatures.

Steps H1 to H7 and C1 to C4 are those of `schemas/spec/log.md`. A head is believed only with the
log's Ed25519 line and its ML-DSA-44 line; a witness counts only with both of its own.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import HeadRef

from saphan_protocol.merkle import EMPTY_ROOT, HASH_BYTES
from saphan_protocol.notes import (
    MAX_NAME_BYTES,
    MAX_TIME,
    TIME_BYTES,
    KeyType,
    Message,
    Note,
    NoteLine,
    VerifiedLine,
    VerifierKey,
    encode_note,
    parse_note,
    strict_base64,
    verifier_key,
    verify_note,
)
from saphan_protocol.suite import MLDSA44PrivateKey

MAX_SIZE: Final = 2**53
"""Leaves of a log: the bound of every index in Saphan's records."""

KeyPair = tuple[VerifierKey, VerifierKey]
"""A log's keys: types 01 and 06. A witness's keys: types 04 and 06. Each pair under one name."""

_ORIGIN: Final = re.compile(r"[a-z0-9][a-z0-9./-]{0,120}", re.ASCII)
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)


class Checkpoint(NamedTuple):
    """What a checkpoint's text says: origin, number of leaves, root of 32 bytes."""

    origin: str
    size: int
    root: bytes


class Cosignature(NamedTuple):
    """A witness whose two lines hold, and their time in POSIX seconds."""

    name: str
    time: int


@dataclass(frozen=True, slots=True)
class Head:
    """A head both of whose log lines were verified; `note` is the bytes as received.

    `time` is the log's own, in POSIX seconds, from its ML-DSA-44 line.
    """

    origin: str
    size: int
    root: bytes
    time: int
    note: bytes
    cosignatures: tuple[Cosignature, ...] = ()

    @property
    def text(self) -> bytes:
        """The checkpoint's text: what is signed."""
        return format_checkpoint(self.origin, self.size, self.root)

    @property
    def ref(self) -> HeadRef:
        """The head by its value, as records name it."""
        return HeadRef(self.origin, self.size, self.root)


def format_checkpoint(origin: str, size: int, root: bytes) -> bytes:
    """Three lines: origin, decimal size, base64 root.

    Raises:
        InvalidInput: `head_origin`, `head_size`, `head_root`.
    """
    _check_origin(origin)
    if not 0 <= size <= MAX_SIZE:
        raise InvalidInput("head_size", f"{size} is not 0..2**53", field="head.size")
    _check_root(size, root)
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()


def parse_checkpoint(text: bytes) -> Checkpoint:
    """What a checkpoint's text says, in its one spelling and without extension lines (H2).

    Raises:
        InvalidInput: `head_malformed`, `head_origin`, `head_size`, `head_root`.
    """
    try:
        rows = text.decode().split("\n")
    except UnicodeDecodeError:
        rows = []
    if len(rows) != 4 or rows[3]:
        raise InvalidInput(
            "head_malformed",
            "a head's text is exactly origin, size and root, each ended by a line feed",
            field="head",
        )
    origin, digits, encoded, _ = rows
    _check_origin(origin)
    # The pattern comes before int(), which takes 1_000, +1, spaces and other scripts' digits.
    if not _SIZE.fullmatch(digits) or int(digits) > MAX_SIZE:
        raise InvalidInput(
            "head_size", f"{digits[:24]!r} is not a plain decimal of 0..2**53", field="head.size"
        )
    root = strict_base64(encoded, "head_root", "head.root")
    _check_root(int(digits), root)
    return Checkpoint(origin, int(digits), root)


def ed25519_message(time: int, text: bytes) -> bytes:
    """What a type 04 line signs: two header lines, then the text."""
    return b"cosignature/v1\ntime %d\n%b" % (time, text)


def cosigned_message(text: bytes, checkpoint: Checkpoint) -> Message:
    """What keys of types 04 and 06 sign of a head, for `notes.verify_note`."""

    def message(key: VerifierKey, time: int) -> bytes:
        if key.type is KeyType.COSIGNATURE_ED25519:
            return ed25519_message(time, text)
        return mldsa44_message(key.name, time, checkpoint)

    return message


def mldsa44_message(name: str, time: int, checkpoint: Checkpoint) -> bytes:
    """What a type 06 line signs: cosigner's name, time, and the tree from leaf 0 to its size."""
    signer, origin = name.encode(), checkpoint.origin.encode()
    if len(signer) > MAX_NAME_BYTES:
        raise RuntimeError("a cosigner's name has at most 255 bytes")
    return b"".join(
        (
            b"subtree/v1\n\x00",
            bytes([len(signer)]),
            signer,
            time.to_bytes(TIME_BYTES, "big"),
            bytes([len(origin)]),
            origin,
            bytes(8),
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )


def verify_head(note: bytes, log_keys: KeyPair, witness_keys: Iterable[KeyPair] = ()) -> Head:
    """A head from its note, believed because both lines of the log hold (steps H1 to H7).

    Args:
        note: as received.
        log_keys: types 01 and 06, named by the log's origin (`VerifierKey.named` renames pins).
        witness_keys: whose cosignatures are wanted; see `verify_cosignatures`.

    Raises:
        InvalidInput: what `notes.parse_note`, `notes.verify_note` and `parse_checkpoint` raise;
            `head_origin` (another log), `head_signature` (a line of the log is missing),
            `head_time`, `cosignature_time`.
    """
    _check_pair(log_keys, KeyType.ED25519)
    parsed = parse_note(note)  # H1
    checkpoint = parse_checkpoint(parsed.text)  # H2
    if checkpoint.origin != log_keys[0].name:  # H3
        raise InvalidInput(
            "head_origin",
            f"the head is of {checkpoint.origin}, not of {log_keys[0].name}",
            field="head.origin",
        )
    witnesses = tuple(witness_keys)
    lines = _verify_lines(parsed, checkpoint, [log_keys, *witnesses])  # H4
    plain, timed = (lines.get(key) for key in log_keys)
    if plain is None or timed is None:  # H5
        missing = log_keys[0 if plain is None else 1]
        raise InvalidInput(
            "head_signature",
            f"the line of type {missing.type:02x} of {missing.name} is missing",
            field="note.lines",
        )
    time = timed.time or 0
    if time == 0:  # H6: zero states nothing about the largest tree
        raise InvalidInput("head_time", "the log's line has no time", field="head.time")
    return Head(*checkpoint, time, note, _pairs(lines, witnesses))  # H7


def verify_cosignatures(note: bytes, witness_keys: Iterable[KeyPair]) -> tuple[Cosignature, ...]:
    """Witnesses whose two lines on the note hold, in the order of `witness_keys` (C1 to C4).

    Says nothing about the log's own lines: use it on notes that `verify_head` has taken.

    Raises:
        InvalidInput: what `notes.parse_note` and `parse_checkpoint` raise, `note_signature`,
            `note_duplicate`, `cosignature_time` (two lines of one witness with two times).
    """
    parsed = parse_note(note)
    witnesses = tuple(witness_keys)
    return _pairs(_verify_lines(parsed, parse_checkpoint(parsed.text), witnesses), witnesses)


def log_lines(
    ed25519_key: Ed25519PrivateKey,
    mldsa44_key: MLDSA44PrivateKey,
    name: str,
    text: bytes,
    time: int,
) -> bytes:
    """A log's head: the note of `text` with the log's lines of types 01 and 06.

    Args:
        name: the log's origin; the text must say the same.
        time: POSIX seconds, 1..2**63-1.

    Raises:
        InvalidInput: what `parse_checkpoint` raises, `head_origin`, `head_time`.
    """
    checkpoint = parse_checkpoint(text)
    if checkpoint.origin != name:
        raise InvalidInput(
            "head_origin", f"{name} does not sign heads of {checkpoint.origin}", field="head.origin"
        )
    key = verifier_key(name, KeyType.ED25519, ed25519_key.public_key().public_bytes_raw())
    line = NoteLine(name, key.key_id, ed25519_key.sign(text))
    return encode_note(text, (line, _mldsa44_line(mldsa44_key, name, checkpoint, time)))


def cosign_lines(
    ed25519_key: Ed25519PrivateKey,
    mldsa44_key: MLDSA44PrivateKey,
    name: str,
    text: bytes,
    time: int,
) -> bytes:
    """A witness's lines of types 04 and 06 over a head's text, for `notes.add_lines`.

    Args:
        name: the witness's own.
        text: `Head.text` of a head that was verified and found consistent.
        time: POSIX seconds, 1..2**63-1, the same in both lines.

    Raises:
        InvalidInput: what `parse_checkpoint` raises, `head_time`, `vkey_name`.
    """
    checkpoint = parse_checkpoint(text)
    timed = _mldsa44_line(mldsa44_key, name, checkpoint, time)
    public = ed25519_key.public_key().public_bytes_raw()
    key = verifier_key(name, KeyType.COSIGNATURE_ED25519, public)
    signature = ed25519_key.sign(ed25519_message(time, text))
    line = NoteLine(name, key.key_id, time.to_bytes(TIME_BYTES, "big") + signature)
    return line.encode() + timed.encode()


def _mldsa44_line(key: MLDSA44PrivateKey, name: str, checkpoint: Checkpoint, time: int) -> NoteLine:
    if not 1 <= time <= MAX_TIME:
        raise InvalidInput("head_time", f"{time} is not 1..2**63-1 seconds", field="head.time")
    public = key.public_key().public_bytes_raw()
    made = verifier_key(name, KeyType.COSIGNATURE_MLDSA44, public)
    signature = key.sign(mldsa44_message(name, time, checkpoint))
    return NoteLine(name, made.key_id, time.to_bytes(TIME_BYTES, "big") + signature)


def _verify_lines(
    note: Note, checkpoint: Checkpoint, pairs: Iterable[KeyPair]
) -> dict[VerifierKey, VerifiedLine]:
    """Lines of known keys, all verified; none if no key of `pairs` signed."""
    keys = {key for pair in pairs for key in pair}
    present = {(line.name, line.key_id) for line in note.lines}
    if not any((key.name, key.key_id) in present for key in keys):
        return {}
    found = verify_note(note, keys, cosigned_message(note.text, checkpoint))
    return {line.key: line for line in found}


def _pairs(
    lines: dict[VerifierKey, VerifiedLine], witnesses: Iterable[KeyPair]
) -> tuple[Cosignature, ...]:
    """Steps C2 to C4: both lines, one time, or the witness does not count."""
    found: list[Cosignature] = []
    for pair in witnesses:
        _check_pair(pair, KeyType.COSIGNATURE_ED25519)
        first, second = lines.get(pair[0]), lines.get(pair[1])
        if first is None or second is None:  # C2
            continue
        if not first.time or first.time != second.time:  # C3
            raise InvalidInput(
                "cosignature_time",
                f"the two lines of {pair[0].name} do not carry one time",
                field="note.lines",
            )
        found.append(Cosignature(pair[0].name, first.time))  # C4
    return tuple(found)


def _check_pair(pair: KeyPair, first: KeyType) -> None:
    types = (pair[0].type, pair[1].type)
    if types != (first, KeyType.COSIGNATURE_MLDSA44) or pair[0].name != pair[1].name:
        raise InvalidInput(
            "vkey_pair",
            f"two keys of {pair[0].name} are needed: types {first:02x} and 06, under one name",
            field="vkey",
        )


def _check_origin(origin: str) -> None:
    if not _ORIGIN.fullmatch(origin):
        raise InvalidInput(
            "head_origin", f"{origin[:80]!r} is not the origin of a log", field="head.origin"
        )


def _check_root(size: int, root: bytes) -> None:
    if len(root) != HASH_BYTES:
        raise InvalidInput("head_root", "the root does not have 32 bytes", field="head.root")
    if size == 0 and root != EMPTY_ROOT:
        raise InvalidInput("head_root", "the root of no leaves is SHA-256('')", field="head.root")
