"""Pages and orders of this room, by their addresses."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from saphan.web.reading import opening, page

ID: Final = "/bulletins/{id:[0-9a-f]{64}}"
ROUTES: Final[tuple[web.RouteDef, ...]] = (
    web.get(ID, page.show),
    web.post(f"{ID}/open", opening.open_it),
)
