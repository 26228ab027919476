"""What a type asks for at each place: its schema there, with the names of its code lists kept.

A bundle has plain enumerations, so that it stands alone. People are asked and answered in words:
forms, pages and explanations walk the type's own files, where a choice still names its list.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

from saphan_schemas import attachments, bodies
from saphan_schemas.codes import LANGUAGES, code_label, code_lists, codes

Schema = dict[str, Any]

_INSIDE: Final = "#/$defs/"


@dataclass(frozen=True, slots=True)
class Field:
    """One place of a type.

    Args:
        node: its schema, references followed.
        shared: the shared type it is, such as "decimal", or "".
    """

    node: Schema
    shared: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The codes that a field may have.

    Args:
        listed: name of the code list, or "" where an own type writes plain words.
        codes: in the list's order.
    """

    listed: str
    codes: tuple[str, ...]

    def label(self, code: str, lang: str) -> str:
        """A code in words; the code itself, spaced, where there is no list."""
        return code_label(self.listed, code, lang) if self.listed else code.replace("_", " ")

    def labels(self, code: str) -> tuple[str, ...]:
        """A code in the words of every language."""
        return tuple(dict.fromkeys(self.label(code, lang) for lang in LANGUAGES))


@functools.cache
def root_of(name: str) -> Schema:
    """The whole content of one of this package's types, code lists by name; not to be changed.

    Raises:
        InvalidInput: `schema_unknown`.
    """
    bodies.digest(name)  # a name that is none ends here
    file = resources.files("saphan_schemas").joinpath("bodies", f"{name.split('/')[1]}.json")
    return {
        "type": "object",
        "required": ["about", "attachments", "body"],
        "additionalProperties": False,
        "properties": {
            "about": {"$ref": f"{_INSIDE}about"},
            "attachments": attachments.describe_schema(),
            "body": json.loads(file.read_text(encoding="utf-8")),
        },
        "$defs": bodies.shared_types()[0],
    }


def known_root(name: str) -> Schema:
    """The same of any type: of an agency's own one the common fields, which every type has.

    An own type's own fields are in its bundle, which whoever has it gives instead.
    """
    if name in bodies.NAMES:
        return root_of(name)
    return {
        "type": "object",
        "properties": {"about": {"$ref": f"{_INSIDE}about"}},
        "$defs": bodies.shared_types()[0],
    }


def field_of(root: Schema, node: Schema) -> Field:
    """A schema with its references followed; what stands beside a reference counts too."""
    shared = ""
    while isinstance(node.get("$ref"), str):
        shared = node["$ref"].removeprefix(_INSIDE)
        beside = {key: value for key, value in node.items() if key != "$ref"}
        node = overlaid(root["$defs"][shared], beside)
    return Field(node, shared)


def overlaid(node: Schema, beside: Schema) -> Schema:
    """A schema and what a condition says besides, part by part; both hold, as `allOf` would say."""
    found = dict(node)
    for key, value in beside.items():
        under = found.get(key)
        if isinstance(under, dict) and isinstance(value, dict):
            value = overlaid(under, value)
        found[key] = value
    return found


def field_at(root: Schema, pointer: str) -> Field | None:
    """What stands at a JSON pointer of the content, or None where the type knows nothing."""
    found: Field | None = field_of(root, root)
    for raw in pointer.split("/")[1:]:
        step = raw.replace("~1", "/").replace("~0", "~")
        found = None if found is None else _below(root, found.node, step)
    return found


def choice_of(node: Schema) -> Choice | None:
    """The codes of a resolved schema, if it is a choice."""
    words = [node["const"]] if isinstance(node.get("const"), str) else node.get("enum")
    left = None if words is None else tuple(str(word) for word in words)
    if "$codes" in node:
        only = node.get("only")
        listed = tuple(c for c in codes(node["$codes"]) if only is None or c in only)
        return Choice(node["$codes"], listed if left is None else left)
    return None if left is None else narrowed(None, left)


def narrowed(choice: Choice | None, options: tuple[str, ...]) -> Choice:
    """A choice of fewer codes; what a condition leaves of a field may be a list of its own."""
    if choice is not None and choice.listed:
        return Choice(choice.listed, options)
    found = (listed for listed in code_lists() if codes(listed) == options)
    return Choice(next(found, ""), options)


def in_languages(node: Schema) -> Schema | None:
    """Of a text by language: the schema of one language's text."""
    texts: list[Schema] = list(node.get("patternProperties", {}).values())
    return texts[0] if texts and "properties" not in node else None


def _below(root: Schema, node: Schema, step: str) -> Field | None:
    below = node.get("properties", {}).get(step)
    if below is None and isinstance(node.get("items"), dict) and step.isascii() and step.isdigit():
        below = node["items"]
    if below is None:
        below = in_languages(node)
    if below is not None:
        return field_of(root, below)
    for join in ("allOf", "anyOf", "oneOf"):
        for member in node.get(join, ()):
            found = _below(root, field_of(root, member).node, step)
            if found is not None:
                return found
    return None
