"""Pages and orders of this room, by their addresses."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from saphan.web.approving import pages

ROUTES: Final[tuple[web.RouteDef, ...]] = pages.ROUTES
