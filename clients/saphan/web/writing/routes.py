"""Pages and orders of this room, by their addresses."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from saphan.web.writing import code_pages, draft_pages, file_pages, preview_pages, start_pages

ROUTES: Final[tuple[web.RouteDef, ...]] = (
    *start_pages.ROUTES,
    *code_pages.ROUTES,
    *draft_pages.ROUTES,
    *file_pages.ROUTES,
    *preview_pages.ROUTES,
)
