"""By whose calendar an answer is owed: the zone and the holidays of the agency that was asked (T6).

Both sides count in the replier's calendar. A zone comes from the settings of this node, else from
the agency's country; what is not known is said beside the time that was counted without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from saphan_schemas.records import Urgency

from saphan.node.policy.calendar import CalendarSettings
from saphan.node.policy.current import Current
from saphan.threads.clock import Due, due_at, end_of, end_of_day, table_time
from saphan.threads.holidays import Holidays
from saphan.threads.words import Asked

Json = dict[str, Any]
UNKNOWN: Final = UTC
"""Of nobody's list of zones: a machine may have none."""


@dataclass(frozen=True, slots=True)
class Running:
    """A clock that runs.

    Args:
        zone: IANA name; `zone_known`: False if it is UTC because no other one is known.
    """

    counted: Due
    zone: str
    zone_known: bool

    @property
    def due(self) -> int:
        """When it ends, ms UTC."""
        return self.counted.moment

    def json(self) -> Json:
        """As the local API has it."""
        basis = self.counted.basis
        return {
            "count": basis.count,
            "unit": basis.unit,
            "lengthened": basis.lengthened,
            "zone": self.zone,
            "zone_known": self.zone_known,
            "holiday_file_missing": self.counted.holiday_file_missing,
        }


class Calendar:
    """Zones and holidays of all agencies, as this node knows them at the moment."""

    def __init__(self, settings: Current) -> None:
        self._settings = settings

    def running(self, accepted: int, urgency: Urgency, asked: Asked, replier: str) -> Running:
        """The clock of one that was asked; `accepted` in ms UTC."""
        zone, holidays = self._of(replier)
        counted = due_at(
            accepted, urgency, asked.availability, asked.within, zone or UNKNOWN, holidays
        )
        return Running(counted, _name(zone), zone is not None)

    def table(self, start: int, situation: str, replier: str) -> Running:
        """The same for one line of the table, from `start` (ms UTC)."""
        zone, holidays = self._of(replier)
        counted = end_of(start, table_time(situation), zone or UNKNOWN, holidays)
        return Running(counted, _name(zone), zone is not None)

    def day_over(self, day: int, replier: str) -> int:
        """When a day (its first instant in UTC, ms) is over where the replier is, ms UTC."""
        zone, _ = self._of(replier)
        return end_of_day(datetime.fromtimestamp(day / 1000, UTC).date(), zone or UNKNOWN)

    def _of(self, replier: str) -> tuple[ZoneInfo | None, Holidays | None]:
        """Its zone, and its country's holidays, as far as this node knows them."""
        settings = self._settings.now.calendar or CalendarSettings()
        return settings.zone(replier), self._settings.holidays.get(replier.partition(".")[0])


def _name(zone: ZoneInfo | None) -> str:
    return "UTC" if zone is None else zone.key
