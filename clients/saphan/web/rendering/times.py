"""Times, days and durations as officers read them: ASCII digits, month names of the catalogue.

Functions that end in `_words` are for other code; the filters take language, clock and desk from
the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Final

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from saphan_schemas.limits import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from saphan_schemas.messages import text

from saphan.web.rendering.zones import countries, local_times, offset_words

BEYOND: Final = (OverflowError, ValueError, OSError)
"""What Python raises for a time that no calendar has; it is shown as the number that it is."""

_UNITS: Final = (("day", DAY_MS), ("hour", HOUR_MS), ("minute", MINUTE_MS), ("second", SECOND_MS))
_DAY: Final = re.compile(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?")


def day_words(value: date | str | int, lang: str) -> str:
    """A day, month or year in words: "14 October 2025", "October 2025", "2025".

    Args:
        value: a date; "YYYY", "YYYY-MM" or "YYYY-MM-DD"; or ms UTC, whose day is UTC's. Any other
            text is shown as it is.
    """
    if isinstance(value, int):
        try:
            value = datetime.fromtimestamp(value / 1000, UTC).date()
        except BEYOND:
            return str(value)
    parts = _DAY.fullmatch(value if isinstance(value, str) else f"{value:%Y-%m-%d}")
    if parts is None or (parts[2] is not None and not 1 <= int(parts[2]) <= 12):
        return str(value)
    if parts[2] is None:
        return parts[1]
    month = text(f"page.look.month.{int(parts[2])}", lang)
    if parts[3] is None:
        return text("page.look.month_year", lang, month=month, year=parts[1])
    return text("page.look.date", lang, day=int(parts[3]), month=month, year=parts[1])


def stamp_words(millis: int, lang: str, agency: str | None = None) -> str:
    """Day and minute in both countries: once where their clocks agree, else each with its place.

    Args:
        agency: whose officer reads it; their own country's clock stands first.
    """
    try:
        clocks = local_times(millis, countries(agency))
    except BEYOND:
        return str(millis)
    if len(clocks) == 1:
        return _minute(clocks[0][0], lang)
    shown = [
        text("page.look.date_time_at", lang, **_parts(at, lang), place=_places(where, lang))
        for at, where in clocks
    ]
    return "; ".join(shown)


def utc_words(millis: int, lang: str) -> str:
    """Day and minute in UTC, saying so."""
    try:
        at = datetime.fromtimestamp(millis / 1000, UTC)
    except BEYOND:
        return str(millis)
    return text("page.look.utc", lang, **_parts(at, lang))


def duration_words(millis: float, lang: str) -> str:
    """How long something takes, in its two largest units: "2 d 3 h"; below a second "0 s"."""
    rest = max(0, int(millis))
    shown: list[str] = []
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            shown.append(text(f"page.look.{unit}", lang, n=count))
        if len(shown) == 2 or (shown and not count):
            break
    return " ".join(shown) or text("page.look.second", lang, n=0)


def left_words(until: int, now: int, lang: str) -> str:
    """Time until a deadline, or since: "2 d 3 h left", "3 h overdue"; both in ms UTC."""
    key = "page.look.left" if until > now else "page.look.over"
    return text(key, lang, time=duration_words(abs(until - now), lang))


def zones_words(now: int, lang: str, agency: str | None = None) -> str:
    """Whose times a page shows, for its foot."""
    clocks = local_times(now, countries(agency))
    places = ", ".join(_places(where, lang) for _, where in clocks)
    if len(clocks) > 1:
        return text("page.look.times_differ", lang, places=places)
    return text("page.look.times_of", lang, places=places, offset=offset_words(clocks[0][0]))


def _minute(at: datetime, lang: str) -> str:
    return text("page.look.date_time", lang, **_parts(at, lang))


def _parts(at: datetime, lang: str) -> dict[str, str]:
    return {"date": day_words(at.date(), lang), "time": f"{at:%H:%M}"}


def _places(where: tuple[str, ...], lang: str) -> str:
    return ", ".join(text(f"page.look.place.{country}", lang) for country in where)


# --- filters --------------------------------------------------------------------------------------


def _agency(context: Context) -> str | None:
    me = context.get("me")
    return None if me is None else me.agency


def _element(millis: int, shown: str, lang: str) -> Markup:
    try:
        iso = f"{datetime.fromtimestamp(millis / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except BEYOND:
        return Markup("<span>{}</span>").format(shown)
    whole = f"{iso[:10]} {iso[11:19]} UTC"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(iso, whole, shown)


@pass_context
def stamp(context: Context, millis: int) -> Markup:
    """A <time> of ms UTC in both countries' zones, with UTC in its title."""
    lang = context["lang"]
    return _element(millis, stamp_words(millis, lang, _agency(context)), lang)


@pass_context
def stamp_full(context: Context, millis: int) -> Markup:
    """The same with the zones' names and UTC beside it, for where one moment matters."""
    lang, agency = context["lang"], _agency(context)
    try:
        clocks = local_times(millis, countries(agency))
    except BEYOND:
        return _element(millis, str(millis), lang)
    shown = [
        text("page.look.date_time_at", lang, **_parts(at, lang), place=_places(where, lang))
        for at, where in clocks
    ]
    return _element(millis, " · ".join((*shown, utc_words(millis, lang))), lang)


@pass_context
def brief(context: Context, millis: int) -> Markup:
    """A <time> for lists: the minute today, else the day; the whole in its title."""
    lang = context["lang"]
    try:
        own = countries(_agency(context))[:1]
        at, today = (local_times(one, own)[0][0] for one in (millis, context["now"]))
    except BEYOND:
        return _element(millis, str(millis), lang)
    same = at.date() == today.date()
    return _element(millis, f"{at:%H:%M}" if same else day_words(at.date(), lang), lang)


@pass_context
def day(context: Context, value: date | str | int) -> Markup:
    """A day, month or year in words; see `day_words`."""
    return Markup('<span class="nowrap">{}</span>').format(day_words(value, context["lang"]))


@pass_context
def duration(context: Context, millis: float) -> str:
    """How long something takes, in its two largest units."""
    return duration_words(millis, context["lang"])


@pass_context
def left(context: Context, until: int) -> str:
    """Time until ms UTC, or since, in words."""
    return left_words(until, context["now"], context["lang"])


@pass_context
def clock(context: Context, until: int) -> Markup:
    """The same as a sign: calm, less than a day, over."""
    rest = until - context["now"]
    tone = "good" if rest > DAY_MS else "warn" if rest > 0 else "bad"
    shown = left_words(until, context["now"], context["lang"])
    return Markup('<span class="clock {}">{}</span>').format(tone, shown)


@pass_context
def zones(context: Context, now: int) -> str:
    """Whose times the page shows."""
    return zones_words(now, context["lang"], _agency(context))


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "stamp": stamp,
    "stamp_full": stamp_full,
    "brief": brief,
    "day": day,
    "duration": duration,
    "left": left,
    "clock": clock,
    "zones": zones,
}
