"""What an officer looks for: words, each of which is to be found, and filters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from saphan.folding.code_words import codes_called
from saphan.folding.packing import pack
from saphan.folding.phones import phone_forms
from saphan.folding.searching import asked_words, sound

LONGEST = 200
"""Characters of a question that are looked at."""
ID_DIGITS = 8
"""Digits from which the beginning of a bulletin's id is one."""


@dataclass(frozen=True, slots=True)
class Group:
    """Words that stand for one thing.

    Args:
        words: packed; all of them are in what is found.
        codes: that are called so in some language, with a space around each.
        sound: of a word that may be a romanised name; phones: other forms of a long number.
    """

    words: tuple[str, ...]
    codes: tuple[str, ...] = ()
    sound: str = ""
    phones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filters:
    """What else is asked for; "" and None: whatever it is.

    Args:
        where: of `entries.SOURCES`; agency: at the other end; since, until: ms UTC, until excluded.
    """

    where: str = ""
    schema: str = ""
    agency: str = ""
    urgency: str = ""
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A question: its words folded, its filters.

    Args:
        words: search keys, for showing where they stand; id: the beginning of one, or "".
    """

    words: tuple[str, ...]
    groups: tuple[Group, ...]
    id: str
    filters: Filters

    @property
    def empty(self) -> bool:
        """Whether nothing is asked for."""
        return not self.groups and self.filters == Filters()


def question(text: str, filters: Filters | None = None) -> Question:
    """Of what was typed, in any script."""
    asked = text[:LONGEST]
    words = asked_words(asked)
    return Question(tuple(words), tuple(_groups(words)), _id(asked), filters or Filters())


def _groups(words: list[str]) -> Iterator[Group]:
    for number, run in groupby(words, lambda word: word.isascii() and word.isdigit()):
        if number:
            digits = list(run)
            yield Group(tuple(digits), phones=phone_forms("".join(digits)))
        else:
            for word in run:
                codes = tuple(f" {code} " for code in codes_called(word))
                yield Group((pack(word),), codes, sound(word))


def _id(text: str) -> str:
    digits = text.strip().lower()
    plain = digits.isascii() and digits.isalnum() and not digits.strip("0123456789abcdef")
    return digits if plain and ID_DIGITS <= len(digits) <= 64 else ""
