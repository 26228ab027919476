"""Words that every page needs: times, and how far a translation may be relied on."""

from __future__ import annotations

from collections.abc import Container
from datetime import UTC, datetime
from typing import Final

from saphan_schemas.limits import DAY_MS
from saphan_schemas.messages import text, unreviewed

SECOND_MS: Final = 1_000


def stamp(millis: int) -> str:
    """A time to the second, UTC, in the form of ISO 8601 that people read."""
    return datetime.fromtimestamp(millis // SECOND_MS, UTC).strftime("%Y-%m-%d %H:%M:%S")


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


def translation_notice(lang: str, areas: Container[str]) -> str | None:
    """The warning that no native reader has confirmed the texts; None where they all are.

    Args:
        areas: first parts of the catalogue's keys that the page uses.
    """
    waiting = any(key.partition(".")[0] in areas for key in unreviewed(lang))
    if not waiting:
        return None
    return f"{text('sheet.unreviewed', lang)} {text('sheet.unreviewed')}"
