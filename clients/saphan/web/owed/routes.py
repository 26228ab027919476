"""Pages and orders of this room, by their addresses."""

from __future__ import annotations

from typing import Final

from aiohttp import web

ROUTES: Final[tuple[web.RouteDef, ...]] = ()
