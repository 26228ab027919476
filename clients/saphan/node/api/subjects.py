"""Exports and subjects of data over the local API: the keeper's alone."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta
from saphan_schemas.errors import InvalidInput
from saphan_schemas.exports import BUNDLED, PRINTED
from saphan_schemas.text import check_text

from saphan.node.api.app import SERVICE
from saphan.node.api.requests import json_response, parse_json, read_body
from saphan.node.callers import caller_of

NOTED: Final = frozenset({BUNDLED, PRINTED})
"""Kinds of exports that commands make beside the node, and tell it."""


class AboutBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name, a number, an account, a telephone, or a bulletin's id. Not in the path: paths are
    written into logs. `skip`: bulletins that were told of before."""

    about: Annotated[str, Meta(min_length=1, max_length=256)]
    skip: Annotated[int, Meta(ge=0, lt=2**31)] = 0


class ExportBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is exported: bundled or printed."""

    kind: str


def routes() -> list[web.RouteDef]:
    """Their paths."""
    return [
        web.post("/v1/retention/report", _report),
        web.post("/v1/bulletins/{id}/exports", _note),
        web.get("/v1/bulletins/{id}/exports", _listed, allow_head=False),
    ]


async def _report(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    body = parse_json(await read_body(request), AboutBody)
    check_text(body.about, "about")
    parts = service.subjects
    await parts.indexing.finish(service.engine)
    told = partial(parts.report.about, body.about, body.skip)
    return json_response(await service.engine.in_reading(told))


async def _note(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    body = parse_json(await read_body(request), ExportBody)
    if body.kind not in NOTED:
        raise InvalidInput(
            "export_kind",
            "an export that is told to the node is bundled or printed",
            field="kind",
            hint="what is saved or disclosed over this API is recorded by itself",
        )
    bulletin, exports = await _bulletin(request), service.subjects.exports
    note = partial(exports.note, bulletin, body.kind, caller_of(request).label)
    stated = await service.engine.in_sealing(note)
    if stated:
        service.line.wake_statements()
    return json_response({"id": bulletin.hex(), "kind": body.kind, "stated": stated})


async def _listed(request: web.Request) -> web.Response:
    service, bulletin = request.app[SERVICE], await _bulletin(request)
    exports = service.subjects.exports
    rows = await service.engine.in_reading(partial(exports.listed, bulletin))
    return json_response({"exports": rows})


async def _bulletin(request: web.Request) -> bytes:
    service = request.app[SERVICE]
    look = partial(service.bulletins.resolve, request.match_info["id"])
    return await service.engine.in_reading(look)
