"""JSON Schema 2020-12 as far as bundles use it (types.md): is this value what the schema says."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from typing import Any

from mp import refuse

Schema = dict[str, Any]
KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
}


def is_kind(value: Any, kind: str) -> bool:
    return isinstance(value, KINDS[kind]) and (kind != "integer" or not isinstance(value, bool))


def equal(one: Any, two: Any) -> bool:
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(equal, one, two))
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(equal(one[key], two[key]) for key in one)
    return type(one) is type(two) and bool(one == two)


class Validator:
    """A bundle's schema; `faults` yields the pointers of what breaks it."""

    def __init__(self, schema: Schema) -> None:
        self._whole = schema

    def faults(self, value: Any, schema: Any = None, pointer: str = "") -> Iterator[str]:
        schema = self._whole if schema is None else schema
        if schema is True:
            return
        if schema is False:
            yield pointer
            return
        unknown = schema.keys() - KEYWORDS
        if unknown:
            raise ValueError(f"keywords of no bundle: {sorted(unknown)}")
        if "$ref" in schema:
            name = schema["$ref"].removeprefix("#/$defs/")
            yield from self.faults(value, self._whole["$defs"][name], pointer)
        if self._wrong(value, schema):
            yield pointer
            return
        if isinstance(value, dict):
            yield from self._object(value, schema, pointer)
        elif isinstance(value, list):
            yield from self._array(value, schema, pointer)
        yield from self._combined(value, schema, pointer)

    def fits(self, value: Any, schema: Any) -> bool:
        return next(self.faults(value, schema), None) is None

    def _wrong(self, value: Any, schema: Schema) -> bool:
        if "type" in schema and not is_kind(value, schema["type"]):
            return True
        if "enum" in schema and not any(equal(value, one) for one in schema["enum"]):
            return True
        if "const" in schema and not equal(value, schema["const"]):
            return True
        if isinstance(value, str):
            return self._wrong_text(value, schema)
        if is_kind(value, "integer"):
            return not schema.get("minimum", value) <= value <= schema.get("maximum", value)
        return False

    def _wrong_text(self, value: str, schema: Schema) -> bool:
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            return True
        if "pattern" in schema and not found(schema["pattern"], value):
            return True
        return "format" in schema and not exists(value, schema["format"])

    def _object(self, value: Schema, schema: Schema, pointer: str) -> Iterator[str]:
        least, most = schema.get("minProperties", 0), schema.get("maxProperties", len(value))
        if not least <= len(value) <= most:
            yield pointer
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{pointer}/{name}"
        for name, others in schema.get("dependentRequired", {}).items():
            yield from (f"{pointer}/{o}" for o in others if name in value and o not in value)
        known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        for name, item in value.items():
            inner = [known[name]] if name in known else []
            inner += [one for pattern, one in patterns.items() if found(pattern, name)]
            if not inner and schema.get("additionalProperties") is False:
                yield f"{pointer}/{name}"
            for one in inner:
                yield from self.faults(item, one, f"{pointer}/{name}")

    def _array(self, value: list[Any], schema: Schema, pointer: str) -> Iterator[str]:
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield pointer
        if schema.get("uniqueItems") and any(
            equal(one, two) for at, one in enumerate(value) for two in value[:at]
        ):
            yield pointer
        for index, item in enumerate(value):
            yield from self.faults(item, schema.get("items", True), f"{pointer}/{index}")

    def _combined(self, value: Any, schema: Schema, pointer: str) -> Iterator[str]:
        for one in schema.get("allOf", ()):
            yield from self.faults(value, one, pointer)
        if "anyOf" in schema and not any(self.fits(value, one) for one in schema["anyOf"]):
            yield pointer
        if "oneOf" in schema and sum(self.fits(value, one) for one in schema["oneOf"]) != 1:
            yield pointer
        if "not" in schema and self.fits(value, schema["not"]):
            yield pointer
        if "if" in schema:
            branch = "then" if self.fits(value, schema["if"]) else "else"
            yield from self.faults(value, schema.get(branch, True), pointer)


WORDS = """
$schema $id $defs $ref type enum const minLength maxLength pattern format minimum maximum
properties patternProperties additionalProperties required dependentRequired minProperties
maxProperties items minItems maxItems uniqueItems allOf anyOf oneOf not if then else
"""
KEYWORDS = frozenset(WORDS.split())


def found(pattern: str, text: str) -> bool:
    """A pattern is of the whole text: it begins with `^` and ends with `$` (types.md)."""
    return re.fullmatch(pattern[1:-1], text) is not None


MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.\d+)?(Z|([+-])(\d\d):(\d\d)))?",
    re.ASCII | re.IGNORECASE,
)


def exists(text: str, kind: str) -> bool:
    """RFC 3339 full-date or date-time; the second 60 only before midnight of UTC."""
    found = MOMENT.fullmatch(text)
    if found is None or (found[4] is None) is not (kind == "date"):
        return False
    year, month, day = map(int, found.groups()[:3])
    if not (1 <= month <= 12 and 1 <= day <= calendar.monthrange(2000 + year % 400, month)[1]):
        return False
    if kind == "date":
        return True
    hour, minute, second = map(int, found.groups()[3:6])
    off_hour, off_minute = int(found[9] or 0), int(found[10] or 0)
    if hour > 23 or minute > 59 or second > 60 or off_hour > 23 or off_minute > 59:
        return False
    ahead = (off_hour * 60 + off_minute) * (-1 if found[8] == "-" else 1)
    return second < 60 or (hour * 60 + minute - ahead) % 1440 == 1439


def check_schema(schema: Schema, content: Any) -> None:
    if not Validator(schema).fits(content, None):
        refuse("schema_invalid")
