"""Commands as counted words: how a script is handed many of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from saphan_broker.store.redis.line import Argument

SLICE: Final = 2_000
"""Pairs in one command."""
WORDS: Final = 7_000
"""In one command: Lua hands over at most some 8,000, and a script that ends in the middle has no
way back."""

Words = list[Argument]


def add(words: Words, *command: Argument) -> None:
    """One command."""
    if len(command) > WORDS:
        raise RuntimeError(f"commit: a command of {len(command)} words")
    words.append(len(command))
    words += command


def add_pairs(
    words: Words, name: str, key: bytes, pairs: Iterable[tuple[Argument, Argument]]
) -> None:
    """One command for many pairs, or a few where there are very many; none for none."""
    for some in slices(iter(pairs)):
        add(words, name, key, *[word for pair in some for word in pair])


def slices(
    pairs: Iterator[tuple[Argument, Argument]],
) -> Iterator[list[tuple[Argument, Argument]]]:
    while some := list(islice(pairs, SLICE)):
        yield some


def add_some(words: Words, name: str, key: bytes, members: Iterable[Argument]) -> None:
    """One command for many members, or a few; none for none."""
    left = iter(members)
    while some := list(islice(left, SLICE)):
        add(words, name, key, *some)
