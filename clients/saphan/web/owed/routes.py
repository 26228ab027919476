"""GET /owed: what this agency has to answer, and what others owe it, with their clocks."""

from __future__ import annotations

from functools import partial
from typing import Final

from aiohttp import web
from saphan_schemas.codes import code_label

from saphan.web.inbox.titles import titles
from saphan.web.owed.clocks import clocks
from saphan.web.rendering.page import render
from saphan.web.rendering.paging import page_number
from saphan.web.seeking.words import type_words
from saphan.web.workplace import opened, workplace

ON_A_PAGE: Final = 50
"""Of each list."""


async def show(request: web.Request) -> web.Response:
    """Both lists, as the node told them last."""
    desk, place = opened(request), workplace(request)
    requests, now = desk.standing.owed, place.clock()
    ours, theirs = (clocks(requests, direction, now) for direction in ("received", "sent"))
    pages = max(1, -(-max(len(ours), len(theirs)) // ON_A_PAGE))
    page = min(page_number(request), pages)
    shown = slice((page - 1) * ON_A_PAGE, page * ON_A_PAGE)
    named = {clock.request.id for clock in (*ours[shown], *theirs[shown])}
    return await render(
        request,
        "owed/list.html",
        ours=ours,
        theirs=theirs,
        shown=shown,
        page=page,
        pages=pages,
        heard=desk.standing.owed_heard,
        titles=await desk.work(partial(titles, bulletins=named, read=(place.lang,))),
        words=partial(type_words, lang=place.lang),
        reason=partial(_reason, lang=place.lang),
    )


def _reason(code: str, lang: str) -> str:
    """Why an answer is late; one of a newer list as it is written (codes.md, K8)."""
    try:
        return code_label("delay_reason", code, lang)
    except KeyError:
        return code


ROUTES: Final = (web.get("/owed", show),)
