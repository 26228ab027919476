"""The local API's own tokens: the keeper makes, lists and revokes them."""

from __future__ import annotations

import logging
from functools import partial

import msgspec
from aiohttp import web

from saphan.node.api.app import SERVICE
from saphan.node.api.requests import json_response, parse_json, read_body
from saphan.node.callers import Right
from saphan.node.token_kept import Wanted

log = logging.getLogger("saphan.node")


class TokenBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token that is wanted: rights of a system and maybe its types, or an officer."""

    name: str
    rights: frozenset[Right] = frozenset()
    schemas: frozenset[str] = frozenset()
    officer: str | None = None
    days: int | None = None


def routes() -> list[web.RouteDef]:
    """Paths of tokens."""
    return [
        web.get("/v1/tokens", _listed, allow_head=False),
        web.post("/v1/tokens", _add),
        web.delete("/v1/tokens/{name}", _revoke),
    ]


async def _listed(request: web.Request) -> web.Response:
    return json_response({"tokens": request.app[SERVICE].tokens.listed()})


async def _add(request: web.Request) -> web.Response:
    """The text of the new token is in this answer, and nowhere else."""
    service, body = request.app[SERVICE], parse_json(await read_body(request), TokenBody)
    wanted = Wanted(
        name=body.name,
        rights=body.rights,
        schemas=body.schemas,
        officer=body.officer,
        days=body.days,
    )
    text, described = await service.engine.in_sealing(partial(service.tokens.add, wanted))
    log.info("a token was made: %s", wanted.name)
    answer = json_response({"token": text, **described}, 201)
    answer.headers["Cache-Control"] = "no-store"
    return answer


async def _revoke(request: web.Request) -> web.Response:
    service, name = request.app[SERVICE], request.match_info["name"]
    described = await service.engine.in_sealing(partial(service.tokens.revoke, name))
    log.info("a token was revoked: %s", described["name"])
    return json_response(described)
