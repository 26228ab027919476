"""GET /events: topics as they change, for whoever shows them."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from saphan.web.workplace import workplace

BEAT_S: Final = 20.0
"""A line of silence shows a browser that the page is still there."""


async def tell(request: web.Request) -> web.StreamResponse:
    """Server-sent events, one topic each, until the tab goes or the page ends."""
    place = workplace(request)
    answer = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    )
    await answer.prepare(request)
    with place.topics.listening() as heard:
        await answer.write(f"data: {'locked' if place.open is None else 'open'}\n\n".encode())
        while True:
            try:
                topic = await asyncio.wait_for(heard.get(), BEAT_S)
                await answer.write(f"data: {topic}\n\n".encode())
                if topic == "locked":
                    return answer
            except TimeoutError:
                await answer.write(b": still here\n\n")
            except ConnectionError:
                return answer


ROUTES: Final = (web.get("/events", tell),)
