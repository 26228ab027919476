"""The local HTTP JSON API, so that a case system pushes bulletins in a few lines of any language.

It listens on a Unix socket of the service user, and on loopback when told; every path but /healthz
takes a bearer token (`callers`). Errors are JSON {code, message, field, hint}.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import Final

import msgspec
from aiohttp import web
from saphan_protocol.operation import check_operation
from saphan_schemas.codec import decode
from saphan_schemas.errors import (
    InvalidInput,
    OperatorError,
    SaphanError,
    Unavailable,
)
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Inner, OfficerRead

from saphan.api_answer import TOKEN_BYTES
from saphan.compose import Wish, parse_wish
from saphan.durable import create_file
from saphan.node.api.agreements import routes as agreement_routes
from saphan.node.api.app import BUSY, PLACES, SERVICE, STREAMS, TOKEN, view_of
from saphan.node.api.attachments import routes as attachment_routes
from saphan.node.api.disclosures import routes as disclosure_routes
from saphan.node.api.evidence import routes as evidence_routes
from saphan.node.api.guard import EVENTS_PATH, errors, guard, identify
from saphan.node.api.holds import routes as hold_routes
from saphan.node.api.officers import routes as officer_routes
from saphan.node.api.openapi import document
from saphan.node.api.parties import party
from saphan.node.api.recalls import routes as recall_routes
from saphan.node.api.receipts import routes as receipt_routes
from saphan.node.api.requests import (
    INNER_BYTES,
    DirectoryBody,
    ReadBody,
    SignedBody,
    json_response,
    logged,
    page,
    parse_json,
    prepare_signed,
    read_body,
    unbase64,
)
from saphan.node.api.retention import routes as retention_routes
from saphan.node.api.schemas import register_schema
from saphan.node.api.schemas import routes as schema_routes
from saphan.node.api.splits import routes as split_routes
from saphan.node.api.subjects import routes as subject_routes
from saphan.node.api.tokens import routes as token_routes
from saphan.node.api.trust import routes as trust_routes
from saphan.node.api.views import View, check_officer, check_schema
from saphan.node.callers import Keeper, Right, System, caller_of, owner_of
from saphan.node.config import NodeConfig
from saphan.node.events import Event
from saphan.node.identity import describe, describe_corridors, health
from saphan.node.officers.readings import RECORD_BYTES, SYSTEM
from saphan.node.prepared import Prepared, Waiting
from saphan.node.repeats import HEADER as REPEAT_HEADER
from saphan.node.repeats import Asked, repeat_of
from saphan.node.service import NodeService
from saphan.private import read_private

PACKAGE_BYTES: Final = 4 * 1024 * 1024
"""A finished agreement of 32 parties with 512 signatures, in base64."""
_TOKEN: Final = re.compile(rb"[!-~]{32,}")
KEEP_ALIVE_S: Final = 15.0


def make_app(service: NodeService, token: str) -> web.Application:
    """The API of a running node."""
    app = web.Application(client_max_size=PACKAGE_BYTES, middlewares=[errors, guard])
    app[SERVICE], app[TOKEN] = service, token
    app[BUSY] = asyncio.Semaphore(LIMITS.api_connections)
    app[STREAMS] = asyncio.Semaphore(LIMITS.api_streams)
    app[PLACES] = Counter()
    app.add_routes(
        [
            web.get("/healthz", _health),
            web.get("/v1/openapi.json", _openapi),
            web.get("/v1/identity", _identity),
            web.post("/v1/bulletins", _submit),
            web.post("/v1/bulletins/signed", _submit_signed),
            web.get("/v1/bulletins", _sent),
            web.get("/v1/bulletins/{id}", _status),
            web.get("/v1/bulletins/{id}/thread", _thread),
            web.get("/v1/bulletins/{id}/content", _content),
            web.post("/v1/bulletins/{id}/read", _read),
            web.get("/v1/inbox", _inbox),
            web.get(EVENTS_PATH, _events, allow_head=False),
            web.get("/v1/directory", _party),
            web.post("/v1/directory", _directory),
            web.get("/v1/log-token", _log_token),
            *agreement_routes(),
            *attachment_routes(),
            *disclosure_routes(),
            *evidence_routes(),
            *hold_routes(),
            *officer_routes(),
            *recall_routes(),
            *retention_routes(),
            *receipt_routes(),
            *schema_routes(),
            *split_routes(),
            *subject_routes(),
            *token_routes(),
            *trust_routes(),
        ]
    )
    return app


def load_token(config: NodeConfig) -> str:
    """The API's token; made at the first start, 0600, kept for the case systems that hold it.

    Raises:
        OperatorError: `key_file_exposed`, `file_unwritable`, `token_damaged`.
    """
    path = config.token_file
    if not path.exists():
        create_file(path, secrets.token_urlsafe(32).encode() + b"\n")
    token = read_private(path, TOKEN_BYTES, "api-token").strip()
    if not _TOKEN.fullmatch(token):
        raise OperatorError(
            "token_damaged",
            f"{path} does not hold a token that nobody can guess",
            field="api-token",
            hint="remove the file: a new token is made at the next start",
        )
    return token.decode()


# --- handlers -------------------------------------------------------------------------------------


async def _health(request: web.Request) -> web.Response:
    return json_response(health(request.app[SERVICE]))


async def _openapi(request: web.Request) -> web.Response:
    return json_response(document())


async def _identity(request: web.Request) -> web.Response:
    """All of it for those who look after the node; for others what may be sent to whom."""
    service, caller = request.app[SERVICE], caller_of(request)
    whole = isinstance(caller, Keeper) or (
        isinstance(caller, System) and Right.IDENTITY in caller.rights
    )
    look = describe if whole else describe_corridors
    return json_response(await service.engine.in_reading(partial(look, service)))


async def _submit(request: web.Request) -> web.Response:
    """A machine-made bulletin; the same again, with its idempotency key, has the first answer."""
    caller, wish = caller_of(request), await _wish(request)
    check_schema(caller, wish.schema)
    repeat = repeat_of(caller.label, request.headers.get(REPEAT_HEADER), wish)
    bulletin = await request.app[SERVICE].send(wish, Asked(owner_of(caller), repeat))
    return json_response({"id": bulletin.hex()}, 202)


async def _wish(request: web.Request) -> Wish:
    """Of a bulletin that names nobody, recipients follow from what it corrects or answers."""
    data = await read_body(request)
    try:
        return parse_wish(data)
    except InvalidInput as error:
        if error.code != "recipients_missing":
            raise
    follow = view_of(request).follow
    return await request.app[SERVICE].engine.in_reading(partial(parse_wish, data, (), follow))


async def _submit_signed(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    body = parse_json(await read_body(request), SignedBody)

    def prepare() -> Prepared:
        caller = caller_of(request)
        inner = decode(Inner, unbase64(body.inner, "inner"), INNER_BYTES, "inner")
        check_officer(caller, inner.author, inner.author_key, "inner.author")
        with service.logs.lock:
            prepared = prepare_signed(
                body, service.agency, service.logs.directory, service.own.types
            )
        return replace(prepared, owner=owner_of(caller))

    prepared = await service.engine.in_sealing(prepare)
    outcome = await service.send_signed(prepared)
    if isinstance(outcome, SaphanError):
        raise outcome
    if isinstance(outcome, Waiting):
        return json_response({"id": None, "draft": outcome.draft.hex()}, 202)
    return json_response({"id": outcome.hex()}, 202)


async def _inbox(request: web.Request) -> web.Response:
    look = partial(view_of(request).inbox, *page(request))
    return json_response(await request.app[SERVICE].engine.in_reading(look))


async def _sent(request: web.Request) -> web.Response:
    look = partial(view_of(request).sent, *page(request))
    return json_response(await request.app[SERVICE].engine.in_reading(look))


async def _status(request: web.Request) -> web.Response:
    look = partial(view_of(request).status, request.match_info["id"])
    return json_response(await request.app[SERVICE].engine.in_reading(look))


async def _thread(request: web.Request) -> web.Response:
    look = partial(view_of(request).thread, request.match_info["id"])
    return json_response(await request.app[SERVICE].engine.in_reading(look))


async def _content(request: web.Request) -> web.Response:
    service, bulletin = await _bulletin(request)
    reader = view_of(request).reader()
    return json_response(await service.read_by_system(bulletin, reader or SYSTEM))


async def _read(request: web.Request) -> web.Response:
    service, bulletin = await _bulletin(request)
    body = parse_json(await read_body(request), ReadBody)
    record, signature = unbase64(body.record, "record"), unbase64(body.signature, "signature")
    read = decode(OfficerRead, record, RECORD_BYTES, "record")
    check_officer(caller_of(request), read.handle, read.key, "record")
    return json_response(await service.read(bulletin, record, signature))


async def _directory(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    body = parse_json(await read_body(request, PACKAGE_BYTES), DirectoryBody)
    parts = (body.operation, body.agreement, body.order, body.schema)
    if sum(part is not None for part in parts) != 1:
        raise InvalidInput(
            "malformed", "give one operation, agreement, order or schema", field="body"
        )
    if body.schema is not None:
        return json_response(await register_schema(service, unbase64(body.schema, "schema")))
    operation = agreement = order = None
    if body.operation is not None:
        operation = unbase64(body.operation, "operation")
        await service.engine.in_reading(partial(check_operation, operation))
        await service.engine.in_frames(partial(service.watching.operations.submitted, operation))
    if body.agreement is not None:
        agreement = unbase64(body.agreement, "agreement")
        await service.engine.in_reading(partial(service.logs.check_agreement, agreement))
    if body.order is not None:
        order = unbase64(body.order, "order")
        await service.engine.in_reading(partial(service.logs.check_order, order))
    try:
        result = await service.line.register(operation=operation, agreement=agreement, order=order)
    except Unavailable as error:
        if operation is None:
            raise
        return json_response(await service.watching.heed(operation, error))
    return json_response(logged(result))


async def _party(request: web.Request) -> web.Response:
    service, agency = request.app[SERVICE], request.query.get("agency", "")
    return json_response(await service.engine.in_reading(partial(party, service, agency)))


async def _log_token(request: web.Request) -> web.Response:
    """What the broker's session handed out, for `saphan audit fetch`; it ends with the session."""
    token = request.app[SERVICE].line.token
    if token is None:
        raise Unavailable("line_down", "the line to the broker is down, so there is no token")
    return json_response({"token": token})


