"""Decoders by type, each made once: the one place where msgspec learns a type.

msgspec (0.22) keeps what it knows of a struct on its class from the moment when it begins to find
it out. A second thread that meets the class in that moment reads what is not filled in yet, and the
process dies (SIGSEGV): a node did, in the first second after a start. Types are therefore learned
under one lock. What is learned needs none.
"""

from __future__ import annotations

import threading  # noqa: TID251 - a lock, for callers that have threads
from typing import Any, Final, TypeVar, overload

import msgspec

T = TypeVar("T")

_learning: Final = threading.Lock()
_msgpack: Final[dict[Any, msgspec.msgpack.Decoder[Any]]] = {}
_json: Final[dict[Any, msgspec.json.Decoder[Any]]] = {}


@overload
def msgpack_decoder(kind: type[T]) -> msgspec.msgpack.Decoder[T]: ...
@overload
def msgpack_decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]: ...
def msgpack_decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    """MessagePack to a record, or to any type that msgspec can check; from any thread."""
    found = _msgpack.get(kind)
    if found is None:
        with _learning:
            found = _msgpack[kind] = msgspec.msgpack.Decoder(kind)
    return found


@overload
def json_decoder(kind: type[T]) -> msgspec.json.Decoder[T]: ...
@overload
def json_decoder(kind: Any) -> msgspec.json.Decoder[Any]: ...
def json_decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """JSON to a struct, or to any type that msgspec can check; from any thread."""
    found = _json.get(kind)
    if found is None:
        with _learning:
            found = _json[kind] = msgspec.json.Decoder(kind)
    return found


@overload
def convert(value: object, kind: type[T]) -> T: ...
@overload
def convert(value: object, kind: Any) -> Any: ...
def convert(value: object, kind: Any) -> Any:
    """Plain objects as a struct, or as any type that msgspec can check; from any thread.

    Raises:
        msgspec.ValidationError: they are not of that type.
    """
    json_decoder(kind)
    return msgspec.convert(value, kind)
