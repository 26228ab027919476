"""What the officer chooses: language now, more on the page of settings."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from saphan_schemas.messages import LANGUAGES

from saphan.web.workplace import back, is_inner, workplace


async def language(request: web.Request) -> web.Response:
    """POST /language: from now on, every page speaks this one."""
    form = await request.post()
    place, lang, path = workplace(request), form.get("lang"), str(form.get("next", "/"))
    if lang in LANGUAGES:
        place.lang = str(lang)
    raise back(request, path if is_inner(path) else "/inbox")


ROUTES: Final = (web.post("/language", language),)
