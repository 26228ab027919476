"""Style, scripts and fonts: files of this package, read once, with their digest in the address."""

from __future__ import annotations

import functools
import hashlib
from importlib import resources
from typing import Final

from aiohttp import web

TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
FONTS: Final = "fonts/"


@functools.cache
def files() -> dict[str, bytes]:
    """Every file that may be served, by its name under /static/; blocking the first time."""
    found: dict[str, bytes] = {}
    for prefix, package, folders in (
        ("", "saphan.web", ("static", "static/vendor")),
        (FONTS, "saphan.pages", ("fonts",)),
    ):
        for folder in folders:
            for one in resources.files(package).joinpath(folder).iterdir():
                if one.is_file() and f".{one.name.rpartition('.')[2]}" in TYPES:
                    inner = folder.removeprefix("static").removeprefix("fonts").strip("/")
                    name = "/".join(part for part in (inner, one.name) if part)
                    found[f"{prefix}{name}"] = one.read_bytes()
    return found


def static_path(name: str) -> str:
    """The address of a file, such as "page.css"; another one when its bytes change.

    Raises:
        KeyError: there is no such file; a bug.
    """
    return f"/static/{name}?v={hashlib.sha256(files()[name]).hexdigest()[:12]}"


async def send(request: web.Request) -> web.Response:
    """GET /static/NAME."""
    name = request.match_info["name"]
    data = files().get(name)
    if data is None:
        raise web.HTTPNotFound
    kind = TYPES[f".{name.rpartition('.')[2]}"]
    kept = "private, max-age=31536000, immutable" if "v" in request.query else "no-cache"
    if name.startswith(FONTS):  # named by the style, without a digest: letters must not flash
        kept = "private, max-age=86400"
    return web.Response(body=data, headers={"Content-Type": kind, "Cache-Control": kept})


ROUTES: Final = (web.get("/static/{name:.+}", send),)
