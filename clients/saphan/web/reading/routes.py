"""Pages and orders of this room, by their addresses."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from saphan.web.reading import opening, page, paper, taking

ID: Final = "/bulletins/{id:[0-9a-f]{64}}"
ROUTES: Final[tuple[web.RouteDef, ...]] = (
    web.get(ID, page.show),
    web.post(f"{ID}/open", opening.open_it),
    web.post(f"{ID}/files/{{number:[1-9][0-9]?}}", taking.attachment),
    web.post(f"{ID}/evidence", taking.evidence),
    web.get(f"{ID}/print", paper.ask),
    web.post(f"{ID}/print", paper.paper),
)
