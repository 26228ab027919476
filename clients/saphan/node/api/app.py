"""What the handlers of the local API find in their application."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from aiohttp import web

from saphan.node.api.views import View
from saphan.node.callers import caller_of
from saphan.node.service import NodeService

SERVICE: Final = web.AppKey("service", NodeService)
TOKEN: Final = web.AppKey("token", str)
BUSY: Final = web.AppKey("busy", asyncio.Semaphore)
PLACES: Final = web.AppKey("places", Counter[tuple[str, bool]])
"""Requests (False) and event streams (True) that are being served, by the caller's label."""
STREAMS: Final = web.AppKey("streams", asyncio.Semaphore)


def view_of(request: web.Request) -> View:
    """What whoever asks is shown of this node's bulletins."""
    return View(request.app[SERVICE], caller_of(request))
