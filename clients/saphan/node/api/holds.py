"""Holds over the local API: orders, what they keep, and what other agencies ask or are asked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec
from aiohttp import web
from saphan_schemas.errors import InvalidInput
from saphan_schemas.frames import ORDER_BYTES
from saphan_schemas.limits import LIMITS

from saphan.node.api.app import SERVICE, view_of
from saphan.node.api.requests import json_response, page, parse_json, read_body, unbase64
from saphan.node.holding.rows import holds_of
from saphan.node.service import NodeService

Json = dict[str, Any]
BODY_BYTES: Final = 2 * (ORDER_BYTES + LIMITS.hold_terms_bytes)
"""Order and terms in base64, with room."""


class HoldBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A SignedHoldOrder, its terms and the 32 bytes of their salt, in base64."""

    order: str
    terms: str
    salt: str


class WordBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked or answered; `agency`: of whom, null: of all whom it concerns."""

    code: str
    agency: str | None = None


def routes() -> list[web.RouteDef]:
    """Paths of holds."""
    return [
        web.get("/v1/holds", _listed, allow_head=False),
        web.post("/v1/holds", _take),
        web.get("/v1/holds/{name}", _show, allow_head=False),
        web.post("/v1/bulletins/{id}/hold/ask", _ask),
        web.post("/v1/bulletins/{id}/hold/answer", _answer),
    ]


async def _listed(request: web.Request) -> web.Response:
    """All of them; `?bulletin=` leaves those that keep this one."""
    service, view = request.app[SERVICE], view_of(request)
    named = request.query.get("bulletin")

    def look() -> Json:
        holds = service.holds
        found, asked = holds.listing.listed(), holds.asked.listed()
        if named is not None:
            bulletin = view.resolve(named)
            names = {name.hex() for name in holds_of(service.db, bulletin)}
            found = [one for one in found if one["name"] in names]
            asked = [one for one in asked if one["id"] == bulletin.hex()]
        return {
            "agency": service.agency,
            "next_number": holds.orders.next_number(),
            "holds": found,
            "asked": asked,
        }

    return json_response(await service.engine.in_reading(look))


async def _take(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    body = parse_json(await read_body(request, BODY_BYTES), HoldBody)
    order, terms, salt = (
        unbase64(getattr(body, name), name) for name in ("order", "terms", "salt")
    )
    return json_response(await service.holds.take(order, terms, salt))


async def _show(request: web.Request) -> web.Response:
    service, named = request.app[SERVICE], request.match_info["name"]
    look = partial(_one, service, named, *page(request))
    return json_response(await service.engine.in_reading(look))


def _one(service: NodeService, named: str, after: int, limit: int) -> Json:
    """By the beginning of a name, or the number of its first order."""
    found = [
        one
        for one in service.holds.listing.listed()
        if (len(named) >= 8 and one["name"].startswith(named.lower()))
        or str(one["orders"][0]["number"]) == named
    ]
    if len(found) != 1:
        raise InvalidInput(
            "hold_unnamed",
            f"{len(found)} holds here go by {named[:80]!r}",
            field="name",
            hint="name the number of its order, or 8 digits of its name: saphan hold list",
        )
    (one,) = found
    return one | {
        "members": service.holds.listing.members(bytes.fromhex(one["name"]), after, limit)
    }


async def _ask(request: web.Request) -> web.Response:
    return await _word(request, request.app[SERVICE].holds.asked.ask)


async def _answer(request: web.Request) -> web.Response:
    return await _word(request, request.app[SERVICE].holds.asked.answer)


async def _word(
    request: web.Request, say: Callable[[bytes, str, str | None], list[str]]
) -> web.Response:
    service, view = request.app[SERVICE], view_of(request)
    body = parse_json(await read_body(request), WordBody)
    resolve = partial(view.resolve, request.match_info["id"])
    bulletin = await service.engine.in_reading(resolve)
    service.holds.restored.require_heard()
    to = await service.engine.in_frames(partial(say, bulletin, body.code, body.agency))
    service.line.wake_statements()
    return json_response({"id": bulletin.hex(), "code": body.code, "to": to})
