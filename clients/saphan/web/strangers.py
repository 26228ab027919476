"""Connections over which nobody has shown the cookie yet: a few, so that none is missing when the
page has to answer its officer, or to lock.

Any user of the machine can connect. Where descriptors run out, asyncio tries again and again to
accept, and does nothing else: no idle time, no order to lock would be heard.
"""

from __future__ import annotations

from typing import Final

from aiohttp.web_protocol import RequestHandler

AT_ONCE: Final = 16
"""Accepted in one turn of the event loop; twice as many may not be up yet, and cannot be closed."""
MOST: Final = 64


class Strangers:
    """The newest ones; for each one too many the oldest is closed."""

    def __init__(self) -> None:
        self._waiting: dict[RequestHandler, None] = {}

    def came(self, one: RequestHandler) -> RequestHandler:
        """Somebody has connected; gives the same connection."""
        self._waiting[one] = None
        if len(self._waiting) > MOST:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            oldest.force_close()
        return one

    def known(self, one: RequestHandler) -> None:
        """The launched browser has: this connection is closed for nobody."""
        self._waiting.pop(one, None)
