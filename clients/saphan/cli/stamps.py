"""Times and labels as they stand on a terminal."""

from __future__ import annotations

from datetime import UTC, datetime

from saphan_schemas.width import fit

from saphan.cli.speech import say
from saphan.zone import read_zone

LABEL_CELLS = 14


def stamp(millis: int) -> str:
    """A time as people write it, UTC."""
    return datetime.fromtimestamp(millis / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def stamp_in(millis: int, zone: str) -> str:
    """A time in a zone, which is named; in UTC where this machine does not know the zone."""
    where = read_zone(zone)
    if where is None:
        return f"{stamp(millis)[:16]} UTC"
    local = datetime.fromtimestamp(millis / 1000, where)
    return f"{local.strftime('%Y-%m-%d %H:%M')} ({zone})"


def label(key: str | None) -> str:
    """The words before a line, or as many blanks."""
    return fit("" if key is None else say(key), LABEL_CELLS)
