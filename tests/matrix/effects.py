"""Effects as they happen, each of which can be made to fail once, or to be the last one.

An effect is whatever a party leaves outside its own memory: a transaction of its store, a file put
in place of another, a frame on the wire. It has a name of its own: who does it, and what it is.
Of a transaction at a node or a desk that is the function which opens it, so a transaction that
somebody adds tomorrow has a name that no row of the table knows.
"""

from __future__ import annotations

import asyncio
import enum
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple


class Fault(enum.StrEnum):
    """What happens at an effect. After a crash nothing that this party does has any effect, until
    it is started anew from what is on its disk."""

    NOT_DONE = "not done"
    DONE = "done, reported failed"
    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"


CRASHES = frozenset({Fault.CRASH_BEFORE, Fault.CRASH_AFTER})


class Effect(NamedTuple):
    """Who does it, and what."""

    whose: str
    what: str

    def __str__(self) -> str:
        return f"{self.whose}: {self.what}"


@dataclass
class Effects:
    """Counts effects; the next one of a name fails if it is told to.

    Seams call `enter` before and `leave` after each effect; several effects may be one act (a
    commit of two events), and then fail together.

    Attributes:
        seen: how often each effect happened since `watch`.
        dead: parties that have crashed.
        hit: an effect failed as it was told.
        crashed: how many crashes there were.
        spoiled: so many of the next stanzas that nodes seal do not open.
        heads: whatever the broker has signed, and whatever has left it.
        about: what the broker has committed to each log and not signed yet.
    """

    seen: Counter[Effect] = field(default_factory=Counter)
    dead: set[str] = field(default_factory=set)
    hit: bool = False
    crashed: int = 0
    spoiled: int = 0
    heads: set[bytes] = field(default_factory=set)
    about: dict[str, list[str]] = field(default_factory=dict)
    _wanted: tuple[Effect, Fault] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def watch(self) -> None:
        """Forget what was seen; nothing fails."""
        with self._lock:
            self.seen.clear()
            self._wanted, self.hit = None, False

    def fail(self, effect: Effect, fault: Fault) -> None:
        """The next effect of this name fails so, once."""
        with self._lock:
            self._wanted, self.hit = (effect, fault), False

    def revive(self, whose: str) -> None:
        """The party is started anew."""
        self.dead.discard(whose)

    def enter(self, effects: list[Effect], error: Callable[[], BaseException]) -> bool:
        """An act begins: True if it is to be done and then reported failed.

        Raises:
            What `error` makes: it is not done.
        """
        with self._lock:
            fault = self._judge(effects)
        if fault is Fault.NOT_DONE:
            raise error()
        return fault is Fault.DONE

    def _judge(self, effects: list[Effect]) -> Fault | None:
        if not effects:
            return None
        if effects[0].whose in self.dead:
            return Fault.NOT_DONE
        self.seen.update(effects)
        if self._wanted is None or self._wanted[0] not in effects:
            return None
        (effect, fault), self._wanted, self.hit = self._wanted, None, True
        if fault in CRASHES:
            self.dead.add(effect.whose)
            self.crashed += 1
        # What nobody lives to hear was done, or was not.
        return Fault.NOT_DONE if fault in (Fault.NOT_DONE, Fault.CRASH_BEFORE) else Fault.DONE


async def quiet(effects: Effects) -> None:
    """Until nothing has had an effect for a moment: what is late belongs to what was before.

    A moment too short would blame an effect on the next run, where it is seen as well.
    """
    while True:
        before = effects.seen.total()
        await asyncio.sleep(0.05)
        if effects.seen.total() == before:
            return
