"""Canonical MessagePack (content.md C2, C3; bulletin.md): msgpack, and what it lets pass."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NoReturn

import msgpack

DEEPEST = 32
Check = Callable[[Any], bool]


class Refuse(Exception):
    """The one code with which the work ends."""

    @property
    def code(self) -> str:
        return str(self.args[0])


def refuse(code: str) -> NoReturn:
    raise Refuse(code)


def _no_ext(_code: int, _data: bytes) -> NoReturn:
    refuse("malformed")


def _parse(data: bytes, *, maps: bool) -> Any:
    def pairs(found: list[tuple[Any, Any]]) -> dict[Any, Any]:
        if not maps or any(not isinstance(key, str) for key, _ in found):
            refuse("malformed")
        names = [key.encode() for key, _ in found]
        if any(one >= two for one, two in pairwise(names)):
            refuse("not_canonical")
        return dict(found)

    try:
        return msgpack.unpackb(data, object_pairs_hook=pairs, ext_hook=_no_ext, timestamp=0)
    except (ValueError, RecursionError, msgpack.exceptions.UnpackException):
        refuse("malformed")


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max((_depth(item) for item in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((_depth(item) for item in value), default=0)
    return 0


def _plain(value: Any) -> bool:
    """Values of content: no floats, no bytes, no time stamps."""
    if isinstance(value, dict):
        return all(_plain(item) for item in value.values())
    if isinstance(value, list):
        return all(_plain(item) for item in value)
    return value is None or isinstance(value, str | int)


def read_content(data: bytes) -> dict[str, Any]:
    """C2 and C3."""
    value = _parse(data, maps=True)
    if not isinstance(value, dict) or _depth(value) > DEEPEST or not _plain(value):
        refuse("malformed")
    if msgpack.packb(value) != data:
        refuse("not_canonical")
    return value


def read_record(data: bytes, *fields: Check) -> list[Any]:
    """An array of typed fields in declared order, whose one encoding this is."""
    value = _parse(data, maps=False)
    if not isinstance(value, list) or len(value) != len(fields):
        refuse("malformed")
    if not all(check(item) for check, item in zip(fields, value, strict=True)):
        refuse("malformed")
    if msgpack.packb(value) != data:
        refuse("not_canonical")
    return value


def octets(least: int, most: int | None = None) -> Check:
    return lambda value: isinstance(value, bytes) and least <= len(value) <= (most or least)


def number(least: int = 0, most: int = 2**53) -> Check:
    return lambda value: type(value) is int and least <= value <= most


def words(pattern: str) -> Check:
    return lambda value: isinstance(value, str) and bool(re.fullmatch(pattern, value, re.ASCII))


def one_of(*allowed: object) -> Check:
    return lambda value: value in allowed


def array(check: Check, least: int = 0, most: int = 64) -> Check:
    return lambda value: (
        isinstance(value, list) and least <= len(value) <= most and all(map(check, value))
    )


def record(*fields: Check) -> Check:
    return lambda value: (
        isinstance(value, list)
        and len(value) == len(fields)
        and all(check(item) for check, item in zip(fields, value, strict=True))
    )


def or_nil(check: Check) -> Check:
    return lambda value: value is None or check(value)
