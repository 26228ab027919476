"""Under which heads a bundle shows its leaves: few notes, all linked, each leaf's time bounded.

An entry stays under the head that it rests under if witnesses vouch for that one: the earlier the
head, the closer it bounds the entry's time. What is not witnessed yet goes under the newest head. A
note takes some 10 KB, so heads that are closest in time are put together when there are many.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import Path

from saphan.node.proving.chain import Chain

MOST_HEADS: Final = 6
"""Notes of evidence heads in one bundle, if every leaf can be moved under one of them."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A leaf's place: its inclusion path, and the size of the head under which it leads."""

    index: int
    head: int
    path: Path


@dataclass(frozen=True, slots=True)
class Note:
    """A kept head of the evidence log; `link` leads from the one shown before it."""

    size: int
    note: bytes
    link: Path


class Placing:
    """The kept evidence heads of one snapshot, and how they follow on each other."""

    def __init__(self, db: sqlite3.Connection, origin: str) -> None:
        self._db = db
        self._origin = origin
        self._chain = Chain(lambda query, values: db.execute(query, values).fetchall(), origin)
        self._times: dict[int, int] = dict(
            db.execute("SELECT size, time FROM heads WHERE origin = ?", (origin,))
        )

    def settle(self, leaves: Iterable[Placed], unwitnessed: set[int]) -> dict[int, Placed]:
        """A place for each entry, by index; what stays under a lost head has none.

        Args:
            leaves: entries as they rest; unwitnessed: those under heads that no policy takes.
        """
        newest = max(self._times, default=0)
        found: dict[int, Placed] = {}
        for leaf in leaves:
            place = self._moved(leaf, newest) if leaf.index in unwitnessed else leaf
            if place.head in self._times:
                found[leaf.index] = place
        for old, new in self._put_together({place.head for place in found.values()}):
            for index, place in found.items():
                if place.head == old:
                    found[index] = self._moved(place, new)
        return found

    def fit(self, leaf: Placed, heads: Iterable[int]) -> Placed | None:
        """An anchor's place: under one of these heads if it can be; None if its head is lost."""
        newest = max(self._times, default=0)
        for head in (*sorted(head for head in heads if head > leaf.index), newest):
            place = self._moved(leaf, head)
            if place.head == head:
                return place
        return leaf if leaf.head in self._times else None

    def notes(self, sizes: Iterable[int]) -> list[Note]:
        """The heads of these sizes, each linked with the one before where the store can."""
        found: list[Note] = []
        for size in sorted(set(sizes)):
            (note,) = self._db.execute(
                "SELECT note FROM heads WHERE origin = ? AND size = ?", (self._origin, size)
            ).fetchone()
            step = self._chain.step(found[-1].size, size) if found else None
            found.append(Note(size, note, () if step is None else step.path))
        return found

    def _moved(self, leaf: Placed, to: int) -> Placed:
        """The leaf under another head; as it is, where the chain between them is broken."""
        if leaf.head == to:
            return leaf
        try:
            path = self._chain.moved(leaf.index, leaf.path, leaf.head, to)
        except InvalidInput:  # a damaged path is shown as it is: the verifier says so
            path = None
        return leaf if path is None else Placed(leaf.index, to, path)

    def _put_together(self, heads: set[int]) -> list[tuple[int, int]]:
        """(old, new): which heads give way to the next one, those closest in time first."""
        kept, moves = sorted(heads), []
        while len(kept) > MOST_HEADS:
            gaps = [self._times[b] - self._times[a] for a, b in pairwise(kept)]
            place = gaps.index(min(gaps))
            moves.append((kept[place], kept[place + 1]))
            del kept[place]
        return moves
