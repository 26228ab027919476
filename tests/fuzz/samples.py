"""An instance of any record, made from its type alone: the least, or filled a little."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Final

import msgspec
from msgspec import inspect
from saphan_schemas.codec import encode

TEXTS: Final = (
    "la.ospp", "kh.gpo", "dao", "saphan/training_notice/1", "la.ospp/field_report/1", "a",
    "0" * 64, "abcdef01",
    "bridge.test/evidence/1", "2026-11-22", "", "H1", "training", "x" * 43 + "=", "1",
)  # fmt: skip
"""One of these fits each pattern that our records have."""


class Unmade(Exception):
    """No sample of this type is known here."""


def samples(kind: Any) -> list[bytes]:
    """Canonical bytes of every alternative of a type: with the least in it, and with something."""
    found = inspect.type_info(kind)
    parts = found.types if isinstance(found, inspect.UnionType) else (found,)
    return [encode(made(part, full)) for part in parts for full in (False, True)]


def made(kind: inspect.Type, full: bool) -> Any:
    """A value of a type; `full`: with one more in each list, and nothing left out."""
    match kind:
        case inspect.StructType() | inspect.DataclassType() | inspect.NamedTupleType():
            return kind.cls(**{one.name: made(one.type, full) for one in kind.fields})
        case inspect.UnionType():
            return _one_of(kind, full)
        case inspect.IntType():
            return _between(kind.ge, kind.gt, kind.le, kind.lt, full)
        case inspect.BytesType():
            return b"\x07" * max(kind.min_length or 0, min(40 * full, kind.max_length or 40))
        case inspect.StrType():
            return _text(kind, full)
        case inspect.VarTupleType() | inspect.ListType() | inspect.CollectionType():
            most = 2 if kind.max_length is None else kind.max_length
            length = max(kind.min_length or 0, min(2 * full, most))
            items = [made(kind.item_type, full) for _ in range(length)]
            return items if isinstance(kind, inspect.ListType) else tuple(items)
        case inspect.TupleType():
            return tuple(made(one, full) for one in kind.item_types)
        case inspect.DictType():
            return {made(kind.key_type, full): made(kind.value_type, full)} if full else {}
        case inspect.LiteralType():
            return kind.values[-1 if full else 0]
        case inspect.EnumType():
            members: list[enum.Enum] = list(kind.cls)
            return members[-1 if full else 0]
        case inspect.BoolType():
            return full
        case inspect.NoneType():
            return None
        case inspect.FloatType():
            return 0.5
        case inspect.AnyType():
            return {"en": "text"}
        case _:
            raise Unmade(str(kind)[:200])


def _one_of(kind: inspect.UnionType, full: bool) -> Any:
    """Nothing, where that is possible and least is wanted; else the first that is something."""
    empty = any(isinstance(one, inspect.NoneType) for one in kind.types)
    if empty and not full:
        return None
    return made(next(one for one in kind.types if not isinstance(one, inspect.NoneType)), full)


def _between(ge: Any, gt: Any, le: Any, lt: Any, full: bool) -> int:
    low = ge if ge is not None else gt + 1 if gt is not None else 0
    high = le if le is not None else lt - 1 if lt is not None else 2**31
    return min(int(low) + 3 * full, int(high))


def _text(kind: inspect.StrType, full: bool) -> str:
    shape = msgspec.Meta(
        pattern=kind.pattern, min_length=kind.min_length, max_length=kind.max_length
    )
    for text in TEXTS if full else ("", *TEXTS):
        try:
            msgspec.convert(text, type=_annotated(shape))
        except msgspec.ValidationError:
            continue
        return text
    raise Unmade(f"text of {kind.pattern}")


def _annotated(shape: msgspec.Meta) -> Any:
    return Annotated[str, shape]
