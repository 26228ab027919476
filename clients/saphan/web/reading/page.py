"""GET /bulletins/{id}: the bulletin as a document, with all that happened to it."""

from __future__ import annotations

from functools import partial
from typing import Any

from aiohttp import web
from saphan_schemas.errors import InvalidInput

from saphan.desk.desk import Desk
from saphan.web.open_desk import OpenDesk
from saphan.web.reading.found import Found, look
from saphan.web.reading.living import hear, hear_beside, topic_of
from saphan.web.reading.sheet import sheet
from saphan.web.rendering.page import render
from saphan.web.workplace import opened, workplace

Json = dict[str, Any]


async def show(request: web.Request) -> web.Response:
    """The page; what it says of the node is asked again beside it."""
    desk, bulletin = opened(request), request.match_info["id"]
    values = await values_of(desk, bulletin, workplace(request).lang)
    return await render(request, "reading/page.html", **values)


async def values_of(desk: OpenDesk, bulletin: str, lang: str) -> Json:
    """What the page of a bulletin shows.

    Raises:
        InvalidInput: `bulletin_unknown`; SaphanError: of the line, where only the node may know.
    """
    looking = partial(_look, desk, bulletin, lang)
    found, values = await desk.work(looking)
    if found is None:
        await _ask_first(desk, bulletin)
        found, values = await desk.work(looking)
        if found is None:
            raise _unknown(bulletin)
        return values
    await hear_beside(desk, bulletin, first=found.life is None)
    if found.life is None:
        _, values = await desk.work(looking)
    return values


def _look(desk: OpenDesk, bulletin: str, lang: str, own: Desk) -> tuple[Found | None, Json]:
    found = look(own, bulletin, desk.rows.get(bulletin))
    if found is None:
        return None, {}
    return found, sheet(own, found, desk.rows, lang) | {"topic": topic_of(bulletin)}


async def _ask_first(desk: OpenDesk, bulletin: str) -> None:
    if not desk.line.state.online:
        raise _unknown(bulletin)
    await hear(desk, bulletin)


def _unknown(bulletin: str) -> InvalidInput:
    return InvalidInput(
        "bulletin_unknown",
        f"this desk has not heard of a bulletin {bulletin[:16]}",
        field="id",
        hint="when the line is back, the node may know it",
    )
