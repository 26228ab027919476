"""Zones of other agencies and holidays of countries, as this node's keeper has set them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta
from saphan_schemas.errors import SaphanError
from saphan_schemas.limits import LIMITS

from saphan.durable import read_bounded
from saphan.threads.holidays import HOLIDAYS_BYTES, Country, Holidays, parse_holidays
from saphan.zone import read_zone

ZONES: Final = {"la": "Asia/Vientiane", "kh": "Asia/Phnom_Penh"}
"""Of a country with one zone."""

Place = Annotated[str, Meta(pattern=r"\A[a-z]{2}(\.[a-z0-9-]{1,60})?\Z")]
ZoneName = Annotated[str, Meta(max_length=60)]
FileName = Annotated[str, Meta(pattern=r"\A/", max_length=1024)]


class CalendarSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """By whose clock and calendar answers are owed.

    Args:
        zones: IANA zone by country ("th") or agency ("th.oncb"), the agency's before the country's.
        holidays: by country, the absolute path of its holiday file.
    """

    zones: Annotated[dict[Place, ZoneName], Meta(max_length=LIMITS.rules)] = {}
    holidays: Annotated[dict[Country, FileName], Meta(max_length=LIMITS.rules)] = {}

    def zone(self, agency: str) -> ZoneInfo | None:
        """Of an agency; None: nobody has said it."""
        country = agency.partition(".")[0]
        name = self.zones.get(agency) or self.zones.get(country) or ZONES.get(country)
        return None if name is None else read_zone(name)

    def read_holidays(self) -> tuple[dict[str, Holidays], list[SaphanError]]:
        """Every file by its country, and why some cannot be read: then they are missing."""
        found: dict[str, Holidays] = {}
        failed: list[SaphanError] = []
        for country, path in self.holidays.items():
            try:
                data = read_bounded(Path(path), HOLIDAYS_BYTES, "holidays")
                found[country] = parse_holidays(data, country)
            except SaphanError as error:
                failed.append(error)
        return found, failed
