"""Disclosures over the local API: the keeper's alone; the content key is in no other answer."""

from __future__ import annotations

from functools import partial

import msgspec
from aiohttp import web

from saphan.base64_text import text_of
from saphan.node.api.app import SERVICE
from saphan.node.api.requests import json_response, parse_json, read_body
from saphan.node.disclosing import Asked


class DisclosureBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To whom a content key is given, why, and the officer who decided it."""

    to: str
    reason: str
    handle: str | None = None


def routes() -> list[web.RouteDef]:
    """Paths of disclosures."""
    return [
        web.post("/v1/bulletins/{id}/disclosure", _disclose),
        web.get("/v1/bulletins/{id}/disclosures", _listed, allow_head=False),
    ]


async def _disclose(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    body = parse_json(await read_body(request), DisclosureBody)
    bulletin = await _bulletin(request)
    asked = Asked(body.to, body.reason, body.handle)
    given = await service.engine.in_sealing(partial(service.disclosing.disclose, bulletin, asked))
    service.line.wake_statements()
    return json_response(
        {
            "id": bulletin.hex(),
            "content_key": text_of(given.content_key),
            "disclosure": text_of(given.record),
            "signature": text_of(given.signature),
            "salt": text_of(given.salt),
        }
    )


async def _listed(request: web.Request) -> web.Response:
    service, bulletin = request.app[SERVICE], await _bulletin(request)
    rows = await service.engine.in_reading(partial(service.disclosing.listed, bulletin))
    return json_response({"disclosures": rows})


async def _bulletin(request: web.Request) -> bytes:
    service = request.app[SERVICE]
    look = partial(service.bulletins.resolve, request.match_info["id"])
    return await service.engine.in_reading(look)
