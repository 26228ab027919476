"""Receipts over the local API: what this agency said is said again, the answers compared."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

from aiohttp import web

from saphan.node.api.app import SERVICE
from saphan.node.api.requests import json_response


def routes() -> list[web.RouteDef]:
    """Paths of receipts."""
    return [web.post("/v1/bulletins/{id}/resend", _resend)]


async def _resend(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    look = partial(service.bulletins.resolve, request.match_info["id"])
    bulletin = await service.engine.in_reading(look)
    receipts = await service.resending.resend(bulletin)
    rows = [asdict(one) for one in receipts]
    return json_response({"id": bulletin.hex(), "receipts": rows})
