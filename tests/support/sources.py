"""Sources of agencies' own types: a good one, and what people and attackers make of it."""

from __future__ import annotations

import copy
import json
from typing import Any, Final

import pytest
from saphan_schemas.codec import decode_content, encode_content
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.own_types import bundle_source
from saphan_schemas.profile import open_bundle

Json = dict[str, Any]

NAME: Final = "la.ospp/field_report/1"
_SOURCE: Final[Json] = {
    "name": NAME,
    "body": {
        "type": "object",
        "required": ["patrols", "remarks"],
        "additionalProperties": False,
        "properties": {
            "patrols": {"type": "integer", "minimum": 0, "maximum": 1000},
            "remarks": {"$ref": "#/$defs/lang_text"},
            "way": {"$ref": "#/$defs/way"},
            "call_sign": {"type": "string", "maxLength": 12, "pattern": "^[A-Z]{2,4}-[0-9]{1,3}$"},
            "seen": {
                "type": "array",
                "maxItems": 20,
                "items": {
                    "type": "object",
                    "required": ["what", "count"],
                    "additionalProperties": False,
                    "properties": {
                        "what": {"enum": ["person", "vehicle", "vessel"]},
                        "count": {"type": "integer", "minimum": 1, "maximum": 500},
                    },
                },
            },
            "period": {"$ref": "#/$defs/period"},
        },
    },
    "defs": {"way": {"enum": ["river", "road", "air"]}},
    "rules": [{"rule": "unique", "each": "/body/seen/*", "by": ["what"]}],
}


def source(**parts: Any) -> Json:
    """A good source, with whole parts replaced."""
    return copy.deepcopy(_SOURCE) | parts


def with_field(schema: Any, **parts: Any) -> Json:
    """A good source with one more field, `extra`, of this schema."""
    made = source(**parts)
    made["body"]["properties"]["extra"] = schema
    return made


def made(value: Json) -> bytes:
    """Bundle bytes of a source."""
    return bundle_source(json.dumps(value).encode())[1]


def opened(value: Json) -> Json:
    """The bundle of a source, as whoever gets it opens it."""
    return open_bundle(value["name"], made(value))


def source_refusal(value: Json | bytes) -> InvalidInput:
    """The error with which a source is refused."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    with pytest.raises(InvalidInput) as refused:
        bundle_source(data)
    return refused.value


def raw_bundle() -> Json:
    """A good bundle to be changed, as an attacker who uses no tool of ours changes it."""
    return decode_content(made(source()), LIMITS.schema_bytes)


def bundle_refusal(bundle: Json, name: str = NAME) -> InvalidInput:
    """The error with which a hostile bundle is refused by whoever gets it."""
    with pytest.raises(InvalidInput) as refused:
        open_bundle(name, encode_content(bundle))
    return refused.value
