"""Leaves of the evidence log: type, clear fields, salted commitment (design section 5, bytes.md).

    leaf = type (1 byte) || clear fields (big-endian) || HMAC-SHA-256(salt, PAE(entry type, entry))

`submitted` shows its due-day (u32), `destroyed`, `held` and `released` their target index (u64).
`anchor` (size u64, root 32) and `successor` (SHA-256 of the old origin 32, size u64, root 32) are
clear and carry no commitment. Deleting a salt and its record leaves a random-looking leaf.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass
from typing import Final

from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import (
    TARGETED,
    Entry,
    Event,
    LeafType,
    Statement,
    Targeted,
    statement_type,
)

from saphan_protocol.identity import pae, sha256

ENTRY_TYPE: Final = "saphan/entry/1"
CONSIGNMENT_TYPE: Final = "saphan/consignment/1"
MAX_ENTRY_BYTES: Final = 1024

_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")
_ANCHOR = struct.Struct(">Q32s")
_SUCCESSOR = struct.Struct(">32sQ32s")
_TARGETED: Final = frozenset(LeafType[event.name] for event in TARGETED)
_OTHER: Final = frozenset({LeafType.SUBMITTED, LeafType.ANCHOR, LeafType.SUCCESSOR}) | _TARGETED
_PLAIN: Final = frozenset(kind for kind in LeafType if kind < LeafType.OPERATION) - _OTHER
_OF_STATEMENT: Final[dict[str, LeafType]] = {
    statement_type(event): LeafType[event.name] for event in Event
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """A parsed evidence leaf; fields that its type does not have are None."""

    type: LeafType
    due_day: int | None = None
    target: int | None = None
    size: int | None = None
    root: bytes | None = None
    old_origin: bytes | None = None
    commitment: bytes | None = None


def commitment(salt: bytes, entry: bytes) -> bytes:
    """HMAC-SHA-256(salt, PAE("saphan/entry/1", entry)); the salt is exactly 32 bytes."""
    if len(salt) != 32:
        raise InvalidInput("salt_malformed", "a salt is exactly 32 bytes", field="salt")
    return hmac.digest(salt, pae(ENTRY_TYPE, entry), "sha256")


def entry_leaf(
    kind: LeafType,
    entry: bytes,
    salt: bytes,
    due_day: int | None = None,
    target: int | None = None,
) -> bytes:
    """Leaf of an entry.

    Args:
        due_day: days since 1970, for `submitted` and for nothing else.
        target: index of a `submitted` leaf, for `destroyed`, `held`, `released`, and for no other.
    """
    if (kind is LeafType.SUBMITTED) != (due_day is not None):
        raise RuntimeError("a due-day belongs to submitted leaves, and only to them")
    if (kind in _TARGETED) != (target is not None):
        raise RuntimeError("a target belongs to destroyed, held and released, and only to them")
    clear = b"" if due_day is None else _U32.pack(due_day)
    if target is not None:
        clear = _U64.pack(target)
    return bytes((kind,)) + clear + commitment(salt, entry)


def target_of(event: Event, statement: Statement) -> int | None:
    """The target that the leaf of a statement shows; None for an event that has none."""
    return statement.target if event in TARGETED and isinstance(statement, Targeted) else None


def anchor_leaf(size: int, root: bytes) -> bytes:
    """Leaf that states the directory log's signed size and root."""
    return bytes((LeafType.ANCHOR,)) + _ANCHOR.pack(size, root)


def successor_leaf(old_origin: str, size: int, root: bytes) -> bytes:
    """Leaf 0 of a log that follows a lost one: which one, and the largest head known of it."""
    return bytes((LeafType.SUCCESSOR,)) + _SUCCESSOR.pack(sha256(old_origin.encode()), size, root)


def parse_leaf(data: bytes) -> Leaf:
    """Parse an evidence leaf, strictly.

    Raises:
        InvalidInput: `leaf_malformed` for an unknown type or a wrong length.
    """
    try:
        return _parse(data)
    except (IndexError, ValueError, struct.error):
        raise InvalidInput(
            "leaf_malformed", f"an evidence leaf of {len(data)} bytes does not parse", field="leaf"
        ) from None


def _parse(data: bytes) -> Leaf:
    kind, body = LeafType(data[0]), data[1:]
    if kind in _PLAIN:
        return Leaf(kind, commitment=_commitment(body))
    if kind is LeafType.ANCHOR:
        size, root = _ANCHOR.unpack(body)
        return Leaf(kind, size=size, root=root)
    if kind is LeafType.SUCCESSOR:
        old, size, root = _SUCCESSOR.unpack(body)
        return Leaf(kind, old_origin=old, size=size, root=root)
    if kind is LeafType.SUBMITTED:
        return Leaf(kind, due_day=_U32.unpack(body[:4])[0], commitment=_commitment(body[4:]))
    if kind in _TARGETED:
        return Leaf(kind, target=_U64.unpack(body[:8])[0], commitment=_commitment(body[8:]))
    raise ValueError(kind)


def _commitment(body: bytes) -> bytes:
    if len(body) != 32:
        raise ValueError(len(body))
    return body


def leaf_of(entry: Entry, first: bool) -> LeafType:
    """Leaf type that belongs to an entry; `first` tells a submitted from a later consignment.

    Raises:
        InvalidInput: `entry_type` for a statement type that no evidence leaf has.
    """
    if entry.type == CONSIGNMENT_TYPE:
        return LeafType.SUBMITTED if first else LeafType.CONSIGNED
    kind = _OF_STATEMENT.get(entry.type)
    if kind is None:
        raise InvalidInput(
            "entry_type", f"{entry.type} is no entry of this log", field="entry.type"
        )
    return kind


def statement_leaf(record: Entry, entry: bytes, statement: bytes, salt: bytes) -> bytes:
    """Leaf of an entry that is no first consignment; the target stands in the statement.

    Args:
        record: the entry, parsed.
        entry, statement: exact bytes.

    Raises:
        InvalidInput: `entry_type`, or the codec's codes.
    """
    kind, target = leaf_of(record, False), None
    if kind in _TARGETED:
        target = decode(Targeted, statement, LIMITS.statement_bytes, "statement").target
    return entry_leaf(kind, entry, salt, target=target)


def open_leaf(leaf: bytes, entry: bytes, salt: bytes) -> tuple[Leaf, Entry]:
    """Check that `leaf` commits to `entry` under `salt`; returns both, parsed.

    Raises:
        InvalidInput: `leaf_malformed`, `entry_type`, `commitment_differs`, or the codec's codes.
    """
    parsed = parse_leaf(leaf)
    return parsed, open_parsed(parsed, entry, salt)


def open_parsed(parsed: Leaf, entry: bytes, salt: bytes) -> Entry:
    """As `open_leaf`, of a leaf that is parsed already; gives the entry."""
    if parsed.commitment is None or not hmac.compare_digest(
        parsed.commitment, commitment(salt, entry)
    ):
        raise InvalidInput(
            "commitment_differs", "the leaf does not commit to this entry and salt", field="leaf"
        )
    record = decode(Entry, entry, MAX_ENTRY_BYTES, "entry")
    if leaf_of(record, parsed.type is LeafType.SUBMITTED) is not parsed.type:
        raise InvalidInput(
            "entry_type", f"a {parsed.type.name} leaf holds a {record.type}", field="entry.type"
        )
    return record
