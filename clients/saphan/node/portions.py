"""A frame's worth of what waits to be sent: read from the store, or handed on as it was stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from saphan_schemas.limits import KIB, LIMITS
from saphan_schemas.records import BatchSignature

from saphan.compose import URGENCIES

T = TypeVar("T")

CLASSES: Final = len(URGENCIES)
IMMEDIATE: Final = CLASSES - 1
"""Rows of this class wait for nothing, not even for room on the line."""
SIGNATURE_BYTES: Final = 7 * KIB // 2
"""What a batch signature takes in a frame."""


@dataclass(frozen=True, slots=True)
class Portion(Generic[T]):
    """Items to send in one frame, with the rows they rest in and the signatures they need.

    Attributes:
        urgency: class of its rows when they were looked for.
        more: the look was cut short by its room: more of these may wait.
    """

    rows: list[int]
    items: tuple[T, ...]
    signatures: tuple[BatchSignature, ...]
    urgency: int = 0
    more: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """What a session asks the store for: rows that wait, the most urgent ones first.

    Attributes:
        after: for each class the last row that this session has sent.
        room: bytes that may be sent; one row is taken whatever its size.
        least: no rows of a lower class.
        again: these rows and no others, whatever their class.
    """

    after: tuple[int, ...] = (0,) * CLASSES
    room: int = 1 << 62
    least: int = 0
    again: tuple[int, ...] = ()


class Progress:
    """How far one session has sent the rows of one table."""

    def __init__(self) -> None:
        self.after: tuple[int, ...] = (0,) * CLASSES

    def next_is(self, row: int) -> bool:
        """Whether `row` follows everything sent, if nothing below it waits."""
        return row == max(self.after) + 1

    def passed(self, portion: Portion[T]) -> None:
        """The portion's class was sent up to its last row."""
        after = list(self.after)
        after[portion.urgency] = portion.rows[-1]
        self.after = tuple(after)

    def passed_all(self, row: int) -> None:
        """Everything up to `row` was sent, whatever its class."""
        self.after = (row,) * CLASSES


def portions(items: list[T]) -> Iterator[list[T]]:
    """What one message or one transaction takes at a time."""
    for at in range(0, len(items), LIMITS.frame_items):
        yield items[at : at + LIMITS.frame_items]
