"""Codes by what they are called: who looks for a word in one language finds the code in all."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Final

from saphan_schemas.codes import LANGUAGES, code_label, code_lists, codes

from saphan.folding.searching import search_key

FEWEST: Final = 3
"""Letters of a word that is looked up: shorter ones are in half of all names."""


def is_code(value: str) -> bool:
    """Whether a value is a code of some list; one letter or digit may be anything."""
    return len(value) > 1 and value in _known()


@lru_cache(maxsize=256)
def codes_called(word: str) -> frozenset[str]:
    """Codes in whose name, in some language, a word is; it is a search key."""
    if len(word) < FEWEST:
        return frozenset()
    return frozenset(code for key, code in _names() if _is_in(word, key) and is_code(code))


def called(code: str, lang: str) -> tuple[str, ...]:
    """What a code is called, in the lists that have it; each name once."""
    lists = _known().get(code, ())
    return tuple(dict.fromkeys(code_label(name, code, lang) for name in lists))


def name_with(code: str, word: str, langs: tuple[str, ...]) -> tuple[str, str] | None:
    """A name of a code in which a search key is, and its language; the first of `langs` that has
    one."""
    for lang in langs:
        for name in called(code, lang):
            if _is_in(word, search_key(name)):
                return name, lang
    return None


def _is_in(word: str, key: str) -> bool:
    """Latin words from their beginning; Lao and Khmer show none."""
    return f" {word}" in f" {key}" if word.isascii() else word in key


@cache
def _known() -> dict[str, tuple[str, ...]]:
    """The lists that have each code."""
    found: dict[str, list[str]] = {}
    for name in code_lists():
        for code in codes(name):
            found.setdefault(code, []).append(name)
    return {code: tuple(names) for code, names in found.items()}


@cache
def _names() -> tuple[tuple[str, str], ...]:
    pairs = {
        (search_key(label), code)
        for code in _known()
        for lang in LANGUAGES
        for label in called(code, lang)
    }
    return tuple(sorted(pairs))
