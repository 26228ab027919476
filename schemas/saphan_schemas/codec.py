"""The one canonical encoding, both directions: MessagePack arrays for records, maps for content.

Law (design section 2): whatever parses re-encodes to the same bytes, or it is refused. The exact
bytes received are what is hashed, signed and logged, so callers keep the bytes beside the record.
"""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

import msgspec

from saphan_schemas.decoders import msgpack_decoder
from saphan_schemas.errors import InvalidInput
from saphan_schemas.faults import Fault

T = TypeVar("T")

Where: TypeAlias = "tuple[Where, str | int] | None"
"""Place of a value in content: that of what holds it, and its key or index; None at the top."""
POINTER_CHARS = 400
"""A pointer in an error is cut here: a hostile key may be as long as the content."""

MAX_CONTENT_DEPTH = 32
"""Levels of nesting in content: our deepest schema needs 9; a parser's stack needs a bound."""
_PLAIN = frozenset({str, int, bool, type(None)})

_encoder = msgspec.msgpack.Encoder()
_sorting_encoder = msgspec.msgpack.Encoder(order="sorted")
_content_decoder = msgspec.msgpack.Decoder()


class Record(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of every record: a MessagePack array of its fields in declared order."""


def encode(value: object) -> bytes:
    """Canonical bytes of a record, or of a list of records and scalars (an array inside PAE)."""
    return _encoder.encode(value)


def decode(kind: type[T], data: bytes, max_bytes: int, name: str) -> T:
    """Parse canonical bytes into a record.

    Args:
        kind: the record class (or any type msgspec can check).
        data: at most `max_bytes` bytes.
        name: what the peer calls this field, for the error.

    Raises:
        InvalidInput: `too_large`, `malformed` (not of this type), `not_canonical`.
    """
    if len(data) > max_bytes:
        raise InvalidInput(
            "too_large", f"{name} has {len(data)} bytes, at most {max_bytes} are taken", field=name
        )
    try:
        value = msgpack_decoder(kind).decode(data)
    # RecursionError and UnicodeDecodeError are not msgspec.DecodeError (specs.md section 2.4).
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, OverflowError) as error:
        raise InvalidInput("malformed", f"{name} does not parse: {error}", field=name) from None
    if _encoder.encode(value) != data:
        raise InvalidInput(
            "not_canonical", f"{name} is not in its one canonical encoding", field=name
        )
    return value


def encode_content(value: dict[str, Any]) -> bytes:
    """Canonical bytes of a content map: keys sorted by UTF-8 bytes, shortest integers, no floats.

    Raises:
        InvalidInput: `malformed` for floats, non-string keys, bytes, lone surrogates, deep nesting.
    """
    _check_content(value, None, 0)
    try:
        return _sorting_encoder.encode(value)
    except UnicodeEncodeError:
        place = _unencodable(value, None)
        raise InvalidInput(
            "malformed",
            "half of a character (a lone surrogate) stands in a text",
            field=_field(place),
            hint="type the text again",
            fault=Fault("text_forbidden", pointer_to(place)),
        ) from None
    except OverflowError as error:
        raise InvalidInput("malformed", f"content: {error}", field="content") from None


def decode_content(data: bytes, max_bytes: int) -> dict[str, Any]:
    """Parse a canonical content map; duplicates, floats and unsorted keys are refused.

    Raises:
        InvalidInput: `too_large`, `malformed`, `not_canonical`.
    """
    if len(data) > max_bytes:
        raise InvalidInput(
            "too_large",
            f"content has {len(data)} bytes, at most {max_bytes} are taken",
            field="content",
        )
    try:
        value = _content_decoder.decode(data)
    except (
        msgspec.DecodeError,
        RecursionError,
        UnicodeDecodeError,
        OverflowError,
        TypeError,
    ) as error:
        raise InvalidInput(
            "malformed", f"content does not parse: {error}", field="content"
        ) from None
    if not isinstance(value, dict):
        raise InvalidInput("malformed", "content is not a map", field="content")
    if encode_content(value) != data:
        raise InvalidInput(
            "not_canonical", "content is not in its one canonical encoding", field="content"
        )
    return value


def pointer_to(where: Where) -> str:
    """The JSON pointer of a place, at most `POINTER_CHARS` long; made for an error only.

    Every value's pointer would cost the product of keys' lengths and values, 1 GB for 64 KiB.
    """
    steps: list[str] = []
    while where is not None:
        where, step = where
        steps.append(str(step)[:POINTER_CHARS].replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{step}" for step in reversed(steps))[:POINTER_CHARS]


def _check_content(value: object, where: Where, depth: int) -> None:
    """What stands in content, all the way down; plain values, most of it, cost no call."""
    if depth > MAX_CONTENT_DEPTH:
        raise InvalidInput(
            "malformed", f"content nests deeper than {MAX_CONTENT_DEPTH}", field="content"
        )
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise InvalidInput("malformed", "a key is not text", field=_field(where))
            if type(item) not in _PLAIN or depth == MAX_CONTENT_DEPTH:
                _check_content(item, (where, key), depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if type(item) not in _PLAIN or depth == MAX_CONTENT_DEPTH:
                _check_content(item, (where, index), depth + 1)
    elif not (value is None or isinstance(value, (str, bool, int))):
        raise InvalidInput(
            "malformed",
            f"a {type(value).__name__} cannot stand in content; write numbers as decimal strings",
            field=_field(where),
            hint='write numbers with a point in quotes, such as "3.5"',
            fault=Fault("type", pointer_to(where)),
        )


def _unencodable(value: object, where: Where) -> Where:
    """The first place whose text, or key, UTF-8 cannot hold; for an error only."""
    if isinstance(value, str):
        return where if any("\ud800" <= char <= "\udfff" for char in value) else None
    items = value.items() if isinstance(value, dict) else ()
    for key, item in enumerate(value) if isinstance(value, list) else items:
        found = _unencodable(item, (where, key)) or _unencodable(key, (where, "key"))
        if found is not None:
            return found
    return None


def _field(where: Where) -> str:
    return f"content{pointer_to(where)}"
