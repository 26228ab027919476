"""The clock of one party: a file that its processes add to the machine's time of day."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Final

from support.rooms import ROOT

SKEW: Final = Path(__file__).with_name("skew")
"""Folder whose `sitecustomize` every process of a party loads."""


PATHS: Final = (
    SKEW,
    *(ROOT / room for room in ("schemas", "protocol", "broker", "clients", "tests")),
)


class Clock:
    """How far one party's clock is ahead; right at first."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.write_bytes(bytes(8))

    def set_ahead(self, ms: int) -> None:
        """The party's processes see it at their next look; nobody is told."""
        # In place: they have the file mapped.
        with self._file.open("r+b") as file:
            file.write(struct.pack("<q", ms * 1_000_000))

    def environment(self) -> dict[str, str]:
        """Variables of the party's processes, and of the processes that these start."""
        path = os.pathsep.join(map(str, (*PATHS, ROOT)))
        return {**os.environ, "PYTHONPATH": path, "CHAOS_CLOCK": str(self._file)}
