"""What the fields of a bulletin are called: title and description in English, Lao and Khmer.

Files under `labels/` hold `{KEY: {"en": [title, description], "lo": [...], "km": [...], "seen":
[...]}}`. A key is the owner (a type's stem, or the name of a shared type) and the path to the
field below it: `drug_seizure.seized_at.precision`; `keys_of` says which keys a schema needs.
Labels stand outside every digest: correcting one changes no bulletin. A language waits for a
native reader unless it stands in "seen". Own types bring no labels: theirs are the plain names.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from importlib import resources
from typing import Any, Final

from saphan_schemas import bodies
from saphan_schemas.codes import LANGUAGES

Schema = dict[str, Any]

_INSIDE: Final = "#/$defs/"
_JOINS: Final = ("allOf", "anyOf", "oneOf")


def title(key: str, lang: str = "en") -> str:
    """The name of a field, at most 60 characters; of an own type's field, its name in words."""
    found = _labels().get(key)
    return _in(found, lang)[0] if found is not None else _plain(key)


def description(key: str, lang: str = "en") -> str:
    """One plain sentence for whoever fills the field in; empty for an own type's field."""
    found = _labels().get(key)
    return _in(found, lang)[1] if found is not None else ""


def has_label(key: str, lang: str = "en") -> bool:
    """Whether a label file has this key in this language itself."""
    return lang in _labels().get(key, {})


def label_keys() -> frozenset[str]:
    """Every key that the label files have."""
    return frozenset(_labels())


def unreviewed_labels(lang: str) -> tuple[str, ...]:
    """Keys whose text in a language waits for a native reader, sorted."""
    return tuple(
        sorted(
            key
            for key, entry in _labels().items()
            if lang != "en" and lang not in entry.get("seen", ())
        )
    )


def owner_of(name: str) -> str:
    """The first part of a type's keys: its stem, or an own type's whole name (it has no labels)."""
    return name.split("/")[1] if name in bodies.NAMES else name


def label_key(name: str, pointer: str, schema: Schema | None = None) -> str:
    """The key of the field at a JSON pointer of the content map.

    Args:
        name: the type, such as "saphan/drug_seizure/1".
        pointer: such as "/body/substances/0/unit" (gives "substance_quantity.unit").
        schema: the bundle's `schema`, for an own type; else this package's is taken.

    Returns:
        The key of the deepest field that the schema knows on that way: what a pointer says
        beyond it (an unknown field, the language of a text) belongs to that field.
    """
    root = _schema(name) if schema is None else schema
    node, base, key = root, "", owner_of(name)
    for raw in pointer.split("/")[1:]:
        step = raw.replace("~1", "/").replace("~0", "~")
        found = _below(root, node, base, step)
        if found is None:
            return key
        node, base = found
        if base == "body":
            base = owner_of(name)
        key = base
    return key


def keys_of(name: str, schema: Schema | None = None) -> frozenset[str]:
    """Every key that the fields of a type need, its own and those of the shared types it reaches.

    Args:
        name: the type.
        schema: as in `label_key`.
    """
    root = _schema(name) if schema is None else schema
    found: set[str] = set()
    # A schema and the key of the field that it describes; the root describes no field.
    waiting: list[tuple[Schema, str]] = [(root, "")]
    while waiting:
        node, base = waiting.pop()
        for part, owner in _branches(root, node, base):
            if isinstance(part.get("items"), dict):
                waiting.append((part["items"], owner))
            for field, below in part.get("properties", {}).items():
                key = owner_of(name) if (owner, field) == ("", "body") else _joined(owner, field)
                if key not in found:
                    found.add(key)
                    waiting.append((below, key))
    return frozenset(found)


def _below(root: Schema, node: Schema, base: str, step: str) -> tuple[Schema, str] | None:
    """One segment down: the schema there and the key of its field; nothing if there is none."""
    for part, owner in _branches(root, node, base):
        properties = part.get("properties", {})
        if step in properties:
            return properties[step], _joined(owner, step)
        items = part.get("items")
        if isinstance(items, dict) and step.isascii() and step.isdigit():
            return items, owner
    return None


def _branches(root: Schema, node: Schema, base: str) -> Iterator[tuple[Schema, str]]:
    """A schema and everything it refers to or joins, each with the owner of what stands in it."""
    yield node, base
    target = node.get("$ref")
    if isinstance(target, str):
        name = target.removeprefix(_INSIDE)
        yield from _branches(root, root["$defs"][name], name)
    for join in _JOINS:
        for member in node.get(join, ()):
            yield from _branches(root, member, base)


def _joined(base: str, field: str) -> str:
    return f"{base}.{field}" if base else field


def _in(entry: dict[str, Any], lang: str) -> list[str]:
    found: list[str] = entry[lang if lang in LANGUAGES else "en"]
    return found


def _plain(key: str) -> str:
    """ "la.ospp/field_report/1.depth_m" -> "depth m"; of the type itself "field report"."""
    above, _, last = key.rpartition("/")
    word = last.rpartition(".")[2] if "." in last or not above else above.rpartition("/")[2]
    return word.replace("_", " ")


@functools.cache
def _schema(name: str) -> Schema:
    found: Schema = bodies.bundle(name)["schema"]
    return found


@functools.cache
def _labels() -> dict[str, Any]:
    """All files together; two of them with one key would be a bug, found here."""
    merged: dict[str, Any] = {}
    for file in resources.files("saphan_schemas").joinpath("labels").iterdir():
        if file.name.endswith(".json"):
            entries = json.loads(file.read_text(encoding="utf-8"))
            double = merged.keys() & entries.keys()
            if double:
                raise ValueError(f"labels/{file.name}: {sorted(double)} stand in two files")
            merged.update(entries)
    return merged
