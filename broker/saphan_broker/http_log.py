"""The logs over HTTP, as C2SP tlog-tiles: checkpoints, tiles and entry bundles of the signed heads.

    /directory/checkpoint                     /evidence/checkpoint
    /directory/tile/<L>/<N>[.p/<W>]           /evidence/tile/...
    /directory/tile/entries/<N>[.p/<W>]       /evidence/tile/entries/...

Only what the newest signed head covers is shown. Without --public-log a request carries the token
that an enrolled agency's session has got: leaves say nothing to a stranger, but their number does.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import hdrs, web
from saphan_protocol.tiles import (
    TILE_WIDTH,
    encode_bundle,
    parse_entries_path,
    parse_tile_path,
)
from saphan_schemas.errors import InvalidInput, SaphanError
from saphan_schemas.limits import KIB, MIB

from saphan_broker.logs.cosigned import cosigned
from saphan_broker.logs.log_book import Published
from saphan_broker.sessions.room import Room
from saphan_broker.state import State
from saphan_broker.store.base import LOGS, Log

TokenCheck = Callable[[str], bool | Awaitable[bool]]
"""Whether a bearer token belongs to an open session of an enrolled agency, here or elsewhere."""

READS_AT_ONCE: Final = 8
"""Bundles read at one time: 256 leaves of the directory log may be 16 MiB together."""
READERS: Final = 256
SENT_BYTES: Final = 32 * MIB
"""Answers on their way to readers, however slowly those take them; the next one waits."""
PIECE: Final = 64 * KIB
PATIENCE_S: Final = 30.0
"""For one piece, 17 kbit/s: a reader that takes less holds room that others need."""
FOREVER: Final = "max-age=31536000, immutable"
NOT_KEPT: Final = "no-cache"
_BEARER: Final = re.compile(r"Bearer ([A-Za-z0-9_=-]{1,64})", re.ASCII)


class LogPages:
    """Handlers of both logs.

    Args:
        admits: the token check; None shows the logs to everyone (--public-log).
    """

    def __init__(self, state: State, admits: TokenCheck | None) -> None:
        self._state = state
        self._admits = admits
        self._reads = asyncio.Semaphore(READS_AT_ONCE)
        self._room = Room(READERS, SENT_BYTES)
        self._scope = "public" if admits is None else "private"

    def routes(self) -> list[web.RouteDef]:
        """GET and HEAD of both logs' paths."""
        routes: list[web.RouteDef] = []
        for log in LOGS:
            routes.append(web.get(f"/{log}/checkpoint", self._handler(log, self._checkpoint)))
            routes.append(web.get(f"/{log}/{{path:tile/.*}}", self._handler(log, self._tile)))
        return routes

    def _handler(
        self, log: Log, show: Callable[[Log, str], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            if self._admits is not None and not await _bears(request, self._admits):
                return _error(401, "token_required", "the log is shown to enrolled agencies only")
            # The path as it was sent: decoding %31 would give one tile many names.
            path = request.raw_path.partition("?")[0].removeprefix(f"/{log}/")
            try:
                async with self._reads:
                    answer = await show(log, path)
            except InvalidInput as error:
                return _error(404, error.code, error.message)
            except SaphanError as error:
                return _error(error.http_status, error.code, "the log cannot be read now")
            return await self._send(request, answer)

        return handle

    async def _send(self, request: web.Request, answer: web.Response) -> web.StreamResponse:
        """Write an answer piece by piece; a reader that stalls is let go."""
        body = answer.body
        if not isinstance(body, bytes) or len(body) <= PIECE:
            return answer
        await self._room.take(len(body))
        try:
            return await _in_pieces(request, answer, body)
        finally:
            self._room.give_back(len(body))

    async def _checkpoint(self, log: Log, path: str) -> web.Response:
        if path != "checkpoint":
            return _error(404, "tile_path", "the path is not in its one spelling")
        published = self._published(log)
        note = await cosigned(self._state.store, log, published.size, published.note)
        return self._answer(note, NOT_KEPT, "text/plain")

    async def _tile(self, log: Log, path: str) -> web.Response:
        published = self._published(log)
        if path.startswith("tile/entries/"):
            bundle = parse_entries_path(path)
            _check_covered(published.size, 0, bundle.n, bundle.width)
            start = bundle.n * TILE_WIDTH
            leaves = await self._state.store.leaves(log, start, start + bundle.width)
            return self._answer(encode_bundle(leaves), _kept(bundle.width))
        tile = parse_tile_path(path)
        _check_covered(published.size, *tile)
        # What lies behind the signed head is a longer tile: the one asked for is its beginning.
        hashes = await self._state.store.tile(log, tile.level, tile.n)
        if hashes is None or len(hashes) < 32 * tile.width:
            raise _not_there("the tile is missing in the store")
        return self._answer(hashes[: 32 * tile.width], _kept(tile.width))

    def _published(self, log: Log) -> Published:
        published = self._state.books[log].published
        if published is None:
            raise _not_there("the log has no signed head yet")
        return published

    def _answer(
        self, body: bytes, kept: str, content_type: str = "application/octet-stream"
    ) -> web.Response:
        return web.Response(
            body=body,
            content_type=content_type,
            charset="utf-8" if content_type == "text/plain" else None,
            headers={hdrs.CACHE_CONTROL: f"{self._scope}, {kept}"},
        )


async def _in_pieces(request: web.Request, answer: web.Response, body: bytes) -> web.StreamResponse:
    stream = web.StreamResponse(status=answer.status, headers=answer.headers)
    stream.content_length = len(body)
    await stream.prepare(request)
    try:
        if request.method != hdrs.METH_HEAD:
            for start in range(0, len(body), PIECE):
                async with asyncio.timeout(PATIENCE_S):
                    await stream.write(body[start : start + PIECE])
    except (TimeoutError, ConnectionError):
        if request.transport is not None:
            request.transport.abort()  # closing would wait for the reader again
    return stream


def _check_covered(size: int, level: int, n: int, width: int) -> None:
    if n * TILE_WIDTH + width > size >> 8 * level:
        raise _not_there("the signed head does not cover this yet")


def _kept(width: int) -> str:
    """A full tile never changes; a partial one is soon of no use."""
    return FOREVER if width == TILE_WIDTH else NOT_KEPT


async def _bears(request: web.Request, admits: TokenCheck) -> bool:
    given = _BEARER.fullmatch(request.headers.get(hdrs.AUTHORIZATION, ""))
    if given is None:
        return False
    admitted = admits(given[1])
    return admitted if isinstance(admitted, bool) else await admitted


def _not_there(why: str) -> InvalidInput:
    return InvalidInput("not_found", why, field="path")


def _error(status: int, code: str, message: str) -> web.Response:
    headers = {hdrs.CACHE_CONTROL: "no-store"}
    if status == 401:
        headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
    body = {"error": {"code": code, "message": message}}
    return web.json_response(body, status=status, headers=headers)
