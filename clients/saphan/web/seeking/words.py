"""Words of lists that several rooms have in common."""

from __future__ import annotations

from saphan_schemas.messages import text, type_key


def type_words(schema: str, lang: str) -> str:
    """A type's name in words; of an agency's own its name as it is."""
    key = type_key(schema)
    return schema if key is None else text(key, lang)
