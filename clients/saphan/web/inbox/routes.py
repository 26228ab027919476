"""GET /inbox: what came, in the order in which it asks for attention. POST /line: try it now."""

from __future__ import annotations

from functools import partial
from typing import Final

from aiohttp import web
from saphan_schemas.messages import text

from saphan.web.inbox.listing import STATES, Filters, Listing, listing
from saphan.web.inbox.titles import titles
from saphan.web.reading.happened import why
from saphan.web.rendering.page import render
from saphan.web.rendering.paging import page_number
from saphan.web.seeking.words import type_words
from saphan.web.workplace import back, is_inner, opened, workplace

URGENCIES: Final = ("immediate", "priority", "routine")


async def show(request: web.Request) -> web.Response:
    """The list, filtered as the address says."""
    desk, place = opened(request), workplace(request)
    filters = Filters.of(request.query)
    await desk.work(desk.rows.load)  # another program of this desk may have changed something
    found = listing(
        desk.rows.lines,
        desk.standing.owes(desk.me.agency),
        filters,
        place.clock(),
        page_number(request),
    )
    here = [line.row.id for _, _, lines in found.groups for line in lines if line.row.opened]
    return await render(
        request,
        "inbox/list.html",
        list=found,
        filters=filters,
        choices=_choices(found, filters, place.lang),
        titles=await desk.work(partial(titles, bulletins=here, read=(place.lang,))),
        words=partial(type_words, lang=place.lang),
        why=partial(why, lang=place.lang),
        heard=desk.line.state.heard,
        named=desk.line.named,
    )


async def hurry(request: web.Request) -> web.Response:
    """The officer says that the line is back, or wants what waits to leave now."""
    opened(request).line.hurry()
    wanted = str((await request.post()).get("next", ""))
    raise back(request, wanted if is_inner(wanted) else "/inbox")


def _choices(
    found: Listing, filters: Filters, lang: str
) -> list[tuple[str, str, list[tuple[str, str, int]]]]:
    """For each filter its name, its value, and (value, words, how many) of what there is."""
    counts = found.counts
    types = sorted((type_words(one, lang), one) for one in {*counts["type"], filters.type})
    senders = sorted({*counts["corridor"], filters.corridor})
    return [
        ("type", filters.type, [(o, w, counts["type"].get(o, 0)) for w, o in types if o]),
        (
            "corridor",
            filters.corridor,
            [(o, o, counts["corridor"].get(o, 0)) for o in senders if o],
        ),
        (
            "urgency",
            filters.urgency,
            [(o, text(f"urgency.{o}", lang), counts["urgency"].get(o, 0)) for o in URGENCIES],
        ),
        (
            "state",
            filters.state,
            [(o, text(f"page.inbox.state.{o}", lang), counts["state"].get(o, 0)) for o in STATES],
        ),
    ]


ROUTES: Final = (web.get("/inbox", show), web.post("/line", hurry))
