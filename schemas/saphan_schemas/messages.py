"""Texts for people in English, Lao and Khmer, by key; English is complete, the others fall back.

A value is a string, or {"text", "review": true} where a native reader has not yet confirmed it.
Placeholders are plain names in braces. Keys of errors are `error.<code>` (a short title) and
`hint.<code>`; the error's own message says which field and which value.
"""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any, Final

from saphan_schemas.errors import SaphanError

LANGUAGES: Final[tuple[str, ...]] = ("en", "lo", "km")
"""Languages of the catalogue; the first one is complete."""


def text(key: str, /, lang: str = "en", **values: object) -> str:
    """The text of a key with its placeholders filled in.

    Args:
        key: such as "event.handover".
        lang: one of `LANGUAGES`; any other, or a missing text, gives English.
        values: one value for each placeholder.

    Raises:
        KeyError: unknown key or missing value; a bug, not an input error.
    """
    found = _catalogue(lang).get(key) if lang in LANGUAGES else None
    return (found if found is not None else _catalogue("en")[key]).format_map(values)


def has_text(key: str, lang: str = "en") -> bool:
    """Whether the catalogue of a language has this key itself."""
    return lang in LANGUAGES and key in _catalogue(lang)


def type_key(schema: str) -> str | None:
    """Key of a type's name in words; None for an agency's own, however alike its name ends, and for
    one that this program does not know.

    Args:
        schema: such as "saphan/drug_seizure/1".
    """
    owner, _, rest = schema.partition("/")
    key = f"type.{rest.partition('/')[0]}"
    return key if owner == "saphan" and has_text(key) else None


def known_keys(lang: str = "en") -> frozenset[str]:
    """Every key of one language's catalogue."""
    return frozenset(_catalogue(lang))


def unreviewed(lang: str) -> tuple[str, ...]:
    """Keys whose text waits for a native reader, sorted."""
    return tuple(sorted(key for key, value in _read(lang).items() if isinstance(value, dict)))


def error_title(error: SaphanError, lang: str = "en") -> str:
    """The short title of an error, or its code in plain words where the catalogue has none."""
    key = f"error.{error.code}"
    return text(key, lang) if has_text(key) else error.code.replace("_", " ")


def error_hint(error: SaphanError, lang: str = "en") -> str | None:
    """What to do next: the error's own hint, else the catalogue's, else nothing."""
    key = f"hint.{error.code}"
    if lang != "en" and has_text(key, lang):
        return text(key, lang)
    if error.hint is not None:
        return error.hint
    return text(key, lang) if has_text(key) else None


@functools.cache
def _catalogue(lang: str) -> dict[str, str]:
    return {
        key: value["text"] if isinstance(value, dict) else value
        for key, value in _read(lang).items()
    }


def _read(lang: str) -> dict[str, Any]:
    """Every text of a language: the catalogue, and those of the officer's page, area by area."""
    folder = resources.files("saphan_schemas").joinpath("messages")
    loaded: dict[str, Any] = json.loads(folder.joinpath(f"{lang}.json").read_text(encoding="utf-8"))
    for one in folder.joinpath("page").iterdir():
        if one.name.endswith(f".{lang}.json"):
            loaded |= json.loads(one.read_text(encoding="utf-8"))
    return loaded
