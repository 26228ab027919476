"""Breadth first through every state; what is found is the shortest way to it."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from model.world import Move, World

Moves = Callable[[World], Iterator[Move]]
Property = Callable[[World], str]


@dataclass(slots=True)
class Searched:
    """What was reached.

    Args:
        worlds: in the order in which they were found.
        parents: for each one from which it was found first, and by what.
        edges: for each kind of move (from, to) pairs, one after the other.
        broken: what is wrong with the last one; empty if nothing is wrong anywhere.
    """

    worlds: list[World] = field(default_factory=list)
    parents: list[tuple[int, str]] = field(default_factory=list)
    edges: dict[str, array[int]] = field(default_factory=dict)
    broken: str = ""
    moves: int = 0

    def trace(self, place: int | None = None) -> list[str]:
        """The shortest way to a world, in words."""
        place = (len(self.worlds) - 1 if place is None else place) % len(self.worlds)
        said: list[str] = []
        while place > 0:
            place, says = self.parents[place]
            said.append(says)
        return [f"{number:2} {says}" for number, says in enumerate(reversed(said), 1)]


def search(first: World, moves: Moves, broken: Property) -> Searched:
    """Visit every world that can be reached, or stop at the first one that is broken."""
    found = Searched([first], [(0, "")])
    known = {first: 0}
    place = 0
    while place < len(found.worlds):
        for kind, says, world in moves(found.worlds[place]):
            found.moves += 1
            there = known.get(world)
            if there is None:
                there = known[world] = len(found.worlds)
                found.worlds.append(world)
                found.parents.append((place, says))
                found.broken = broken(world)
                if found.broken:
                    return found
            found.edges.setdefault(kind, array("l")).extend((place, there))
        place += 1
    return found


def stuck(found: Searched, kinds: tuple[str, ...], goal: Callable[[World], bool]) -> list[int]:
    """Worlds from which no way by moves of these kinds alone leads to a goal, nearest first."""
    before: list[list[int]] = [[] for _ in found.worlds]
    for kind in kinds:
        pairs = found.edges.get(kind, ())
        for at in range(0, len(pairs), 2):
            before[pairs[at + 1]].append(pairs[at])
    good = [goal(world) for world in found.worlds]
    ready = [place for place, reached in enumerate(good) if reached]
    while ready:
        for place in before[ready.pop()]:
            if not good[place]:
                good[place] = True
                ready.append(place)
    return [place for place, reached in enumerate(good) if not reached]
