"""What goes wrong, as a page in the officer's language; never a traceback."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from saphan_schemas.errors import SaphanError
from saphan_schemas.messages import error_title

from saphan.web.gate import LET_IN
from saphan.web.rendering.hints import page_hint
from saphan.web.rendering.page import render, render_bare
from saphan.web.workplace import workplace

_log: Final = logging.getLogger("saphan.web")
_KNOWN: Final = {404: "page_missing", 405: "page_order", 413: "page_large"}


@web.middleware
async def faults(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn an error into a page; redirects and answers pass."""
    try:
        return await handler(request)
    except SaphanError as error:
        return await error_page(request, error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return await _plain(request, error.status, _KNOWN.get(error.status, "page_refused"))
    except (ConnectionError, TimeoutError):
        raise  # the browser went away
    except Exception as error:  # its text may hold content: whoever runs the page logs without it
        _log.error("a page met a bug", exc_info=error)
        return render_bare(request, "bug.html", 500, **_words(request, "page_bug"))


async def error_page(request: web.Request, error: SaphanError) -> web.Response:
    """Title, message and hint of an error; an order that failed says so where it was given."""
    lang = workplace(request).lang
    words = {"title": error_title(error, lang), "hint": page_hint(error, lang)}
    return await _shown(request, error.http_status, error, words)


async def _plain(request: web.Request, status: int, name: str) -> web.Response:
    return await _shown(request, status, None, _words(request, name))


async def _shown(
    request: web.Request, status: int, error: SaphanError | None, words: Mapping[str, str | None]
) -> web.Response:
    """Among the numbers that every page shows, unless the store that has them is the trouble."""
    code, message = (None, None) if error is None else (error.code, error.message)
    if not request[LET_IN]:
        return render_bare(request, "bug.html", status, **words)
    try:
        return await render(request, "error.html", status, code=code, message=message, **words)
    except SaphanError as trouble:
        _log.error("the store of this desk is in trouble: %s", trouble.code)
        return render_bare(request, "bug.html", status, **words)


def _words(request: web.Request, name: str) -> dict[str, str]:
    say = workplace(request).say
    return {"title": say(f"page.ground.{name}"), "hint": say(f"page.ground.{name}.hint")}
