"""Who is let through to a page: the right host, the right origin, the browser that was launched.

Cookies and "same site" know no ports, so that the page has a host name of its own (ADR 43).
"""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from saphan.web.rendering.page import render_bare
from saphan.web.workplace import Workplace, workplace

COOKIE: Final = "saphan"
LET_IN: Final = web.RequestKey("let_in", bool)
"""Whether this is the launched browser: nobody else is shown whose desk this is, by no error."""
SECURITY: Final = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "font-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            # No script of ours makes markup out of text, and none could.
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With "no-referrer" browsers would send "Origin: null" with the page's own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), clipboard-read=()",
}
"""No inline script or style, nothing from elsewhere, no frame around it."""


@web.middleware
async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let nobody through but the launched browser, from the page's own pages.

    Steps: 1. Host, exactly: another name means that somebody else's name leads here (rebinding).
    2. Origin and Sec-Fetch-Site: an order comes from the page itself (CSRF).
    3. The cookie: the browser was started with the launch link. 4. No file where none is taken.
    """
    place = workplace(request)
    if request.headers.getall("Host", []) != [place.host]:
        return web.Response(status=421, text="This is not the name of this page.\n")
    launching = request.path.startswith("/launch/")
    if not launching and not _own(request, place):
        return render_bare(request, "locking/outside.html", 403, used=False)
    request[LET_IN] = not launching and place.sessions.knows(request.cookies.get(COOKIE))
    if request[LET_IN]:
        place.strangers.known(request.protocol)
    if not launching and not request.path.startswith("/static/"):
        if not request[LET_IN]:
            return render_bare(request, "locking/outside.html", 401, used=False)
        place.present(request)
    if request.method == "POST" and request.content_type not in _forms(request.path):
        raise web.HTTPUnsupportedMediaType  # step 4
    return await handler(request)


def _forms(path: str) -> tuple[str, ...]:
    """Content types of an order. What is read as a form with files would be spooled to the disk in
    clear; /files reads it itself, into sealed rows."""
    if path.endswith("/files"):
        return ("multipart/form-data",)
    return "application/x-www-form-urlencoded", "application/octet-stream"  # the second: nothing


def _own(request: web.Request, place: Workplace) -> bool:
    """Whether the page itself asks, or the person: never another page."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    own = f"http://{place.host}"
    if request.method not in ("GET", "HEAD"):
        return origin == own and site in (None, "same-origin")
    return origin in (None, own) and site in (None, "same-origin", "none")


async def secure(_: web.Request, response: web.StreamResponse) -> None:
    """Headers that every answer carries, and that no handler weakens."""
    given = response.headers.get("Content-Security-Policy")
    response.headers.update(SECURITY)
    if given is not None:
        # Of two policies a browser obeys both: a handler may forbid more, never less.
        response.headers.add("Content-Security-Policy", given)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.pop("Server", None)
