"""The settings in force: read at the start, and again when the node is told to."""

from __future__ import annotations

from pathlib import Path

from saphan_schemas.errors import SaphanError
from saphan_schemas.records import Header

from saphan.node.alarms import Alarms
from saphan.node.policy.settings import NodeSettings, read_settings
from saphan.threads.holidays import Holidays

CODES = (
    "settings_malformed", "settings_exposed", "address_malformed", "file_unreadable",
    "holidays_malformed", "file_missing",
)  # fmt: skip
"""Alarms that a good file ends."""


class Current:
    """One node's settings; `now` may be read from any thread.

    Raises:
        SaphanError: what `read_settings` raises: a node does not start on half a file.
    """

    def __init__(self, path: Path, alarms: Alarms) -> None:
        self._path = path
        self._alarms = alarms
        self.now: NodeSettings = read_settings(path)
        self.holidays: dict[str, Holidays] = {}
        self._read_holidays()

    def needs_two(self, header: Header) -> bool:
        """Whether such a bulletin leaves with the signatures of two officers only."""
        return self.now.two.needed(header)

    def reread(self) -> None:
        """Take the file as it is now; one that is damaged changes nothing and sounds an alarm."""
        try:
            self.now = read_settings(self._path)
        except SaphanError as error:
            self._alarms.sound(error)
            return
        for code in CODES:
            self._alarms.clear(code)
        self._read_holidays()

    def _read_holidays(self) -> None:
        """A file that cannot be read is missing: answers are counted without it, and say so."""
        if self.now.calendar is None:
            self.holidays = {}
            return
        self.holidays, failed = self.now.calendar.read_holidays()
        for error in failed:
            self._alarms.sound(error)
