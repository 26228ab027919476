"""Which worlds are searched: small ones in every run of the tests, larger ones by `make model`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final

from model.broker import broker_moves
from model.losing import losing_moves
from model.nodes import node_moves
from model.properties import broken
from model.search import Searched, search
from model.world import Move, Sizes, World, begin, ordered

SMALL: Final = (
    Sizes("recall", recall=True),
    Sizes("consigned anew", attempts=2, asked=True),
    Sizes("recalled and consigned anew", recall=True, attempts=2, timeless=True),
    Sizes("answers", answers=True, asked=True),
    Sizes("holds", holds=True),
    Sizes("two processes", processes=2, timeless=True),
    Sizes("lost store", losses=True),
)
LARGE: Final = (
    Sizes("recalled, rejected, read", recall=True, answers=True),
    Sizes("rejected, read, consigned anew", asked=True, attempts=2, answers=True),
    Sizes("recall answered", recall=True, taken_back=True, timeless=True),
    Sizes("holds at any time", holds=True, early_holds=True),
    Sizes("longer lines", recall=True, line=2),
    Sizes("two processes and time", processes=2),
    Sizes("two processes and recall", processes=2, recall=True, timeless=True),
    Sizes("two processes, recall and time", processes=2, recall=True),
    Sizes("lost store and recall", losses=True, recall=True, timeless=True),
    Sizes("lost store, consigned anew", losses=True, attempts=2, timeless=True),
)


@cache
def small(sizes: Sizes) -> Searched:
    """`searched`, once for all tests of a process."""
    return searched(sizes)


def searched(sizes: Sizes) -> Searched:
    """Every world of this size, or the way to the first one that is broken."""

    def moves(world: World) -> Iterator[Move]:
        for parts in (broker_moves, node_moves, losing_moves):
            for kind, says, after in parts(world, sizes):
                yield Move(kind, says, ordered(after))

    return search(begin(sizes), moves, broken)
