"""What took whose place, as far as it got to those who have the other one (T3, T5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from saphan_protocol.delivery import State

from saphan.node.archive import Archive
from saphan.node.rows.db import Database
from saphan.node.rows.deliveries import REFUSED
from saphan.node.threads.rows import held, named_by, states_of, taken_back, words_of_row
from saphan.threads.rules import Held, may_replace
from saphan.threads.words import REPLACING

Shows = Callable[[bytes], bool]
TAKEN: Final = (State.ACCEPTED.value, State.READ.value)
DEAD: Final = (State.REJECTED.value, State.EXPIRED.value, State.RECALLED.value, REFUSED)
"""Ends of a delivery after which its recipient has nothing to answer, or no answer."""


class Replaced:
    """Of one node; blocking."""

    def __init__(self, agency: str, db: Database, archive: Archive) -> None:
        self._agency = agency
        self._db = db
        self._archive = archive

    def by(
        self, bulletin: bytes, shows: Shows = lambda _: True, at: str | None = None
    ) -> list[bytes]:
        """Bulletins that rightly take its place, in the order in which they came.

        Args:
            at: at this recipient; None: at any. What never got there takes no place there.
        """
        original = held(self._db, bulletin)
        if original is None:
            return []
        found = []
        for other in named_by(self._db, bulletin, REPLACING, original.sender):
            one = held(self._db, other)
            rightly = one is not None and may_replace(one, original)
            if rightly and shows(other) and self.reaches(other, at):
                found.append(other)
        return found

    def reaches(self, bulletin: bytes, recipient: str | None = None) -> bool:
        """T5: whether it got to a recipient (to any), or may yet; what came here has come.

        What its sender has taken back stands nowhere, whoever has it.
        """
        row = self._db.row("SELECT sender FROM bulletins WHERE id = ?", (bulletin,))
        if taken_back(self._db, bulletin):
            return False
        if row is None or row[0] != self._agency:
            return row is not None
        return any(
            state not in DEAD and recipient in (None, to)
            for to, state in states_of(self._db, bulletin).items()
        )

    def held(self, bulletin: bytes) -> Held | None:
        """Who sent it to whom; of our own also what else has to be named with it (T3)."""
        found = held(self._db, bulletin)
        if found is None or found.sender != self._agency:
            return found
        return replace(found, left=self._left(bulletin), newer=self.by(bulletin))

    def _left(self, bulletin: bytes) -> list[tuple[bytes, tuple[str, ...]]]:
        words = words_of_row(self._db, self._archive, bulletin)
        now = states_of(self._db, bulletin)
        left = []
        for one in () if words is None else words.targets(*REPLACING):
            has = (to for to, state in states_of(self._db, one).items() if state not in DEAD)
            behind = tuple(sorted(to for to in has if now.get(to) not in TAKEN))
            if behind:
                left.append((one, behind))
        return left
