"""The file about two histories of one log: what anybody needs to judge it, and nothing secret.

It is a bag: signed notes as they came, paths between sizes, anchors, and what peers have signed of
the heads they saw. Files about one log are joined by putting their parts together. Nothing in it is
believed because it stands here; `split_view.judge_split` says what it proves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import AgencyId
from saphan_schemas.strict_json import parse_json

from saphan_protocol.pins import Pins, format_pins, parse_pins

SPLIT_FORMAT: Final = "split-view/1"
T = TypeVar("T")
_HASH = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_HASHES = Annotated[tuple[_HASH, ...], Meta(max_length=LIMITS.proof_hashes + 1)]
_SIZE = Annotated[int, Meta(ge=0, le=2**53)]
_HEX = Annotated[str, Meta(pattern=r"\A([0-9a-f]{2})*\Z", max_length=2 * LIMITS.consignment_bytes)]
_TEXT = Annotated[str, Meta(max_length=LIMITS.note_bytes)]
_PARTS = Meta(max_length=LIMITS.split_parts)


@dataclass(frozen=True, slots=True)
class History:
    """A history path: what the root of `old` leaves is in the tree of `new` leaves.

    Args:
        path: as `merkle.roots_of_history` takes it.
    """

    origin: str
    old: int
    new: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ShownAnchor:
    """An anchor leaf of the evidence log, with its inclusion path under the head of `head` leaves.

    Args:
        size, root: of the directory log, as the leaf names them.
    """

    head: int
    index: int
    size: int
    root: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ShownSuccessor:
    """Leaf 0 of a log that follows a lost one, with its path under the head of `head` leaves.

    Args:
        origin: of the log that follows.
        size, root: of the lost one, as the leaf names them.
    """

    origin: str
    head: int
    size: int
    root: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """A consignment that names a head as seen, with its sender's signature.

    Args:
        sender: agency whose node signed it; key: that node's public key.
        body: the consignment's bytes; signature: the encoded `Signature` over it.
    """

    sender: str
    key: bytes
    body: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitFile:
    """Everything that was found about two histories of a broker's logs.

    Args:
        pins: whose logs they are, as the finder knows them.
        notes: signed heads, as received.
        found_by, found_at: who wrote the file and when (ms UTC); they prove nothing.
    """

    pins: Pins
    found_by: str
    found_at: int
    notes: tuple[bytes, ...] = ()
    histories: tuple[History, ...] = ()
    anchors: tuple[ShownAnchor, ...] = ()
    successors: tuple[ShownSuccessor, ...] = ()
    claims: tuple[Claim, ...] = ()


class _History(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    origin: str
    old: _SIZE
    new: _SIZE
    path: _HASHES


class _Anchor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    head: _SIZE
    index: _SIZE
    size: _SIZE
    root: _HASH
    path: _HASHES


class _Successor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    origin: str
    head: _SIZE
    size: _SIZE
    root: _HASH
    path: _HASHES


class _Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sender: AgencyId
    key: _HEX
    body: _HEX
    signature: _HEX


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    saphan: str
    pins: dict[str, Any]
    found_by: str
    found_at: _SIZE
    notes: Annotated[tuple[_TEXT, ...], _PARTS]
    histories: Annotated[tuple[_History, ...], _PARTS]
    anchors: Annotated[tuple[_Anchor, ...], _PARTS]
    claims: Annotated[tuple[_Claim, ...], _PARTS]
    successors: Annotated[tuple[_Successor, ...], _PARTS] = ()


def format_split(found: SplitFile) -> bytes:
    """The file: JSON, indented, with a final line feed. Notes stand as text, other bytes in hex."""
    value = {
        "saphan": SPLIT_FORMAT,
        "pins": json.loads(format_pins(found.pins)),
        "found_by": found.found_by,
        "found_at": found.found_at,
        "notes": [note.decode() for note in found.notes],
        "histories": [_plain(part) for part in found.histories],
        "anchors": [_plain(part) for part in found.anchors],
        "claims": [_plain(part) for part in found.claims],
    }
    if found.successors:  # few logs have one
        value["successors"] = [_plain(part) for part in found.successors]
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"


def _plain(part: History | ShownAnchor | ShownSuccessor | Claim) -> dict[str, object]:
    def shown(value: object) -> object:
        if isinstance(value, bytes):
            return value.hex()
        return [item.hex() for item in value] if isinstance(value, tuple) else value

    return {field.name: shown(getattr(part, field.name)) for field in fields(part)}


def parse_split(data: bytes) -> SplitFile:
    """Read such a file; nothing in it is judged yet.

    Raises:
        InvalidInput: `too_large`, `split_malformed`, and what `parse_pins` raises.
    """
    if len(data) > LIMITS.split_bytes:
        raise InvalidInput(
            "too_large", f"the file has {len(data)} bytes, at most {LIMITS.split_bytes} are taken"
        )
    try:
        found = parse_json(_File, data)
        if found.saphan != SPLIT_FORMAT:
            raise ValueError(f"it says {found.saphan[:40]!r} where {SPLIT_FORMAT!r} is known here")
        pins = parse_pins(json.dumps(found.pins).encode())
        return SplitFile(
            pins=pins,
            found_by=found.found_by,
            found_at=found.found_at,
            notes=tuple(note.encode() for note in found.notes),
            histories=tuple(
                History(part.origin, part.old, part.new, _bytes(part.path))
                for part in found.histories
            ),
            anchors=tuple(
                ShownAnchor(
                    part.head,
                    part.index,
                    part.size,
                    bytes.fromhex(part.root),
                    _bytes(part.path),
                )
                for part in found.anchors
            ),
            successors=tuple(
                ShownSuccessor(
                    part.origin,
                    part.head,
                    part.size,
                    bytes.fromhex(part.root),
                    _bytes(part.path),
                )
                for part in found.successors
            ),
            claims=tuple(
                Claim(part.sender, *_bytes([part.key, part.body, part.signature]))
                for part in found.claims
            ),
        )
    except ValueError as error:
        raise InvalidInput(
            "split_malformed",
            f"this is no file about two histories: {error}",
            hint="such a file is written by a node, into its data folder",
        ) from None


def _bytes(texts: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(text) for text in texts)


def join_splits(files: Iterable[SplitFile], notes: Iterable[bytes] = ()) -> SplitFile:
    """One file with the parts of all, each once; pins and finder are those of the first.

    Raises:
        InvalidInput: `split_other_log` when they are about other logs, `too_large`.
    """
    first, *others = files
    for other in others:
        if other.pins.lasting != first.pins.lasting:
            raise InvalidInput(
                "split_other_log",
                f"the files are about logs of {first.pins.name} and of {other.pins.name}, or about "
                "other keys of one of them",
                hint="judge them one by one",
            )
    whole = (first, *others)
    joined = SplitFile(
        pins=first.pins,
        found_by=first.found_by,
        found_at=first.found_at,
        notes=_once([note for part in whole for note in part.notes] + list(notes)),
        histories=_once(one for part in whole for one in part.histories),
        anchors=_once(one for part in whole for one in part.anchors),
        successors=_once(one for part in whole for one in part.successors),
        claims=_once(one for part in whole for one in part.claims),
    )
    return parse_split(format_split(joined))  # what is written can be read: bounds hold for it too


def _once(parts: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(parts))
