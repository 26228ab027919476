"""What the handlers of the local API find in their application."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from saphan.node.service import NodeService

SERVICE: Final = web.AppKey("service", NodeService)
TOKEN: Final = web.AppKey("token", str)
BUSY: Final = web.AppKey("busy", asyncio.Semaphore)
STREAMS: Final = web.AppKey("streams", asyncio.Semaphore)
