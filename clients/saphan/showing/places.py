"""What the places of one type's content are called, and which codes stand there."""

from __future__ import annotations

import functools
from typing import Any

from saphan_schemas.fields import Choice, Field, choice_of, field_at, known_root, overlaid
from saphan_schemas.labels import description, label_key, title

Json = dict[str, Any]


class Places:
    """The places of one type; every pointer is looked up once, whatever entry of a list it names.

    Args:
        schema: the type's name; root: its whole content's schema, for an agency's own type.
    """

    def __init__(self, schema: str, root: Json | None = None) -> None:
        self._schema = schema
        self._root = known_root(schema) if root is None else root
        self._fields: dict[str, Field | None] = {}
        self._keys: dict[str, str] = {}

    def field(self, pointer: str) -> Field | None:
        """What stands there; None where the type knows nothing, or is not known."""
        place = _unnumbered(pointer)
        if place not in self._fields:
            self._fields[place] = field_at(self._root, place)
        return self._fields[place]

    def order(self, pointer: str, value: Json) -> list[str]:
        """The names of an object's values as its type has them; unknown ones last, as they came."""
        field = self.field(pointer)
        known = () if field is None else tuple(field.node.get("properties", ()))
        return [*(name for name in known if name in value), *(n for n in value if n not in known)]

    def title(self, pointer: str, name: str, lang: str) -> str:
        """The field's name in words; of one that nobody knows its own name, spaced."""
        if self.field(pointer) is None:
            return name.replace("_", " ")
        return title(self._key(pointer), lang)

    def help(self, pointer: str, lang: str) -> str:
        """One sentence about the field; "" where no label has one."""
        return "" if self.field(pointer) is None else description(self._key(pointer), lang)

    def choice(self, pointer: str, name: str, around: Json) -> Choice | None:
        """The codes that stand there, given what stands beside it: a grade has its scheme's."""
        field = self.field(pointer)
        if field is None:
            return None
        found = choice_of(field.node)
        if found is not None or not around:
            return found
        above = self.field(pointer.rpartition("/")[0])
        return None if above is None else choice_of(_narrowed(above.node, name, around))

    def _key(self, pointer: str) -> str:
        place = _unnumbered(pointer)
        if place not in self._keys:
            self._keys[place] = label_key(self._schema, place, self._root)
        return self._keys[place]


@functools.lru_cache(maxsize=32)
def places_of(schema: str) -> Places:
    """Of a type that comes with the program, or of one that this program has not."""
    return Places(schema)


def _unnumbered(pointer: str) -> str:
    """The same place of every list's first entry."""
    steps = pointer.split("/")
    return "/".join("0" if step.isascii() and step.isdigit() else step for step in steps)


def _narrowed(node: Json, name: str, around: Json) -> Json:
    """What conditions say of a property besides its own schema, given what stands beside it."""
    found: Json = {}
    for part in (node, *node.get("allOf", ())):
        condition = part.get("if")
        if isinstance(condition, dict) and _holds(condition, around):
            below = part.get("then", {}).get("properties", {}).get(name)
            if isinstance(below, dict):
                found = overlaid(found, below)
    return found


def _holds(condition: Json, around: Json) -> bool:
    """Of conditions that name codes; whatever else one asks for narrows nothing here."""
    if not set(condition) <= {"properties", "required"}:
        return False
    if any(name not in around for name in condition.get("required", ())):
        return False
    for name, node in condition.get("properties", {}).items():
        only = [node["const"]] if "const" in node else node.get("only", node.get("enum"))
        if only is None or around.get(name) not in only:
            return False
    return True
