"""Sentences of a report about a reference, for terminal and page; pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from saphan_schemas.limits import DAY_MS
from saphan_schemas.messages import has_text, text

from saphan.pages.saying import day_of, stamp
from saphan.place_words import place_words

Json = dict[str, Any]


def total_words(found: Json, lang: str) -> Iterator[str]:
    """What is here in all, and what nobody can say any more."""
    totals = found["totals"]
    if not found["bulletins"] and not found["destroyed"]:
        yield text("report.nothing", lang)
    else:
        yield text("report.totals", lang, **totals)
    if found["suppressed"] is not None:
        until = day_of(found["suppressed"]["until"] * DAY_MS)
        yield text("report.suppressed", lang, until=until)
    if found["destroyed_unknown"]:
        yield text("report.unknown", lang, count=found["destroyed_unknown"])
    if found["more"]:
        yield text("report.more", lang, skip=found["next"])


def bulletin_words(one: Json, lang: str) -> Iterator[str]:
    """How it was found, with whom it was exchanged, how long it is kept, who has read it."""
    others = one["sender"] if one["direction"] == "received" else ", ".join(one["recipients"])
    yield text(f"report.{one['direction']}", lang, other=others)
    yield text(f"report.by_{one['found_by']}", lang)
    yield kept_words(one, lang)
    readers = [each["handle"] or each["system"] for each in one["readings"]]
    if readers:
        yield text("report.read", lang, readers=", ".join(dict.fromkeys(readers)))


def kept_words(one: Json, lang: str) -> str:
    """How long one is kept, or when it was destroyed and by which rule."""
    if one["erased"] is not None:
        why = _code(one["rule"], lang)
        return text("report.erased", lang, time=stamp(one["erased"]), why=why)
    state = text(f"report.state_{one['state']}", lang)
    day = day_of(one["day"] * DAY_MS)
    said = text("report.kept", lang, state=state, day=day)
    return said if one["sealed"] is None else f"{said} {text('report.sealed', lang)}"


def export_words(one: Json, lang: str) -> str:
    """One export: when, what, by whom."""
    what = text(f"code.{one['kind']}", lang)
    number = "" if one["number"] is None else f" {one['number']}"
    whom = "" if one["to"] is None else f" ({one['to']})"
    place = "-" if one["index"] is None else place_words(one)
    return text(
        "report.export", lang, time=stamp(one["time"]), what=f"{what}{number}{whom}", by=one["by"],
        place=place,
    )  # fmt: skip


def desk_words(one: Json, lang: str) -> str:
    """One desk that was given it."""
    if one["erased"] is None:
        return text("report.desk", lang, handle=one["handle"], time=stamp(one["given"]))
    return text("report.desk_erased", lang, handle=one["handle"], time=stamp(one["erased"]))


def elsewhere_words(one: Json, lang: str) -> str:
    """What somebody else has said that they did with it."""
    event = text(f"event.{one['event']}", lang)
    why = "" if one["code"] is None else f" ({_code(one['code'], lang)})"
    return f"{stamp(one['time'])}  {one['issuer']}: {event}{why}"


def _code(code: str, lang: str) -> str:
    key = f"code.{code}"
    return text(key, lang) if has_text(key) else code
