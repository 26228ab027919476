"""Launch, lock, unlock, and the sign that a person is there."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web
from saphan_schemas.errors import InvalidInput, SaphanError, Unavailable
from saphan_schemas.messages import error_title

from saphan.keys.keyfiles import is_sealed
from saphan.keys.passphrase import Passphrase
from saphan.keys.token_place import TokenAccess
from saphan.web.gate import COOKIE
from saphan.web.locking.launch_file import remove_launch
from saphan.web.locking.typed_pin import TypedPin, token_label
from saphan.web.rendering.hints import page_hint
from saphan.web.rendering.page import render, render_bare
from saphan.web.workplace import Workplace, back, is_inner, workplace


async def launch(request: web.Request) -> web.Response:
    """GET /launch/TOKEN: once, for the browser that was started with the link.

    The answer is a page that leads on: a redirect would still count as the navigation of whatever
    page or file had the link, and the strict cookie would not go with it.
    """
    place = workplace(request)
    cookie = place.sessions.enter(request.match_info["token"])
    if cookie is None:
        return render_bare(request, "locking/outside.html", 401, used=True)
    await asyncio.to_thread(remove_launch, place.folder.folder)
    answer = render_bare(request, "locking/launched.html")
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
    return await _asked(request, wanted, None)


async def take(request: web.Request) -> web.Response:
    """POST /unlock."""
    place, form = workplace(request), await request.post()
    wanted = _wanted(form.get("next"))
    try:
        async with place.attempts.turn:
            if place.open is None:
                place.attempts.check()
                await _unlock(place, str(form.get("passphrase", "")), str(form.get("pin", "")))
    except SaphanError as error:
        answer = await _asked(request, wanted, error)
        half_way = place.open is None and error.code not in _NOTHING_OPENED
        if half_way and place.lock is not None:
            # The passphrase was right, and has opened the key: that goes as if the desk had opened.
            place.lock(place.why_locked or "asked")
            answer.force_close()
        return answer
    raise back(request, wanted)


async def lock(request: web.Request) -> web.Response:
    """POST /lock: this process's memory ends; the browser is led to what asks to unlock."""
    place, form = workplace(request), await request.post()
    wanted = _wanted(form.get("next"))
    if place.open is not None and place.lock is not None:
        place.lock("asked")
    answer = back(request, wanted)
    answer.force_close()  # the next request waits at the socket for the successor
    raise answer


async def alive(request: web.Request) -> web.Response:
    """POST /alive: a person types or points; being let through was all it was for."""
    return web.Response(status=204)


async def _unlock(place: Workplace, passphrase: str, pin: str) -> None:
    sealed = await asyncio.to_thread(is_sealed, place.folder.key_file)
    access = TokenAccess(library=place.library, pin=TypedPin(typed=[pin]))
    try:
        await place.unlock(Passphrase(passphrase) if sealed else None, access)
    except (InvalidInput, SaphanError) as error:
        if error.code in _WRONG:
            place.attempts.wrong()
        raise
    place.attempts.right()


_WRONG: Final = ("passphrase_wrong", "passphrase_malformed", "pkcs11_pin_wrong")
_NOTHING_OPENED: Final = ("passphrase_wrong", "passphrase_malformed", "unlock_wait")


async def _asked(request: web.Request, wanted: str, error: SaphanError | None) -> web.Response:
    place = workplace(request)
    fault, status = None, 200
    if error is not None:
        status = 503 if isinstance(error, Unavailable) else 403
        fault = {
            "title": error_title(error, place.lang),
            "hint": page_hint(error, place.lang),
            "code": error.code,
        }
    key_file = place.folder.key_file
    return await render(
        request,
        "locking/unlock.html",
        status,
        wanted=wanted,
        fault=fault,
        desk=await asyncio.to_thread(place.folder.read),
        why=place.why_locked,
        sealed=await asyncio.to_thread(is_sealed, key_file),
        token=await asyncio.to_thread(token_label, key_file),
    )


def _wanted(path: object) -> str:
    """Where the officer was; the inbox for anything that is no address of this page."""
    return path if isinstance(path, str) and is_inner(path) else "/inbox"


ROUTES: Final = (
    web.get("/", first),
    web.get("/launch/{token}", launch),
    web.get("/unlock", ask),
    web.post("/unlock", take),
    web.post("/lock", lock),
    web.post("/alive", alive),
)
