"""Holidays of a country, from a dated file that somebody there answers for; none is shipped.

{"saphan": "holidays/1", "country": "kh", "dated": "2026-01-05", "source": "Sub-decree 200",
 "from": "2026-01-01", "to": "2026-12-31", "days": ["2026-01-01", "2026-04-14"]}

It says nothing about days before `from` and after `to`: time that is counted beyond them is counted
without a holiday file, and that is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta
from saphan_schemas.errors import InvalidInput
from saphan_schemas.strict_json import parse_json

HOLIDAYS_BYTES: Final = 64 * 1024
"""Ten years of a country with some thirty holidays."""
MOST_DAYS: Final = 1_000

Country = Annotated[str, Meta(pattern=r"\A[a-z]{2}\Z")]
DayText = Annotated[str, Meta(pattern=r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]


@dataclass(frozen=True, slots=True)
class Holidays:
    """Days off besides Saturdays and Sundays, known from `first` to `last`."""

    country: str
    dated: date
    source: str
    first: date
    last: date
    days: frozenset[date]

    def covers(self, day: date) -> bool:
        """Whether the file speaks of this day."""
        return self.first <= day <= self.last


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"first": "from"}):
    saphan: Literal["holidays/1"]
    country: Country
    dated: DayText
    source: Annotated[str, Meta(min_length=1, max_length=200)]
    first: DayText
    to: DayText
    days: Annotated[tuple[DayText, ...], Meta(max_length=MOST_DAYS)]


def parse_holidays(data: bytes, country: str) -> Holidays:
    """The holidays of a country (two small letters), from the bytes of its file.

    Raises:
        InvalidInput: `holidays_malformed`: also for another country's, for days out of order or
            outside the time that the file speaks of, and for a time that ends before it begins.
    """
    try:
        if len(data) > HOLIDAYS_BYTES:
            raise ValueError(f"more than {HOLIDAYS_BYTES} bytes")
        found = parse_json(_File, data)
        first, last = date.fromisoformat(found.first), date.fromisoformat(found.to)
        days = [date.fromisoformat(day) for day in found.days]
        dated = date.fromisoformat(found.dated)
    except ValueError as error:  # msgspec's errors and UnicodeDecodeError are ValueErrors
        raise _malformed(country, str(error)) from None
    if found.country != country:
        raise _malformed(country, f"it is the file of {found.country}")
    if last < first:
        raise _malformed(country, "its `to` is before its `from`")
    if days != sorted(set(days)) or any(not first <= day <= last for day in days):
        raise _malformed(country, "its days are not in order, or not between `from` and `to`")
    return Holidays(country, dated, found.source, first, last, frozenset(days))


def _malformed(country: str, why: str) -> InvalidInput:
    return InvalidInput(
        "holidays_malformed",
        f"the holiday file of {country} does not parse: {why}",
        field="holidays",
        hint="docs/node-settings.md has an example",
    )
