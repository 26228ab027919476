"""What of a shelf was written since somebody looked, whichever program has written it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class WrittenRow(NamedTuple):
    """A row; `mark` is of one writing only, `number` stays the row's while it is there."""

    number: int
    mark: bytes
    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows written since, and the numbers of those that are gone."""

    written: list[WrittenRow]
    gone: list[int]
