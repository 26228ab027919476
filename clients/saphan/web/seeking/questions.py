"""What was asked, while the desk is open: addresses name it by a number alone, for browsers keep
addresses, and a name that somebody looks for is not to stand on the disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MOST: Final = 100
"""Questions that one may go back to."""


class Questions:
    """Of one open desk; in the event loop."""

    def __init__(self) -> None:
        self._kept: dict[int, dict[str, str]] = {}
        self._last = 0

    def __repr__(self) -> str:
        return f"<Questions: {len(self._kept)}>"

    def keep(self, given: Mapping[str, str]) -> int:
        """The number of a question; that of the same one before, if it is kept still."""
        asked = dict(given)
        for number, kept in self._kept.items():
            if kept == asked:
                return number
        self._last += 1
        self._kept[self._last] = asked
        if len(self._kept) > MOST:
            del self._kept[min(self._kept)]
        return self._last

    def get(self, number: str) -> Mapping[str, str]:
        """Of an address; empty for one that is not kept any more, or never was."""
        digits = number.isascii() and number.isdigit() and len(number) < 10
        return self._kept.get(int(number), {}) if digits else {}
