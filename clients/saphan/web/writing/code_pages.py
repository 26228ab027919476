"""/codes/LIST?q=: codes for the field in which somebody types, as JSON: {"codes": [{code, text,
beside}]}. The lists are public; nothing here is of a bulletin."""

from __future__ import annotations

from typing import Final

import msgspec
from aiohttp import web
from saphan_schemas.fields import Choice

from saphan.web.workplace import opened, workplace
from saphan.web.writing.forms.codes import search, whole_list


async def codes(request: web.Request) -> web.Response:
    """GET /codes/{list}: `q` is what was typed; `only`, with commas, the codes that fit there."""
    opened(request)
    choice = whole_list(request.match_info["list"])
    if choice is None:
        raise web.HTTPNotFound
    only = frozenset(filter(None, request.query.get("only", "").split(",")))
    if only:
        choice = Choice(choice.listed, tuple(code for code in choice.codes if code in only))
    found = search(choice, request.query.get("q", ""), workplace(request).lang)
    return web.Response(body=msgspec.json.encode({"codes": found}), content_type="application/json")


ROUTES: Final = (web.get(r"/codes/{list:[a-z0-9_]{1,40}}", codes),)
