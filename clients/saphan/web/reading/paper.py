"""A bulletin on paper: recorded as an export, signed by the officer, before the page is made."""

from __future__ import annotations

from aiohttp import web
from saphan_schemas.errors import Refused

from saphan.desk.confirming import Confirming
from saphan.web.reading.page import values_of
from saphan.web.reading.taking import tell
from saphan.web.rendering.page import render
from saphan.web.workplace import opened, workplace


async def ask(request: web.Request) -> web.Response:
    """GET /bulletins/{id}/print: what a paper copy means, and the button."""
    bulletin = request.match_info["id"]
    values = await values_of(opened(request), bulletin, workplace(request).lang)
    _require_open(values["doc"])
    return await render(request, "reading/print.html", **values)


async def paper(request: web.Request) -> web.Response:
    """POST: the record, then the page to print; whoever loads it again has another one."""
    desk, bulletin = opened(request), request.match_info["id"]
    place = workplace(request)
    values = await values_of(desk, bulletin, place.lang)
    _require_open(values["doc"])
    await desk.work(lambda own: Confirming(own).printed(bytes.fromhex(bulletin)))
    tell(desk)
    values |= {"printed": place.clock(), "unfolded": True}
    return await render(request, "reading/paper.html", **values)


def _require_open(doc: object) -> None:
    if doc is None:
        raise Refused(
            "attachment_unread",
            "this bulletin was not opened at this desk: there is nothing to print",
            field="id",
            hint="open it first",
        )
