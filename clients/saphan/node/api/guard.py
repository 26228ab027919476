"""Around every request of the local API: who asks, whether they may, and errors as JSON."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Final

from aiohttp import web
from saphan_schemas.errors import InvalidInput, OperatorError, SaphanError, Unavailable
from saphan_schemas.explaining import explained
from saphan_schemas.limits import LIMITS
from saphan_schemas.messages import error_hint

from saphan.node.api.access import OPEN_PATH, check_access
from saphan.node.api.app import BUSY, PLACES, SERVICE, STREAMS, TOKEN
from saphan.node.api.requests import json_response
from saphan.node.callers import Caller, Keeper, Officer, set_caller

log = logging.getLogger("saphan.node")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

EVENTS_PATH: Final = "/v1/events"
SCHEME: Final = "Bearer "
UNAUTHENTICATED: Final = frozenset({"token_wrong", "token_expired", "token_revoked"})
"""Codes of a token that is none: status 401."""


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error as JSON; a bug is logged here and named to nobody."""
    try:
        return await handler(request)
    except SaphanError as error:
        if error.code == "token_scope":  # a program that was set up wrongly, or somebody tries
            log.warning("the local API: %s", error.message)
        return error_response(error, _status(error), await _sentences(error))
    except web.HTTPNotFound:
        return error_response(InvalidInput("path_unknown", f"there is no {request.path}"), 404)
    except web.HTTPMethodNotAllowed:
        return error_response(
            InvalidInput("method_unknown", f"{request.path} takes no {request.method}"), 405
        )
    except web.HTTPException as error:
        return error_response(InvalidInput("malformed", error.reason), error.status)
    except ConnectionError:
        return web.Response(status=400)  # whoever asked went away: nobody reads this
    except Exception:
        log.exception("a request to %s met a bug", request.path)
        return error_response(Unavailable("internal", "the node met a bug; it is in its log"), 500)


def _status(error: SaphanError) -> int:
    if error.code in UNAUTHENTICATED:
        return 401
    return 404 if error.code in ("bulletin_unknown", "token_unknown") else error.http_status


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Nothing is looked at, not even whether a path exists, before the caller is known."""
    if request.path == OPEN_PATH:
        return await handler(request)
    caller = await identify(request)
    set_caller(request, caller)
    resource = request.match_info.route.resource
    if resource is not None:  # None: no such path, or another method; the router answers
        check_access(caller, request.method, resource.canonical)
    with _counted(request, caller):
        busy, what = request.app[BUSY], f"{LIMITS.api_connections} requests are being served"
        if request.path == EVENTS_PATH:
            busy, what = request.app[STREAMS], f"{LIMITS.api_streams} programs listen to events"
        if busy.locked():
            raise _busy(what)
        async with busy:
            return await handler(request)


@contextlib.contextmanager
def _counted(request: web.Request, caller: Caller) -> Iterator[None]:
    """One system or officer has so many places and no more: others need theirs.

    Raises:
        Unavailable: `api_busy`.
    """
    streaming = request.path == EVENTS_PATH
    name, taken = (caller.label, streaming), request.app[PLACES]
    most = LIMITS.api_caller_streams if streaming else LIMITS.api_caller_connections
    if taken[name] >= most and not isinstance(caller, Keeper):
        raise _busy(f"{most} requests of {caller.label} are being served")
    taken[name] += 1
    try:
        yield
    finally:
        taken[name] -= 1
        if not taken[name]:
            del taken[name]


def _busy(what: str) -> Unavailable:
    return Unavailable("api_busy", what, hint="close what is not needed, or try again")


async def identify(request: web.Request) -> Caller:
    """Whoever the bearer token stands for at this moment.

    Raises:
        Refused: `token_wrong`, `token_expired`, `token_revoked`; `key_revoked` of an officer.
    """
    given = request.headers.get("Authorization", "")
    text = given.removeprefix(SCHEME) if given.startswith(SCHEME) else ""
    if hmac.compare_digest(text.encode(errors="replace"), request.app[TOKEN].encode()):
        return Keeper()
    service = request.app[SERVICE]
    caller = service.tokens.caller(text)
    if isinstance(caller, Officer):
        await service.engine.in_reading(partial(service.tokens.check, caller))
    if service.tokens.unnoted():
        with contextlib.suppress(OperatorError):  # a full disk: the next use is noted again
            await service.engine.in_reading(service.tokens.note)
    return caller


async def _sentences(error: SaphanError) -> dict[str, str] | None:
    """What is wrong with a bulletin, in each language: its words are read from files, once."""
    if getattr(error, "fault", None) is None:
        return None
    return await asyncio.to_thread(explained, error)


def error_response(
    error: SaphanError, status: int, sentences: dict[str, str] | None = None
) -> web.Response:
    """An error as JSON {code, message, field, hint}; with sentences about a bulletin `explained`:
    the case system knows which language its user reads."""
    value: dict[str, object] = {
        "code": error.code,
        "message": error.message,
        "field": error.field,
        "hint": error_hint(error),
    }
    if sentences is not None:
        value["explained"] = sentences
    response = json_response(value, status)
    if isinstance(error, Unavailable):
        response.headers["Retry-After"] = str(max(1, error.retry_after_ms // 1000))
    return response
