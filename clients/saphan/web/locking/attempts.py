"""How often a passphrase may be tried at a page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from saphan_schemas.errors import Unavailable
from saphan_schemas.limits import LIMITS, SECOND_MS


@dataclass(slots=True)
class Attempts:
    """Counts wrong ones; after a few, each next one waits longer.

    Whoever tries has the session's cookie already; the wait keeps a person at an unwatched browser
    from trying a list, as Argon2id keeps whoever has the file.

    Args:
        up: ms that the machine was up, by a clock that nobody sets.
    """

    up: Callable[[], int]
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One at a time: each one needs the memory of Argon2id."""
    _wrong: int = 0
    _free_at: int = 0

    def check(self) -> None:
        """Whether one more may be tried now.

        Raises:
            Unavailable: `unlock_wait`.
        """
        wait_ms = self._free_at - self.up()
        if wait_ms > 0:
            seconds = -(-wait_ms // SECOND_MS)
            raise Unavailable(
                "unlock_wait",
                f"{self._wrong} passphrases were wrong; the next one is taken in {seconds} s",
                field="passphrase",
                hint="wait, and check keyboard layout and capitals",
                retry_after_ms=wait_ms,
            )

    def wrong(self) -> None:
        """One was not right."""
        self._wrong += 1
        beyond = self._wrong - LIMITS.unlock_tries
        if beyond >= 0:
            wait_ms = LIMITS.unlock_wait_ms << min(beyond, 16)
            self._free_at = self.up() + min(wait_ms, LIMITS.unlock_wait_max_ms)

    def right(self) -> None:
        """It opened: the next one who locks this page starts afresh."""
        self._wrong = self._free_at = 0
