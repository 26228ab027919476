"""Days as people write and read them."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Final

from saphan_schemas.errors import InvalidInput

_EPOCH: Final = date(1970, 1, 1)
MOST_DAYS: Final = 100_000
"""From now, at most; a date may be as far as the calendar goes."""


def day_text(day: int) -> str:
    """Days since 1970-01-01 as a date."""
    return (_EPOCH + timedelta(days=day)).isoformat()


def read_day(text: str, field: str, now: int) -> int:
    """A date, or so many days from now (`90d`), as days since 1970-01-01.

    Args:
        now: ms UTC.

    Raises:
        InvalidInput: `day_malformed`.
    """
    today = datetime.fromtimestamp(now / 1000, UTC).date()
    with suppress(ValueError, OverflowError):
        if text.endswith("d") and text[:-1].isascii() and text[:-1].isdecimal():
            day = today + timedelta(days=min(int(text[:-1]), MOST_DAYS))
        else:
            day = date.fromisoformat(text)
        if day >= _EPOCH:
            return (day - _EPOCH).days
    raise InvalidInput(
        "day_malformed",
        f"{text[:40]!r} is no day",
        field=field,
        hint="write a date as 2026-12-31, or days from now as 90d",
    )
