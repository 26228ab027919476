"""The listener for officers' desks: TLS of the node's own key, one WebSocket path, nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import WSCloseCode, web
from saphan_schemas.errors import SaphanError, Unavailable
from saphan_schemas.limits import LIMITS

from saphan.listening import close
from saphan.node.binding import HTTP_LOG, bind
from saphan.node.desks.evidence import destroy_made
from saphan.node.desks.login import DeskPeer
from saphan.node.desks.parts import Bringing
from saphan.node.desks.session import DeskSession
from saphan.node.desks.tls import desk_tls
from saphan.node.service import NodeService

log = logging.getLogger("saphan.node")

DESK_PATH: Final = "/v1/desk"
STRANGERS: Final = LIMITS.strangers
"""Connections that have not logged in."""
SILENCE_S: Final = LIMITS.login_ms / 1000
"""Of a connection that asks for nothing; every one costs the node a file handle."""
SHUTDOWN_S: Final = 2.0


@asynccontextmanager
async def desks_served(
    service: NodeService, host: str, port: int
) -> AsyncIterator[tuple[str, int]]:
    """Serve desks for as long as the block lasts; gives (host, port), the port never 0.

    Raises:
        OperatorError: `port_taken`, `address_unusable`, key file codes, `tls_unusable`.
        InvalidInput: `tls_key_malformed`, `certificate_malformed`.
    """
    folder, now = service.config.office.node, service.config.clock()
    tls = await asyncio.to_thread(desk_tls, folder, host, now)
    await asyncio.to_thread(destroy_made, service.config.data)
    desks = Desks(service, tls.facts.fingerprint)
    app = web.Application()
    app.router.add_get(DESK_PATH, desks.serve)
    app.on_shutdown.append(desks.close)
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=SHUTDOWN_S,
        keepalive_timeout=SILENCE_S,
        logger=HTTP_LOG,
    )
    await runner.setup()
    try:
        yield await bind(runner, host, port, tls.context)
    finally:
        await close(runner)


class Desks:
    """All sessions of a node's desks; on the event loop only.

    Args:
        tls: SHA-256 of the certificate shown.
    """

    def __init__(self, service: NodeService, tls: bytes) -> None:
        self._service = service
        self._tls = tls
        self._strangers: dict[DeskSession, web.Request] = {}
        self._open: dict[web.WebSocketResponse, str] = {}
        self._bringing: Bringing = {}

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One desk, from its challenge to its end."""
        ws = web.WebSocketResponse(
            heartbeat=LIMITS.heartbeat_ms / 1000,
            max_msg_size=LIMITS.desk_frame_bytes,
            compress=False,
            timeout=SHUTDOWN_S,  # for the other end's farewell
        )
        await ws.prepare(request)
        session = DeskSession(ws, self._service, self._tls, self._bringing)
        try:
            peer = await self._log_in(request, session)
            self._check_room(peer)
            self._open[ws] = peer.handle
            await session.work(peer)
        except SaphanError as error:
            log.info("a desk's session ended: %s", error)
            await session.close(error)
        finally:
            self._open.pop(ws, None)
        return ws

    async def close(self, app: web.Application) -> None:
        """The node stops: every desk is told by the closing of its line."""
        for request in list(self._strangers.values()):
            _abort(request)
        closing = (ws.close(code=WSCloseCode.GOING_AWAY) for ws in list(self._open))
        await asyncio.gather(*closing, return_exceptions=True)

    async def _log_in(self, request: web.Request, session: DeskSession) -> DeskPeer:
        """Of too many that have not logged in, the oldest makes room."""
        if len(self._strangers) >= STRANGERS:
            _abort(next(iter(self._strangers.values())))
        self._strangers[session] = request
        try:
            return await session.log_in()
        finally:
            del self._strangers[session]

    def _check_room(self, peer: DeskPeer) -> None:
        own = Counter(self._open.values())[peer.handle]
        if own >= LIMITS.desk_sessions_per_officer or len(self._open) >= LIMITS.desk_sessions:
            raise Unavailable(
                "desks_full",
                f"{own} desks of {peer.handle} are connected, {len(self._open)} in all",
                hint="close what is not needed, or try again in a minute",
                retry_after_ms=LIMITS.heartbeat_ms,
            )


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
