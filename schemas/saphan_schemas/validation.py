"""Is this content what its header's schema says: characters, then schema, then rules.

The validator is Rust (`jsonschema-rs`), compiled once per type and process at first use, with the
regular-expression engine that runs in linear time. Importing this module loads none of it.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from saphan_schemas.attachments import check_list
from saphan_schemas.bodies import bundle
from saphan_schemas.errors import InvalidInput
from saphan_schemas.rules import Rule, check_rules
from saphan_schemas.text import check_texts

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


def validate_content(schema_name: str, content: dict[str, Any]) -> None:
    """Check content against a type: forbidden characters, schema, names, rules, in this order.

    Args:
        schema_name: `Header.schema`, one of `bodies.NAMES`.
        content: the decoded map {about, body, attachments} (`codec.decode_content` made it).

    Raises:
        InvalidInput: `schema_unknown`, `text_forbidden`, `schema_invalid`, `attachment_name` or
            `rule_broken`; `field` is the JSON pointer of the offending value.
    """
    validator, rules = _compiled(schema_name)
    check_texts(content)
    try:
        error = None if validator.is_valid(content) else next(iter(validator.iter_errors(content)))
    except ValueError:
        # Bytes, keys that are not text, lone surrogates: never from decode_content.
        raise InvalidInput("schema_invalid", "content holds what JSON cannot", field="") from None
    if error is not None:
        raise _explain(error)
    check_list(content["attachments"])
    check_rules(rules, content)


@functools.cache
def _compiled(schema_name: str) -> tuple[jsonschema_rs.Draft202012Validator, list[Rule]]:
    import jsonschema_rs

    parts = bundle(schema_name)
    validator = jsonschema_rs.Draft202012Validator(
        parts["schema"],
        validate_formats=True,
        pattern_options=jsonschema_rs.RegexOptions(),
        offline=True,
    )
    return validator, parts["rules"]


def _explain(error: jsonschema_rs.ValidationError) -> InvalidInput:
    kind: Any = error.kind
    path = [str(step) for step in error.instance_path]
    if kind.name == "required":
        path.append(str(kind.property))
    elif kind.name == "additionalProperties":
        path.append(str(kind.unexpected[0]))
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in path)
    says, hint = PLAIN.get(kind.name, ("does not fit the schema", "see schemas/spec/content.md"))
    return InvalidInput("schema_invalid", f"{pointer or '/'} {says}", field=pointer, hint=hint)
