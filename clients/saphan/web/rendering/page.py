"""A page from a template and what every page shows: whose desk, which language, the line."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from aiohttp import web
from saphan_schemas.messages import LANGUAGES, error_title

from saphan.web.events import HEARD
from saphan.web.rendering.environment import environment
from saphan.web.rendering.hints import page_hint
from saphan.web.static_files import static_path
from saphan.web.workplace import Workplace, is_inner, workplace

NAV: Final = (
    "inbox", "owed", "write", "drafts", "sent", "approve", "search", "figures", "settings",
)  # fmt: skip
"""Rooms in the order of the navigation; each is /name, and `page.ground.nav.name` in words."""


async def render(
    request: web.Request, template: str, status: int = 200, /, **values: Any
) -> web.Response:
    """The page of a template, such as "inbox/list.html", in the officer's language.

    Args:
        values: beside what every template has (`shared`).
    """
    place = workplace(request)
    if place.open is not None:
        await place.open.work(place.open.standing.count)
    text = environment().get_template(template).render(shared(request) | values)
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")


def render_bare(
    request: web.Request, template: str, status: int = 200, /, **values: Any
) -> web.Response:
    """A page of which nothing is the desk's, in the officer's language: for who is not let in, and
    where what other pages show at their edges may be broken. `template` extends "bare.html"."""
    place = workplace(request)
    given = {"say": place.say, "lang": place.lang, "static": static_path} | values
    text = environment().get_template(template).render(given)
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")


def shared(request: web.Request) -> dict[str, Any]:
    """What every template has: say, lang, languages, now, me, line, standing, path, here,
    nav, heard_until, static, error_title, error_hint."""
    place = workplace(request)
    return {
        "say": place.say,
        "lang": place.lang,
        "languages": LANGUAGES,
        "now": place.clock(),
        "me": None if place.open is None else place.open.me,
        "line": None if place.open is None else place.open.line.state,
        "standing": None if place.open is None else place.open.standing,
        "error_title": partial(error_title, lang=place.lang),
        "error_hint": partial(page_hint, lang=place.lang),
        "path": request.path_qs if request.method == "GET" else _came_from(request),
        "here": request.path.split("/")[1],
        "nav": NAV,
        "heard_until": request.get(HEARD, 0),
        "counts": _counts(place),
        "static": static_path,
    }


def _counts(place: Workplace) -> dict[str, int]:
    """How many wait in each room of the navigation; rooms without a number are left out."""
    if place.open is None:
        return {}
    desk, standing = place.open, place.open.standing
    return {
        "inbox": desk.rows.unread,
        "owed": len(standing.owes(desk.me.agency)),
        "drafts": standing.drafts,
        "sent": standing.queued,
        "approve": standing.second,
    }


def _came_from(request: web.Request) -> str:
    """The page on which an order was given: at the order's own address there may be none."""
    before, own, path = request.headers.get("Referer", "").partition(workplace(request).host)
    return path if before == "http://" and own and is_inner(path) else "/inbox"
