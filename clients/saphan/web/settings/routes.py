"""What the officer chooses, and facts of this desk to compare by telephone."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from saphan_protocol.words import word_lines
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import MINUTE_MS
from saphan_schemas.messages import LANGUAGES

from saphan.desk.desk import Desk
from saphan.web.rendering.page import render
from saphan.web.settings.choices import LOCK_MINUTES, Choices, keep_choices, read_choices
from saphan.web.workplace import back, is_inner, opened, workplace


async def language(request: web.Request) -> web.Response:
    """POST /language: from now on, every page speaks this one."""
    form = await request.post()
    lang, path = form.get("lang"), str(form.get("next", "/"))
    if lang not in LANGUAGES:
        raise _unknown("lang")
    await workplace(request).speak(str(lang))
    raise back(request, path if is_inner(path) else "/inbox")


async def show(request: web.Request) -> web.Response:
    """GET /settings."""
    place, desk = workplace(request), opened(request)
    choices = await desk.work(read_choices)
    key_id = await desk.work(lambda one: one.key.key_id)
    return await render(
        request,
        "settings/page.html",
        minutes=LOCK_MINUTES,
        chosen=choices.lock_minutes,
        fixed=place.lock_after_ms // MINUTE_MS if place.lock_fixed else None,
        folder=str(place.folder.folder),
        key_id=key_id.hex(),
        key_words=word_lines(key_id),
        tls=desk.me.tls.hex(),
        tls_words=word_lines(desk.me.tls),
        saved="saved" in request.query,
    )


async def keep(request: web.Request) -> web.Response:
    """POST /settings."""
    form, place, desk = await request.post(), workplace(request), opened(request)
    given = str(form.get("lock_minutes", ""))
    if given not in map(str, LOCK_MINUTES):
        raise _unknown("lock_minutes")

    def change(one: Desk) -> Choices:
        choices = Choices(lang=read_choices(one).lang, lock_minutes=int(given))
        keep_choices(one, choices)
        return choices

    choices = await desk.work(change)
    if not place.lock_fixed:
        place.lock_after_ms = choices.lock_after_ms
    raise back(request, "/settings?saved")


def _unknown(field: str) -> InvalidInput:
    return InvalidInput(
        "choice_unknown", f"{field}: this cannot be chosen", field=field, hint="take one shown"
    )


ROUTES: Final = (
    web.post("/language", language),
    web.get("/settings", show),
    web.post("/settings", keep),
)
