"""The schema of a bundle over content: whether it holds, and which value first breaks it.

The validator is Rust (`jsonschema-rs`), with the regular-expression engine that runs in linear
time. Importing this module does not load it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from saphan_schemas.codec import POINTER_CHARS
from saphan_schemas.errors import InvalidInput
from saphan_schemas.faults import Fault

if TYPE_CHECKING:
    import jsonschema_rs

PLAIN: Final[dict[str, tuple[str, str]]] = {
    "required": ("is missing", "add it"),
    "additionalProperties": ("is not known to this schema", "remove it or correct its name"),
    "falseSchema": ("does not belong here with these other values", "remove it"),
    "type": ("has the wrong type", "quantities and times are strings, counts are whole numbers"),
    "enum": ("is not one of the allowed codes", "choose a code from the list of the schema"),
    "const": ("is not the one allowed value", "correct it"),
    "pattern": ("is not written in the form of this field", "use ASCII digits and letters only"),
    "format": ("is not a date or time that exists", "write 2025-10-14 or 2025-10-14T06:40:00Z"),
    "maxLength": ("is too long", "shorten it"),
    "minLength": ("is too short", "fill it in"),
    "maxItems": ("has too many entries", "split the bulletin"),
    "minItems": ("needs at least one entry", "add one"),
    "maxProperties": ("has too many entries", "remove some"),
    "minProperties": ("needs at least one entry", "add one"),
    "minimum": ("is too small", "correct the number"),
    "maximum": ("is too large", "correct the number"),
    "uniqueItems": ("has the same entry twice", "remove one of them"),
}
"""What a broken keyword means in words; the offending value is never repeated in an error."""

_EXPECTED: Final[dict[str, str]] = {
    "enum": "allowed",
    "type": "types",
    "pattern": "pattern",
    "format": "format",
    "const": "const",
    "maxLength": "limit",
    "minLength": "limit",
    "maxItems": "limit",
    "minItems": "limit",
    "maxProperties": "limit",
    "minProperties": "limit",
    "minimum": "limit",
    "maximum": "limit",
}
"""Under which name a fault tells what the keyword asks for."""

_SEVERAL: Final = ("anyOf", "oneOf")


def compile_schema(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """A validator of a bundled schema; it fetches nothing.

    Alternatives are said as what may not fail to hold: of `anyOf` itself the validator would list
    every fault of every alternative, which 3 KB of content can make gigabytes of.

    Raises:
        InvalidInput: `schema_malformed`: it is no JSON Schema, or refers to what it lacks.
    """
    import jsonschema_rs

    try:
        return jsonschema_rs.Draft202012Validator(
            _without_lists(schema),
            validate_formats=True,
            pattern_options=jsonschema_rs.RegexOptions(),
            offline=True,
        )
    except (ValueError, jsonschema_rs.ValidationError) as error:
        raise InvalidInput(
            "schema_malformed",
            f"this is no JSON Schema that can be used: {str(error)[:200]}",
            field="schema",
            hint="check the schema with a JSON Schema editor (draft 2020-12)",
        ) from None


def is_valid(validator: jsonschema_rs.Draft202012Validator, content: dict[str, Any]) -> bool:
    """Whether the schema describes this content; False too for what JSON cannot hold."""
    try:
        return validator.is_valid(content)
    except ValueError:
        return False


def check_schema(validator: jsonschema_rs.Draft202012Validator, content: dict[str, Any]) -> None:
    """Refuse content that the schema does not describe.

    Raises:
        InvalidInput: `schema_invalid`, with the pointer of the offending value and its `fault`.
    """
    import jsonschema_rs

    try:
        # Stops at the first fault; the validator's list of all of them has no bound.
        validator.validate(content)
    except jsonschema_rs.ValidationError as error:
        raise _explain(error) from None
    except ValueError:
        # Bytes, keys that are not text, lone surrogates: never from decode_content.
        raise InvalidInput("schema_invalid", "content holds what JSON cannot", field="") from None


def _without_lists(node: Any) -> Any:
    """The same schema with `anyOf` and `oneOf` inside two `not`."""
    if isinstance(node, list):
        return [_without_lists(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    made = {key: _without_lists(value) for key, value in node.items()}
    several = [
        {"not": {"not": {key: made.pop(key)}}} for key in _SEVERAL if type(made.get(key)) is list
    ]
    if several:
        made["allOf"] = [*made.get("allOf", ()), *several]
    return made


def _explain(error: jsonschema_rs.ValidationError) -> InvalidInput:
    kind: Any = error.kind
    path = [str(step) for step in error.instance_path]
    if kind.name == "required":
        path.append(str(kind.property))
    elif kind.name == "additionalProperties":
        path.append(str(kind.unexpected[0]))
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in path)
    pointer = pointer[:POINTER_CHARS]  # a name that is not known may be as long as the content
    says, hint = PLAIN.get(kind.name, ("does not fit the schema", "see schemas/spec/content.md"))
    name = _EXPECTED.get(kind.name)
    fault = Fault(_keyword(kind), pointer, {name: kind.value} if name else {})
    return InvalidInput(
        "schema_invalid", f"{pointer or '/'} {says}", field=pointer, hint=hint, fault=fault
    )


def _keyword(kind: Any) -> str:
    """What is broken, by its name in the bundle."""
    outer = kind.schema if kind.name == "not" else None
    inner = outer.get("not") if isinstance(outer, dict) else None
    found = [key for key in _SEVERAL if isinstance(inner, dict) and key in inner]
    return found[0] if found else str(kind.name)
