"""Fetching what a bulletin's evidence lacks, before `saphan evidence export` reads the store."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from saphan.node.api.app import SERVICE
from saphan.node.api.requests import json_response


def routes() -> list[web.RouteDef]:
    """The path of evidence."""
    return [web.post("/v1/bulletins/{id}/evidence", _prepare)]


async def _prepare(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    look = partial(service.bulletins.resolve, request.match_info["id"])
    bulletin = await service.engine.in_reading(look)
    time = await service.evidence.prepare(bulletin)
    return json_response({"id": bulletin.hex(), "directory_time": time})
