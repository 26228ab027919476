"""Alarms: what an operator must see while the broker goes on, or has stopped, by stable code."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from saphan_schemas.errors import SaphanError

_log = logging.getLogger("saphan.broker")


@dataclass(frozen=True, slots=True)
class Alarm:
    """One active alarm; `stops` tells that nothing is sequenced while it lasts."""

    code: str
    message: str
    stops: bool


class Alarms:
    """The active alarms. Owned by the event loop; every change is logged once."""

    def __init__(self) -> None:
        self._active: dict[str, Alarm] = {}
        self.raised_total = 0

    def sound(self, code: str, message: str, *, stops: bool = False) -> None:
        """Raise an alarm, or renew its text; while it is active it is not logged again."""
        alarm, before = Alarm(code, message, stops), self._active.get(code)
        self._active[code] = alarm
        if before is None or before.stops != stops:  # texts hold times and counts: they change
            self.raised_total += 1
            _log.error("alarm %s: %s", code, message)

    def sound_error(self, error: SaphanError, *, stops: bool = False) -> None:
        """The same, from an error; its hint is part of the text."""
        hint = f"; {error.hint}" if error.hint else ""
        self.sound(error.code, f"{error.message}{hint}", stops=stops)

    def clear(self, code: str) -> None:
        """End an alarm; nothing happens if it is not active."""
        if self._active.pop(code, None) is not None:
            _log.warning("alarm %s is over", code)

    def active(self) -> list[Alarm]:
        """Active alarms, oldest first."""
        return list(self._active.values())


class Complaint:
    """At most one alarm: what the last look of somebody who looks again and again has found."""

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms
        self._code: str | None = None

    def about(self, error: SaphanError | None) -> None:
        """Nothing is sequenced because of this; None: what was said before is over."""
        before, self._code = self._code, None if error is None else error.code
        if before is not None and before != self._code:
            self._alarms.clear(before)
        if error is not None:
            self._alarms.sound_error(error, stops=True)
