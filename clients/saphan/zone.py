"""A zone of this machine's table, by its IANA name."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

NAME_CHARACTERS: Final = 64
"""IANA's longest name has 32. Where the machine has no table a name is looked for as a package in a
package for each of its slashes: a thousand of them are deeper than Python goes."""


def read_zone(name: str) -> ZoneInfo | None:
    """The zone; None if this machine's table does not have it."""
    if len(name) > NAME_CHARACTERS:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
