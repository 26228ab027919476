"""Answers get shorter on their way: the text of a form says the same words many times.

Nobody but the officer's own machine sees how long an answer is, so that its length tells nothing.
"""

from __future__ import annotations

import asyncio
import gzip
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

LEAST: Final = 1_400
"""Bytes that are worth it: one packet."""
LEVEL: Final = 4
TEXTS: Final = frozenset(
    {"text/html", "text/css", "text/javascript", "application/json", "image/svg+xml"}
)


@web.middleware
async def compressed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """gzip, where the browser takes it."""
    response = await handler(request)
    if not isinstance(response, web.Response) or response.content_type not in TEXTS:
        return response
    response.headers["Vary"] = "Accept-Encoding"
    data = response.body
    if isinstance(data, bytes) and len(data) >= LEAST and _takes_gzip(request):
        response.body = await asyncio.to_thread(gzip.compress, data, LEVEL, mtime=0)
        response.headers["Content-Encoding"] = "gzip"
    return response


def _takes_gzip(request: web.Request) -> bool:
    words = request.headers.get("Accept-Encoding", "").split(",")
    return "gzip" in (word.partition(";")[0].strip().lower() for word in words)
