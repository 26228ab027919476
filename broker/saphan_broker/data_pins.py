"""The public pin file in a data directory: it tells whose data that is, where no keys are given."""

from __future__ import annotations

from pathlib import Path

from saphan_protocol.pins import Pins
from saphan_schemas.errors import InvalidInput, OperatorError

from saphan_broker.keys import read_pins, write_pins
from saphan_broker.serving_keys import PINS_NAME


def keep_pins(data: Path, pins: Pins) -> None:
    """Write the pin file where `init` did not: the directory of another process, or host."""
    path = data / PINS_NAME
    if not path.exists():
        write_pins(path, pins)


def known_pins(data: Path) -> Pins:
    """The pins of the broker whose data directory this is.

    Raises:
        OperatorError: `pins_missing`.
    """
    path = data / PINS_NAME
    try:
        return read_pins(path)
    except (FileNotFoundError, InvalidInput) as error:
        raise OperatorError(
            "pins_missing",
            f"{path} does not say whose data this is: {error}",
            field="data",
            hint="name the data directory of a broker that has run, with its pins.json",
        ) from None
