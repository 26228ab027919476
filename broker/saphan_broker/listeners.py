"""Who wants to know of new heads: one flag per session, set when something was published."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Protocol

from saphan_schemas.limits import LIMITS, SECOND_MS


class Listener:
    """One session's flags; `entries` tells that its agency's corridors have grown."""

    def __init__(self, agency: str) -> None:
        self.agency = agency
        self.changed = asyncio.Event()
        self.entries = True
        self._asked: int | None = None
        self._directory = False

    def ask(self, since: int) -> None:
        """Have a head told that was signed since then (ms), for its witness."""
        self._asked = since
        self.changed.set()

    def take_asked(self) -> int | None:
        """What was asked, once."""
        asked, self._asked = self._asked, None
        return asked

    def show_directory(self) -> None:
        """Have the directory's head told again, for its witness."""
        self._directory = True
        self.changed.set()

    def take_directory(self) -> bool:
        """Whether it is to be told, once."""
        told, self._directory = self._directory, False
        return told

    def wake(self) -> None:
        """Let the pump look again."""
        self.changed.set()


class Elsewhere(Protocol):
    """The sessions of the other processes of this broker."""

    def published(self, agencies: Collection[str] | None) -> None:
        """A head is out; None: its entries may be anyone's."""

    def ask(self, agencies: Collection[str] | None, since: int) -> bool:
        """Ask witnesses to look, None: all; False if no session of these agencies is known."""

    def total(self) -> int:
        """Open sessions, as far as they are known."""


class Listeners:
    """All open sessions by agency; owned by the event loop."""

    def __init__(self) -> None:
        self._by_agency: dict[str, set[Listener]] = defaultdict(set)
        self._directory_time = self._directory_at = 0
        self._evidence_time = self._evidence_at = 0
        self.elsewhere: Elsewhere | None = None
        """Set while this process sequences for others."""

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

    def anybody(self) -> bool:
        """Whether a session is open, at this process or another one."""
        elsewhere = 0 if self.elsewhere is None else self.elsewhere.total()
        return self.total() + elsewhere > 0

    def published(self, agencies: Collection[str]) -> None:
        """A head is out; `agencies` have entries under it that they had not before."""
        self.published_here(agencies)
        if self.elsewhere is not None:
            self.elsewhere.published(agencies)

    def published_here(self, agencies: Iterable[str] | None) -> None:
        """The same for this process's sessions; None: its entries may be anyone's."""
        for agency in list(self._by_agency) if agencies is None else agencies:
            for listener in self._by_agency.get(agency, ()):
                listener.entries = True
        for of_agency in self._by_agency.values():
            for listener in of_agency:
                listener.changed.set()

    def ask(self, agencies: Collection[str], since: int) -> bool:
        """Ask the witnesses of these agencies to look; False if no session of theirs is open."""
        here = self.ask_here(agencies, since)
        return (self.elsewhere is not None and self.elsewhere.ask(agencies, since)) or here

    def ask_here(self, agencies: Iterable[str] | None, since: int) -> bool:
        """The same for this process's sessions; None: everyone's."""
        names = list(self._by_agency) if agencies is None else agencies
        found = [one for agency in names for one in self._by_agency.get(agency, ())]
        for listener in found:
            listener.ask(since)
        return bool(found)

    def show_directory(self, time: int, now: int) -> None:
        """Show the directory head of this time (POSIX seconds) to this process's sessions, once.

        It names no new leaf: sessions are shown it for their witnesses' sake alone. One agency
        asks and everybody's line pays: who asks too soon after another, asks again.

        Args:
            now: ms UTC.
        """
        if time > self._directory_time and abs(now - self._directory_at) >= LIMITS.head_asked_ms:
            self._directory_time, self._directory_at = time, now
            for of_agency in self._by_agency.values():
                for listener in of_agency:
                    listener.show_directory()

    def show_evidence(self, time: int, now: int) -> None:
        """Ask everybody's witness to look at the evidence head of this time, once; bounded as
        `show_directory`: an agency has something due, and no witness has said that its day came.

        Args:
            time: POSIX seconds; now: ms UTC.
        """
        if time > self._evidence_time and abs(now - self._evidence_at) >= LIMITS.head_asked_ms:
            self._evidence_time, self._evidence_at = time, now
            self.ask_everyone(time * SECOND_MS)

    def ask_everyone(self, since: int) -> None:
        """Ask every witness to look."""
        self.ask_here(None, since)
        if self.elsewhere is not None:
            self.elsewhere.ask(None, since)

    def everyone(self) -> None:
        """Heads are out whose entries may be anyone's."""
        self.published_here(None)
        if self.elsewhere is not None:
            self.elsewhere.published(None)
