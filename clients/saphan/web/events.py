"""GET /events: topics as they change, for whoever shows them.

Each comes with the number that stands then. A page bears the number of the moment when it was asked
for (`numbered`), so that a tab that begins to listen knows whether it has missed anything.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from saphan.web.topics import Hearing
from saphan.web.workplace import workplace

BEAT_S: Final = 20.0
"""A line of silence shows a browser that the page is still there."""
RETRY_MS: Final = 1_000
"""After which a browser listens again when the stream has ended."""
HEARD: Final = web.RequestKey("heard", int)
LOCKED: Final = "locked"
"""The last word of a page that locks: its process becomes another one."""


async def tell(request: web.Request) -> web.StreamResponse:
    """Server-sent events, one topic each, until the tab goes or the page ends."""
    place = workplace(request)
    answer = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    )
    with place.topics.listening() as heard, contextlib.suppress(ConnectionError):
        await answer.prepare(request)
        await answer.write(f"retry: {RETRY_MS}\n".encode())
        now = place.topics
        await answer.write(_data(LOCKED if place.open is None else "open", now.number))
        while not heard.over:
            topics = await _next(heard)
            said = b"".join(_data(topic, now.number) for topic in topics)
            await answer.write(said or b": still here\n\n")
            if LOCKED in topics:
                break
    return answer


async def _next(heard: Hearing) -> list[str]:
    """What changed; empty after a while in which nothing did."""
    try:
        async with asyncio.timeout(BEAT_S):
            return await heard.next()
    except TimeoutError:
        return []


def _data(topic: str, number: int) -> bytes:
    return f"data: {number} {topic}\n\n".encode()


@web.middleware
async def numbered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Note the number before anything is looked at."""
    request[HEARD] = workplace(request).topics.number
    return await handler(request)


ROUTES: Final = (web.get("/events", tell),)
