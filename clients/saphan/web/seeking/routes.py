"""GET /search?n=: words in whatever this desk may see; filters; where they stand. POST: ask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial
from typing import Final

from aiohttp import web
from saphan_schemas.limits import DAY_MS
from saphan_schemas.messages import text

from saphan.desk.desk import Desk
from saphan.web.open_desk import OpenDesk
from saphan.web.rendering.page import render
from saphan.web.rendering.paging import page_number
from saphan.web.rendering.zones import countries, zone
from saphan.web.seeking.entries import SOURCES
from saphan.web.seeking.finding import find
from saphan.web.seeking.question import LONGEST, Filters, Question, question
from saphan.web.seeking.shown import Shown, show
from saphan.web.seeking.words import type_words
from saphan.web.workplace import back, opened, workplace

PAGE: Final = 20
"""Results on a page."""
URGENCIES: Final = ("immediate", "priority", "routine")
ASKED: Final = ("q", "where", "type", "corridor", "urgency", "since", "until")
Choice = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Results:
    """A page of results.

    Args:
        total: of all pages; alike: how many of those only by sound; whole: everything that the desk
            has is in the index already.
    """

    shown: list[Shown]
    total: int
    alike: int
    page: int
    pages: int
    whole: bool
    schemas: tuple[str, ...]
    agencies: tuple[str, ...]


async def search(request: web.Request) -> web.Response:
    """The page of a question that was kept, or that stands in the address itself."""
    desk, lang = opened(request), workplace(request).lang
    given = _given(request.query)
    if any(given.values()):
        kept = desk.questions.keep(given)
    else:
        number = request.query.get("n", "")
        given |= desk.questions.get(number)
        kept = int(number) if any(given.values()) else 0
    asked = question(given["q"], _filters(given, zone(countries(desk.me.agency)[0])))
    look = partial(_results, desk, asked=asked, page=page_number(request), lang=lang)
    found = await desk.work(look)
    return await render(
        request,
        "seeking/search.html",
        given=given,
        asked=asked,
        found=found,
        choices=_choices(given, found, lang),
        words=partial(type_words, lang=lang),
        at=f"/search?n={kept}&page=%d",
    )


async def ask(request: web.Request) -> web.StreamResponse:
    """Keep the question, and lead to its page by a number."""
    desk = opened(request)
    sent = await request.post()
    given = _given({name: str(value) for name, value in sent.items()})
    raise back(request, f"/search?n={desk.questions.keep(given)}")


def _given(values: Mapping[str, str]) -> dict[str, str]:
    return {name: values.get(name, "")[:LONGEST] for name in ASKED}


def _results(desk: OpenDesk, own: Desk, asked: Question, page: int, lang: str) -> Results:
    whole = desk.search.load(own)
    rows = desk.rows.all()
    hits = find(own, desk.search, rows, asked)
    pages = max(1, -(-len(hits) // PAGE))
    page = min(page, pages)
    part = hits[(page - 1) * PAGE : page * PAGE]
    heads = desk.search.heads()
    schemas = {schema for schema, _, _ in heads} | {row.schema for row in rows}
    agencies = {one for _, sender, others in heads for one in (sender, *others)}
    agencies |= {row.sender for row in rows}
    return Results(
        shown=show(own, part, desk.rows.get, asked, lang),
        total=len(hits),
        alike=sum(hit.alike for hit in hits),
        page=page,
        pages=pages,
        whole=whole,
        schemas=tuple(schemas - {""}),
        agencies=tuple(sorted(agencies - {desk.me.agency})),
    )


def _filters(given: Mapping[str, str], zone: tzinfo) -> Filters:
    until = _day(given["until"], zone)
    return Filters(
        where=given["where"] if given["where"] in SOURCES else "",
        schema=given["type"],
        agency=given["corridor"],
        urgency=given["urgency"] if given["urgency"] in URGENCIES else "",
        since=_day(given["since"], zone),
        until=None if until is None else until + DAY_MS,
    )


def _day(given: str, zone: tzinfo) -> int | None:
    """First instant of a day at the officer's own office; what is no day filters nothing."""
    try:
        at = datetime.strptime(given, "%Y-%m-%d").replace(tzinfo=zone)
    except ValueError:
        return None
    return round(at.timestamp()) * 1_000


def _choices(
    given: Mapping[str, str], found: Results, lang: str
) -> list[tuple[str, str, list[Choice]]]:
    """For each filter its name, its value, and (value, words) to choose from."""
    return [
        ("where", given["where"], [(one, text(f"page.seeking.in_{one}", lang)) for one in SOURCES]),
        ("type", given["type"], sorted(_types(found.schemas, lang), key=lambda one: one[1])),
        ("corridor", given["corridor"], [(one, one) for one in found.agencies]),
        ("urgency", given["urgency"], [(one, text(f"urgency.{one}", lang)) for one in URGENCIES]),
    ]


def _types(schemas: Iterable[str], lang: str) -> list[Choice]:
    return [(one, type_words(one, lang)) for one in schemas]


ROUTES: Final[tuple[web.RouteDef, ...]] = (web.get("/search", search), web.post("/search", ask))
