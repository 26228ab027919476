"""Launch, lock, unlock, and the sign that a person is there."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from saphan.keys.keyfiles import is_sealed
from saphan.keys.passphrase import Passphrase
from saphan.web.gate import COOKIE
from saphan.web.open_desk import unlock
from saphan.web.rendering.page import render
from saphan.web.workplace import back, is_inner, workplace


async def launch(request: web.Request) -> web.Response:
    """GET /launch/TOKEN: once, for the browser that was started with the link."""
    cookie = workplace(request).sessions.enter(request.match_info["token"])
    if cookie is None:
        return web.Response(status=401, text="this launch link was used, or is too old\n")
    answer = web.Response(status=303, headers={"Location": "/inbox"})
    answer.set_cookie(COOKIE, cookie, httponly=True, samesite="Strict", path="/")
    return answer


async def first(request: web.Request) -> web.Response:
    """GET /."""
    raise back(request, "/inbox")


async def ask(request: web.Request) -> web.Response:
    """GET /unlock: the passphrase is asked."""
    wanted = _wanted(request.query.get("next"))
    if workplace(request).open is not None:
        raise back(request, wanted)
    return await render(request, "locking/unlock.html", wanted=wanted)


async def take(request: web.Request) -> web.Response:
    """POST /unlock."""
    place, form = workplace(request), await request.post()
    wanted = _wanted(form.get("next"))
    if place.open is None:
        given = Passphrase(str(form.get("passphrase", "")))
        sealed = is_sealed(place.folder.key_file)
        place.open = await unlock(
            place.folder, given if sealed else None, place.clock, place.topics
        )
        place.topics.publish("open")
    raise back(request, wanted)


def _wanted(path: object) -> str:
    """Where the officer was; the inbox for anything that is no address of this page."""
    return path if isinstance(path, str) and is_inner(path) else "/inbox"


ROUTES: Final = (
    web.get("/", first),
    web.get("/launch/{token}", launch),
    web.get("/unlock", ask),
    web.post("/unlock", take),
)
