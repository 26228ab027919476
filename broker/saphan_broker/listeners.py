"""Who wants to know of new heads: one flag per session, set when something was published."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable


class Listener:
    """One session's flags; `entries` tells that its agency's corridors have grown."""

    def __init__(self, agency: str) -> None:
        self.agency = agency
        self.changed = asyncio.Event()
        self.entries = True
        self._asked: int | None = None

    def ask(self, since: int) -> None:
        """Have a head told that was signed since then (ms), for its witness."""
        self._asked = since
        self.changed.set()

    def take_asked(self) -> int | None:
        """What was asked, once."""
        asked, self._asked = self._asked, None
        return asked

    def wake(self) -> None:
        """Let the pump look again."""
        self.changed.set()


class Listeners:
    """All open sessions by agency; owned by the event loop."""

    def __init__(self) -> None:
        self._by_agency: dict[str, set[Listener]] = defaultdict(set)

    def add(self, agency: str) -> Listener:
        """A new listener; it starts with everything to look at."""
        listener = Listener(agency)
        self._by_agency[agency].add(listener)
        return listener

    def remove(self, listener: Listener) -> None:
        """The session has ended."""
        of_agency = self._by_agency[listener.agency]
        of_agency.discard(listener)
        if not of_agency:
            del self._by_agency[listener.agency]

    def count(self, agency: str) -> int:
        """Open sessions of one agency."""
        return len(self._by_agency.get(agency, ()))

    def total(self) -> int:
        """Open sessions."""
        return sum(len(of_agency) for of_agency in self._by_agency.values())

    def published(self, agencies: Iterable[str]) -> None:
        """A head is out; `agencies` have entries under it that they had not before."""
        for agency in agencies:
            for listener in self._by_agency.get(agency, ()):
                listener.entries = True
        for of_agency in self._by_agency.values():
            for listener in of_agency:
                listener.changed.set()

    def ask(self, agencies: Iterable[str], since: int) -> bool:
        """Ask the witnesses of these agencies to look; False if no session of theirs is open."""
        found = [one for agency in agencies for one in self._by_agency.get(agency, ())]
        for listener in found:
            listener.ask(since)
        return bool(found)

    def ask_everyone(self, since: int) -> None:
        """Ask every witness to look."""
        self.ask(list(self._by_agency), since)

    def everyone(self) -> None:
        """Heads are out whose entries may be anyone's."""
        self.published(list(self._by_agency))
