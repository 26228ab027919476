"""Words that every page needs: times, and how far a translation may be relied on."""

from __future__ import annotations

from collections.abc import Container
from datetime import UTC, datetime

from saphan_schemas.limits import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from saphan_schemas.messages import text, unreviewed


def stamp(millis: int) -> str:
    """A time to the second, UTC, as people write it; beyond every calendar it stays a number."""
    try:
        return datetime.fromtimestamp(millis // SECOND_MS, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return str(millis)


def day_of(millis: int) -> str:
    """The day of a time, UTC."""
    return stamp(millis)[:10]


def elapsed(millis: int, lang: str) -> str:
    """How much later something was: days if there are any, hours, minutes, seconds; "" at once."""
    if millis < SECOND_MS:
        return ""
    days, rest = divmod(millis, DAY_MS)
    minutes, seconds = divmod(rest // SECOND_MS, 60)
    time = f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
    return text("sheet.days_later", lang, days=days, time=time) if days else f"+ {time}"


def duration(millis: float, lang: str) -> str:
    """How long something takes, in the largest unit that it has a whole one of."""
    units = (("day", DAY_MS), ("hour", HOUR_MS), ("minute", MINUTE_MS))
    unit, size = next((one for one in units if millis >= one[1]), ("second", SECOND_MS))
    return text(f"unit.{unit}", lang, n=f"{millis / size:.3g}")


def translation_notice(lang: str, areas: Container[str]) -> str | None:
    """The warning that no native reader has confirmed the texts; None where they all are.

    Args:
        areas: first parts of the catalogue's keys that the page uses.
    """
    waiting = any(key.partition(".")[0] in areas for key in unreviewed(lang))
    if not waiting:
        return None
    return f"{text('sheet.unreviewed', lang)} {text('sheet.unreviewed')}"
