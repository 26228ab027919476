"""What goes wrong, as a page in the officer's language; never a traceback."""

from __future__ import annotations

import logging
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from saphan_schemas.errors import SaphanError
from saphan_schemas.messages import error_hint, error_title

from saphan.web.rendering.page import render
from saphan.web.workplace import workplace

_log: Final = logging.getLogger("saphan.web")


@web.middleware
async def faults(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn an error into a page."""
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return await render(request, "error.html", 404, **_words(request, "page_missing"))
    except SaphanError as error:
        return await error_page(request, error)


async def error_page(request: web.Request, error: SaphanError) -> web.Response:
    """Title, message and hint of an error."""
    lang = workplace(request).lang
    return await render(
        request,
        "error.html",
        error.http_status,
        code=error.code,
        title=error_title(error, lang),
        message=error.message,
        hint=error_hint(error, lang),
    )


def _words(request: web.Request, name: str) -> dict[str, str | None]:
    say = workplace(request).say
    return {"code": None, "title": say(f"page.ground.{name}"), "message": None, "hint": None}
