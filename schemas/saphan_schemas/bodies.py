"""Body types: one bundled JSON Schema each, its rules beside it, and the digest over both.

A type's name is `saphan/<type>/<version>`. The files under `bodies/` share `definitions.json`; a
bundle carries the definitions it needs in its own `$defs`, so it has no outside `$ref` and can be
checked by anybody who has nothing else (schemas/spec/content.md).
"""

from __future__ import annotations

import functools
import hashlib
import json
from importlib import resources
from typing import Any, Final

from saphan_schemas import attachments
from saphan_schemas.codec import encode_content
from saphan_schemas.directory_records import TypeName
from saphan_schemas.errors import InvalidInput
from saphan_schemas.pae import pae

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_TYPE: Final = "saphan/schema/1"
"""PAE type of a bundle's canonical bytes."""

NAMES: Final[tuple[str, ...]] = (
    "saphan/case_statistics/1",
    "saphan/drug_seizure/1",
    "saphan/training_notice/1",
)
"""Every type this package has, sorted."""

_OUTSIDE: Final = "definitions.json"
_INSIDE: Final = "#/$defs/"


def bundle(name: str) -> dict[str, Any]:
    """The map {"rules", "schema"} of a type: everything its digest covers.

    Args:
        name: one of `NAMES`.

    Raises:
        InvalidInput: `schema_unknown`.
    """
    stem = _stem(name)
    body = _read(f"{stem}.json")
    title = body.pop("title")
    body.pop("$schema")
    schema = {
        "$schema": DIALECT,
        "$id": f"urn:{name.replace('/', ':')}",
        "title": title,
        "type": "object",
        "required": ["about", "attachments", "body"],
        "additionalProperties": False,
        "properties": {
            "about": {"$ref": f"{_INSIDE}about"},
            # Sealed apart; their lengths and digests stand in the inner record, in this order.
            "attachments": attachments.describe_schema(),
            "body": body,
        },
    }
    bundled = _inside(schema)
    bundled["$defs"] = _needed(bundled)
    return {"rules": [*_read("about.rules.json"), *_read(f"{stem}.rules.json")], "schema": bundled}


@functools.cache
def bundle_bytes(name: str) -> bytes:
    """Canonical content bytes of `bundle(name)`."""
    return encode_content(bundle(name))


@functools.cache
def digest(name: str) -> bytes:
    """SHA-256(PAE("saphan/schema/1", bundle bytes)), 32 bytes: `Header.schema_digest`."""
    return hashlib.sha256(pae(SCHEMA_TYPE, bundle_bytes(name))).digest()


@functools.cache
def known_types() -> tuple[TypeName, ...]:
    """Name and digest of every type, sorted by name: what the `types` operation registers."""
    return tuple(TypeName(name=name, digest=digest(name)) for name in NAMES)


def _stem(name: str) -> str:
    if name not in NAMES:
        raise InvalidInput(
            "schema_unknown",
            f"this program has no type named {name[:80]!r}",
            field="header.schema",
            hint="update Saphan, or ask the sender to use one of: " + ", ".join(NAMES),
        )
    return name.split("/")[1]


def _read(file: str) -> Any:
    path = resources.files("saphan_schemas").joinpath("bodies", file)
    return json.loads(path.read_text(encoding="utf-8"))


def _inside(node: Any) -> Any:
    """The same schema with references into the shared file turned into references into itself."""
    if isinstance(node, dict):
        return {
            key: value.removeprefix(_OUTSIDE) if key == "$ref" else _inside(value)
            for key, value in node.items()
        }
    return [_inside(item) for item in node] if isinstance(node, list) else node


def _needed(schema: dict[str, Any]) -> dict[str, Any]:
    """The shared definitions a schema reaches, directly or through others."""
    shared = _read(_OUTSIDE)["$defs"]
    found: dict[str, Any] = {}
    open_nodes: list[Any] = [schema]
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, list):
            open_nodes.extend(node)
        elif isinstance(node, dict):
            target = node.get("$ref")
            if isinstance(target, str):
                key = target.removeprefix(_INSIDE)
                if key not in found:
                    found[key] = shared[key]
                    open_nodes.append(shared[key])
            open_nodes.extend(node.values())
    return found
