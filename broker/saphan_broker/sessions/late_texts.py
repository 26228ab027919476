"""Texts that came after their leaves: a successor has the leaves first, its parties bring the rest.

A node that had the leaf before the text would judge what is sent under that agreement without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from saphan_broker.state import State

AT_ONCE: Final = 16
"""Texts of one frame."""


class Texts:
    """Which of its agency's texts one session's node has.

    Args:
        held: directory leaves whose texts it has, as far as this broker had them when the session
            began; 0 for a node that is new to this log.
    """

    def __init__(self, state: State, agency: str, held: int) -> None:
        self._state = state
        self._agency = agency
        self._told = set(state.directory.packages(agency, 0, held))
        self._looked = -1

    def told(self, indices: Iterable[int]) -> None:
        """These have been sent beside their leaves."""
        self._told.update(indices)

    def fresh(self, size: int) -> Iterator[tuple[bytes, ...]]:
        """Texts of the first `size` leaves that the node does not have, some at a time."""
        if self._looked == self._state.texts_brought:
            return
        self._looked = self._state.texts_brought
        own = self._state.directory.packages(self._agency, 0, size)
        late = [index for index in own if index not in self._told]
        for at in range(0, len(late), AT_ONCE):
            some = late[at : at + AT_ONCE]
            self._told.update(some)
            yield tuple(own[index] for index in some)