async def _events(request: web.Request) -> web.StreamResponse:
    """Server-sent events, each one JSON object; a comment keeps an idle stream alive.

    A listener that takes nothing for 30 s is let go: it holds a place that others need.
    """
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    response.headers["Cache-Control"] = "no-store"
    with request.app[SERVICE].events.listen() as listener:
        await response.prepare(request)
        await response.write(b": listening\n\n")
        while True:
            event = await listener.next(KEEP_ALIVE_S)
            try:
                # A token that has ended meanwhile, or a rule that has changed, ends the hearing.
                told = await _told(request, event)
            except SaphanError:
                return response
            if event is not None and told is None:
                continue
            text = b": idle\n\n" if told is None else b"data: %b\n\n" % msgspec.json.encode(told)
            try:
                async with asyncio.timeout(LIMITS.api_patience_ms / 1000):
                    await response.write(text)
            except ConnectionError:
                return response  # the listener went away
            except TimeoutError:
                if request.transport is not None:
                    request.transport.abort()  # closing would wait for the reader again
                return response


async def _told(request: web.Request, event: Event | None) -> Event | None:
    """An event as this listener is told of it; raises Refused when its token has ended."""
    service, caller = request.app[SERVICE], await identify(request)
    if event is None or isinstance(caller, Keeper):
        return event
    return await service.engine.in_reading(partial(View(service, caller).told, event))


async def _bulletin(request: web.Request) -> tuple[NodeService, bytes]:
    service = request.app[SERVICE]
    look = partial(view_of(request).resolve, request.match_info["id"])
    return service, await service.engine.in_reading(look)
