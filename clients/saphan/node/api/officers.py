"""The local API for officers: what waits for a second one, and what each of them was shown.

An officer's token serves that officer; with the keeper's, the signed record says who it is.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from aiohttp import web
from saphan_schemas.codec import decode
from saphan_schemas.officer_records import OfficerRefusal
from saphan_schemas.records import OfficerRead, Signature

from saphan.node.api.app import SERVICE
from saphan.node.api.attachments import attachment_number, streamed
from saphan.node.api.requests import (
    ReadBody,
    SecondBody,
    json_response,
    page,
    parse_json,
    read_body,
    unbase64,
)
from saphan.node.api.roll import roll
from saphan.node.api.views import check_officer
from saphan.node.bulletins import parse_start
from saphan.node.callers import Officer, caller_of
from saphan.node.officers.countersigning import RECORD_BYTES as REFUSAL_BYTES
from saphan.node.officers.readings import RECORD_BYTES, SIGNATURE_BYTES

Json = dict[str, Any]


def routes() -> list[web.RouteDef]:
    """Paths of officers, and of what waits for them."""
    return [
        web.get("/v1/officers", _officers, allow_head=False),
        web.get("/v1/showings", _showings, allow_head=False),
        web.get("/v1/countersign", _waiting, allow_head=False),
        web.post("/v1/countersign/{id}/read", _read),
        web.get("/v1/countersign/{id}/attachments/{number}", _attachment, allow_head=False),
        web.post("/v1/countersign/{id}/sign", _sign),
        web.post("/v1/countersign/{id}/refuse", _refuse),
    ]


async def _officers(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    return json_response({"officers": await service.engine.in_reading(partial(roll, service))})


async def _showings(request: web.Request) -> web.Response:
    """Records from ?after= on; of one officer with ?officer=, of one bulletin, or of what waited
    for a second officer, with ?id= or its beginning."""
    service, wanted = request.app[SERVICE], request.query
    between = parse_start(wanted["id"]) if "id" in wanted else None
    after, limit = page(request)

    def look() -> list[Json]:
        showings = service.showings
        bulletins = None if between is None else showings.alike(*between)
        return showings.rows(after, limit, wanted.get("officer"), bulletins)

    return json_response({"showings": await service.engine.in_reading(look)})


async def _waiting(request: web.Request) -> web.Response:
    """What waits: all of it for the keeper, for an officer what concerns them."""
    caller, second = caller_of(request), request.app[SERVICE].second
    if isinstance(caller, Officer):
        return json_response({"drafts": await second.listed(caller.handle)})
    found = await second.listed(request.query.get("officer"), proven=False)
    return json_response({"drafts": found})


async def _read(request: web.Request) -> web.Response:
    second, draft = request.app[SERVICE].second, await _draft(request)
    body = parse_json(await read_body(request), ReadBody)
    record, signature = unbase64(body.record, "record"), unbase64(body.signature, "signature")
    said = decode(OfficerRead, record, RECORD_BYTES, "record")
    check_officer(caller_of(request), said.handle, said.key, "record")
    return json_response(await second.read(draft, record, signature))


async def _attachment(request: web.Request) -> web.StreamResponse:
    """To the officer of the token; with the keeper's token ?officer= says whose reading counts."""
    second, draft, caller = request.app[SERVICE].second, await _draft(request), caller_of(request)
    proven = isinstance(caller, Officer)
    handle = caller.handle if isinstance(caller, Officer) else request.query.get("officer", "")
    shown = await second.attachment(handle, draft, attachment_number(request), proven=proven)
    return await streamed(request, shown, draft)


async def _sign(request: web.Request) -> web.Response:
    second, draft = request.app[SERVICE].second, await _draft(request)
    body = parse_json(await read_body(request), SecondBody)
    signature = unbase64(body.signature, "signature")
    key = decode(Signature, signature, SIGNATURE_BYTES, "signature").item.key
    caller = caller_of(request)
    if isinstance(caller, Officer):
        check_officer(caller, caller.handle, key, "signature")
    return json_response({"id": (await second.sign(draft, signature)).hex()}, 202)


async def _refuse(request: web.Request) -> web.Response:
    second, draft = request.app[SERVICE].second, await _draft(request)
    body = parse_json(await read_body(request), ReadBody)
    record, signature = unbase64(body.record, "record"), unbase64(body.signature, "signature")
    said = decode(OfficerRefusal, record, REFUSAL_BYTES, "record")
    check_officer(caller_of(request), said.handle, said.key, "record")
    return json_response({"state": await second.refuse(draft, record, signature)})


async def _draft(request: web.Request) -> bytes:
    """The one whose id begins so; for an officer's token, among those that concern them."""
    caller = caller_of(request)
    handle = caller.handle if isinstance(caller, Officer) else None
    return await request.app[SERVICE].second.resolve(request.match_info["id"], handle)
