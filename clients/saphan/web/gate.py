"""Who is let through to a page: the right host, the right origin, the browser that was launched.

Cookies and "same site" know no ports, so the page has a host name of its own (ADR 43).
"""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from saphan.web.workplace import Workplace, workplace

COOKIE: Final = "saphan"
SECURITY: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), clipboard-read=()",
}
"""No inline script or style, nothing from elsewhere, no frame around it."""


@web.middleware
async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let nobody through but the launched browser, from the page's own pages."""
    place = workplace(request)
    if request.headers.get("Host") != place.host:
        return web.Response(status=421, text="wrong host\n")
    if not _own(request, place):
        return web.Response(status=403, text="not from this page\n")
    if not _free(request) and not place.sessions.knows(request.cookies.get(COOKIE)):
        return web.Response(status=401, text="open the page by its launch link\n")
    return await handler(request)


def _own(request: web.Request, place: Workplace) -> bool:
    """Whether the page itself asked, or the person: never another page."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if request.method not in ("GET", "HEAD"):
        return origin == f"http://{place.host}" and site in (None, "same-origin")
    return origin in (None, f"http://{place.host}") and site in (None, "same-origin", "none")


def _free(request: web.Request) -> bool:
    """What shows nothing of anybody: the link that lets one in, and the files of this package."""
    return request.path.startswith(("/launch/", "/static/"))


async def secure(request: web.Request, response: web.StreamResponse) -> None:
    """Headers that every answer carries."""
    for name, value in SECURITY.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
