"""Which of a broker's logs a command reads: the present one, or one that ended, by its number.

A log that was lost or left behind stays as it was set aside (`succession.setting_aside`): with
SQLite a data directory of its own under DATA/ended, on a server under keys of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saphan_protocol.pins import Pins, numbered, origin_number
from saphan_schemas.errors import InvalidInput
from saphan_schemas.succession_frames import Step

from saphan_broker.opening import StoreChoice
from saphan_broker.succession.setting_aside import ended_place

FIRST_DIRECTORY: Final = 1
"""Number of the directory log that `init` makes."""


@dataclass(frozen=True, slots=True)
class LogAsked:
    """Where a log lies, and the pins it is read by; `ended`: another one has followed it."""

    data: Path
    choice: StoreChoice
    pins: Pins
    ended: bool


def log_asked(
    data: Path, choice: StoreChoice, pins: Pins, chain: Iterable[Step], number: int | None
) -> LogAsked:
    """The log with this number, None: the present one.

    Args:
        pins: the present ones; chain: every succession so far, which tells the directory's number.

    Raises:
        InvalidInput: `log_unknown`.
    """
    present = origin_number(pins.evidence.origin)[1]
    if number is None or number == present:
        return LogAsked(data, choice.of(pins), pins, ended=False)
    if number > present:
        raise InvalidInput(
            "log_unknown",
            f"{pins.name} has {present} logs, and none with the number {number}",
            field="log",
            hint="leave out --log for the present one",
        )
    beside = FIRST_DIRECTORY
    for step in chain:
        if origin_number(step.evidence)[1] <= number:
            beside = origin_number(step.directory)[1]
    old = Pins(
        name=pins.name,
        directory=numbered(pins.directory, beside),
        evidence=numbered(pins.evidence, number),
    )
    place = data if choice.shared else ended_place(data, str(number))
    return LogAsked(place, choice.of(old), old, ended=True)
