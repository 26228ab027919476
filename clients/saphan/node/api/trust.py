"""What the node's keeper does about trust: revocations by hand, operations in the agency's name."""

from __future__ import annotations

from typing import Final

import msgspec
from aiohttp import web
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS

from saphan.base64_text import text_of
from saphan.node.api.app import SERVICE
from saphan.node.api.requests import json_response, parse_json, read_body, unbase64

BODY_BYTES: Final = 2 * LIMITS.operation_bytes
"""An operation in base64, with room."""


class BoundBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came by hand, in base64; one of both."""

    operation: str | None = None
    order: str | None = None


def routes() -> list[web.RouteDef]:
    """Paths of what is bound by hand, and of the agency's own operations."""
    return [
        web.get("/v1/bound", _bound, allow_head=False),
        web.post("/v1/bound", _import),
        web.get("/v1/operations", _operations, allow_head=False),
        web.post("/v1/operations/{version}/acknowledge", _acknowledge),
    ]


async def _bound(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    rows = await service.engine.in_reading(service.watching.bound.listed)
    return json_response({"bound": rows})


async def _import(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    body = parse_json(await read_body(request, BODY_BYTES), BoundBody)
    if (body.operation is None) == (body.order is None):
        raise InvalidInput("malformed", "give an operation or an order", field="body")
    if body.operation is not None:
        package = unbase64(body.operation, "operation")
        return json_response(await service.watching.import_bound("operation", package))
    package = unbase64(str(body.order), "order")
    return json_response(await service.watching.import_bound("order", package))


async def _operations(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    rows = await service.engine.in_frames(service.watching.operations.listed)
    return json_response({"agency": service.agency, "operations": rows})


async def _acknowledge(request: web.Request) -> web.Response:
    service, text = request.app[SERVICE], request.match_info["version"]
    if not (text.isascii() and text.isdecimal() and len(text) < 11):
        raise InvalidInput("malformed", "a version is a whole number", field="version")
    version = int(text)
    acknowledge = service.watching.operations.acknowledge
    signed = await service.engine.in_frames(lambda: acknowledge(version))
    return json_response({"version": version, "operation": text_of(signed)})
