"""The envelope of every archived object: a format, a digest over name and body, the body.

An object that is cut short, has a flipped bit or lies under another object's name is found out when
it is read, never taken. The digest is against accidents: whoever may write the objects could write
a fitting one, as whoever may write the server's memory could write there.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec
from saphan_protocol.identity import identity
from saphan_schemas.decoders import msgpack_decoder
from saphan_schemas.errors import OperatorError

T = TypeVar("T")

_MAGIC: Final = b"saphan archive "
FORMAT: Final = b"0001"
_DIGEST_AT: Final = len(_MAGIC) + len(FORMAT) + 1
HEAD_BYTES: Final = _DIGEST_AT + 32
"""Where the body begins."""
_TYPE: Final = "saphan/archive/1"

UNREADABLE: Final = frozenset({"object_missing", "object_damaged"})
"""Codes of objects that are lost for good unless somebody puts them back."""

_encoder = msgspec.msgpack.Encoder()


class Kept(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of what stands in objects: a MessagePack array of its fields in declared order."""


def seal(name: str, body: bytes) -> bytes:
    """The object to be put under `name`; the same for the same name and body."""
    return _MAGIC + FORMAT + b"\n" + _digest(name, body) + body


def unseal(name: str, data: bytes) -> bytes:
    """The body of the object that was found under `name`.

    Raises:
        OperatorError: `object_damaged`; `store_format_newer`: a later version has written it.
    """
    magic, form = data[: len(_MAGIC)], data[len(_MAGIC) : _DIGEST_AT - 1]
    if magic != _MAGIC or len(data) < HEAD_BYTES:
        raise damaged(name, "it does not begin as one")
    if form != FORMAT and form.isdigit():
        raise OperatorError(
            "store_format_newer",
            f"the object {name} has format {int(form)}, this version reads {int(FORMAT)}",
            field="blobs",
            hint="run the version of the broker that has written it, or a later one",
        )
    body = data[HEAD_BYTES:]
    if data[_DIGEST_AT:HEAD_BYTES] != _digest(name, body):
        raise damaged(name, "its digest is another one")
    return body


def encode(value: Kept) -> bytes:
    """The body of an object."""
    return _encoder.encode(value)


def decode(kind: type[T], name: str, body: bytes) -> T:
    """What `encode` made the body of.

    Raises:
        OperatorError: `object_damaged`.
    """
    try:
        return msgpack_decoder(kind).decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, OverflowError) as error:
        raise damaged(name, str(error)) from None


def damaged(name: str, why: str) -> OperatorError:
    """The error for an object whose bytes are not those that were put there."""
    return OperatorError(
        "object_damaged",
        f"the archived object {name} is damaged: {why}",
        field="blobs",
        hint="put it back from a backup of the store of objects; what else is kept stays readable",
    )


def missing(name: str) -> OperatorError:
    """The error for an object that the server's index names and that is not there."""
    return OperatorError(
        "object_missing",
        f"the archived object {name} is missing",
        field="blobs",
        hint="put it back from a backup of the store of objects; what else is kept stays readable",
    )


def _digest(name: str, body: bytes) -> bytes:
    return identity(_TYPE, _encoder.encode([name, body]))
