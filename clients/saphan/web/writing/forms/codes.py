"""Codes as people see, type and search them: by their words in any language and script.

A code stands in its field as its word, with the code beside it where the word alone would not say
which one. What is typed there is the same word in any language, the code, or as much of a word as
only one code has.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

from saphan_schemas.codes import LANGUAGES, code_lists, codes
from saphan_schemas.fields import Choice

from saphan.folding.searching import search_key

MOST_FOUND: Final = 20
"""Codes that one search shows; more are typed for."""
MOST_TYPED: Final = 200
"""Characters of a search; no word of a code is longer."""
LONGEST_KNOWN: Final = 12
"""Characters of a code that anybody knows by heart."""
_EXACT, _BEGINS, _WORD_BEGINS, _HOLDS = range(4)


@dataclass(frozen=True, slots=True)
class Found:
    """A code that a search has found.

    Args:
        text: what its field shows once it is chosen; beside: its word in another language, where
            that is what was found, or "".
    """

    code: str
    text: str
    beside: str


def whole_list(name: str) -> Choice | None:
    """All codes of a list, or None where there is no such list."""
    return Choice(name, codes(name)) if name in code_lists() else None


def shown(choice: Choice, code: str, lang: str) -> str:
    """A code as its field shows it."""
    return _shown(choice.listed, choice.codes, lang).get(code, code)


def meant(choice: Choice, typed: str, *, free: bool = False) -> str | None:
    """The code that somebody means, or None.

    Args:
        free: other texts may stand there too; then a beginning means nothing.
    """
    wanted = typed.strip()
    if wanted in choice.codes:
        return wanted
    key = search_key(wanted[:MOST_TYPED])
    if not key:
        return None
    found = _spoken(choice.listed, choice.codes).get(key)
    if found is not None or free:
        return found
    begun = [code for rank, code, _ in _ranked(choice, key) if rank <= _WORD_BEGINS]
    return begun[0] if len(begun) == 1 else None


def search(choice: Choice, typed: str, lang: str) -> list[Found]:
    """Codes of which the code or a word in any language fits, best first; all of them in the
    list's order where nothing was typed."""
    key = search_key(typed.strip()[:MOST_TYPED])
    if not key:
        return [Found(code, shown(choice, code, lang), "") for code in choice.codes[:MOST_FOUND]]
    ranked = sorted(_ranked(choice, key), key=lambda one: one[0])  # stable: the list's order
    return [_found(choice, code, word, lang) for _, code, word in ranked[:MOST_FOUND]]


def _found(choice: Choice, code: str, word: str, lang: str) -> Found:
    text = shown(choice, code, lang)
    return Found(code, text, "" if word in (code, choice.label(code, lang)) else word)


def _ranked(choice: Choice, key: str) -> list[tuple[int, str, str]]:
    """(how well it fits, code, the word that fits) of every code that does."""
    found = []
    for code, folded in _keys(choice.listed, choice.codes).items():
        ranks = [(_rank(one, key), word) for one, word in folded]
        fitting = [one for one in ranks if one[0] is not None]
        if fitting:
            rank, word = min(fitting, key=lambda one: one[0] or 0)
            found.append((rank or 0, code, word))
    return found


def _rank(folded: str, key: str) -> int | None:
    at = folded.find(key)
    if at < 0:
        return None
    if at == 0:
        return _EXACT if folded == key else _BEGINS
    return _WORD_BEGINS if folded[at - 1] == " " else _HOLDS


@functools.lru_cache(maxsize=256)
def _keys(listed: str, known: tuple[str, ...]) -> dict[str, tuple[tuple[str, str], ...]]:
    """Of each code, its folded names with the names themselves: the code, then its words."""
    choice = Choice(listed, known)
    return {
        code: tuple((search_key(name), name) for name in (*choice.labels(code), code))
        for code in known
    }


@functools.lru_cache(maxsize=256)
def _shown(listed: str, known: tuple[str, ...], lang: str) -> dict[str, str]:
    choice = Choice(listed, known)
    words = {code: choice.label(code, lang) for code in known}
    often = list(words.values())
    return {
        code: f"{word} ({code})" if often.count(word) > 1 or _says_more(code, word) else word
        for code, word in words.items()
    }


def _says_more(code: str, word: str) -> bool:
    """Whether officers know the code itself, as KH or KGM, and its word does not begin with it."""
    known = not code.islower() and len(code) <= LONGEST_KNOWN
    return known and not word.startswith(code)


@functools.lru_cache(maxsize=256)
def _spoken(listed: str, known: tuple[str, ...]) -> dict[str, str]:
    """Folded whole names of codes in every language that mean one code only."""
    choice = Choice(listed, known)
    meant_by: dict[str, set[str]] = {}
    for code in known:
        names = [code, *choice.labels(code)]
        names += [_shown(listed, known, lang)[code] for lang in LANGUAGES]
        for name in names:
            meant_by.setdefault(search_key(name), set()).add(code)
    return {key: next(iter(means)) for key, means in meant_by.items() if len(means) == 1}
