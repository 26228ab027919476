"""GET /figures: how much was exchanged, how long answers take, what is overdue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiohttp import web

from saphan.desk.desk import Desk
from saphan.web.figures.drawings import months_drawing, names_drawing, times_drawing
from saphan.web.figures.facts import OURS, THEIRS, Answer, Facts, Moved, gather
from saphan.web.figures.reckoning import (
    Months,
    Took,
    by_corridor,
    by_month,
    by_type,
    last_months,
    took,
    took_by_month,
)
from saphan.web.open_desk import OpenDesk
from saphan.web.owed.clocks import OVERDUE, Clock, clocks
from saphan.web.rendering.page import render
from saphan.web.rendering.zones import countries, zone
from saphan.web.seeking.words import type_words
from saphan.web.workplace import Workplace, opened, workplace

PERIODS: Final = (6, 12, 24, 60)
"""Months to choose from."""
USUAL: Final = 12
KINDS: Final = ("all", "real", "exercise")


@dataclass(frozen=True, slots=True)
class Waiting:
    """Requests of one direction that wait for an answer now, by agency: (open, overdue)."""

    whose: str
    open: int
    overdue: int
    agencies: tuple[tuple[str, int, int], ...]


async def show(request: web.Request) -> web.Response:
    """The page."""
    desk, place = opened(request), workplace(request)
    count = request.query.get("months", "")
    months = int(count) if count in map(str, PERIODS) else USUAL
    kind = request.query.get("kind", "")
    kind = kind if kind in KINDS else KINDS[0]
    whole, facts = await desk.work(partial(_gather, desk))
    values = _values(place, desk, _only(facts, kind), months)
    return await render(
        request,
        "figures/figures.html",
        periods=PERIODS,
        months=months,
        kinds=KINDS,
        kind=kind,
        whole=whole,
        heard=desk.standing.owed_heard,
        **values,
    )


def _gather(desk: OpenDesk, own: Desk) -> tuple[bool, Facts]:
    whole = desk.search.load(own)
    return whole, gather(own, desk.rows.all(), desk.search.entries(own))


def _only(facts: Facts, kind: str) -> Facts:
    if kind == "all":
        return facts
    wanted = kind == "exercise"
    return Facts(
        [one for one in facts.moved if one.exercise is wanted],
        [one for one in facts.answers if one.exercise is wanted],
    )


def _values(place: Workplace, desk: OpenDesk, facts: Facts, count: int) -> dict[str, Any]:
    """What the template shows."""
    lang, now = place.lang, place.clock()
    months = last_months(now, count, zone(countries(desk.me.agency)[0]))
    volumes = _volumes(facts.moved, months, place)
    times = _times(facts.answers, months, place)
    requests = desk.standing.owed
    waiting = [
        _waiting(whose, clocks(requests, direction, now))
        for whose, direction in ((OURS, "received"), (THEIRS, "sent"))
    ]
    return volumes | times | {"waiting": waiting, "words": partial(type_words, lang=lang)}


def _volumes(moved: list[Moved], months: Months, place: Workplace) -> dict[str, Any]:
    words = (place.say("page.figures.received"), place.say("page.figures.sent"))
    monthly, corridors = by_month(moved, months), by_corridor(moved, months)
    types = by_type(moved, months)
    named = [(type_words(schema, place.lang), counts) for schema, counts in types]
    return {
        "monthly": list(zip(months.names, monthly, strict=True)),
        "types": named,
        "corridors": corridors,
        "totals": [sum(pair[at] for pair in monthly) for at in (0, 1)],
        "drawn_months": months_drawing(months.names, monthly, words, place.lang),
        "drawn_types": names_drawing(named, words, place.lang),
        "drawn_corridors": names_drawing(corridors, words, place.lang),
    }


def _times(answers: Iterable[Answer], months: Months, place: Workplace) -> dict[str, Any]:
    within = [one for one in answers if months.of(one.at) is not None]
    sides = [[one for one in within if one.whose == whose] for whose in (OURS, THEIRS)]
    monthly: list[list[Took]] = [took_by_month(side, months) for side in sides]
    words = (place.say("page.figures.ours"), place.say("page.figures.theirs"))
    middles = [[one.middle for one in side] for side in monthly]
    return {
        "answered": list(zip((OURS, THEIRS), map(took, sides), strict=True)),
        "answered_monthly": list(zip(months.names, *monthly, strict=True)),
        "drawn_times": times_drawing(months.names, middles, words, place.lang),
    }


def _waiting(whose: str, found: list[Clock]) -> Waiting:
    running = [one for one in found if one.until is not None]
    open_, over = Counter[str](), Counter[str]()
    for one in running:
        other = one.request.header.sender if whose == OURS else one.owed.replier
        open_[other] += 1
        over[other] += one.state == OVERDUE
    agencies = sorted(open_, key=lambda name: (-over[name], -open_[name], name))
    rows = tuple((name, open_[name], over[name]) for name in agencies)
    return Waiting(whose, len(running), over.total(), rows)


ROUTES: Final[tuple[web.RouteDef, ...]] = (web.get("/figures", show),)
