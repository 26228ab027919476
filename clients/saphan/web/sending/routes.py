"""Pages and orders of this room, by their addresses."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from saphan.web.sending import list_pages, recall_pages

ROUTES: Final[tuple[web.RouteDef, ...]] = (*list_pages.ROUTES, *recall_pages.ROUTES)
