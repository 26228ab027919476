"""The web application of one broker, and the program's run until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from saphan_schemas.limits import LIMITS

from saphan_broker.broker import Broker
from saphan_broker.listening import cannot_listen, close
from saphan_broker.tls_files import PLAIN, Shown

_log = logging.getLogger("saphan.broker")


def _quotes_nothing(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_http_log = logging.getLogger("saphan.broker.http")
"""Of a request that does not parse, and has its answer, aiohttp would log what stands in it: a
session's token, or a screenful for each that a stranger sends."""
_http_log.addFilter(_quotes_nothing)

BROKER = web.AppKey("broker", Broker)


async def _session(request: web.Request) -> web.StreamResponse:
    return await request.app[BROKER].serve(request)


def make_app(broker: Broker, routes: Iterable[web.AbstractRouteDef] = ()) -> web.Application:
    """The application that serves a started broker.

    Args:
        routes: further routes, such as `http_log.LogPages(...).routes()`.
    """
    app = web.Application(client_max_size=LIMITS.api_body_bytes)
    app[BROKER] = broker
    app.router.add_get("/v1/session", _session)
    app.add_routes(routes)
    app.on_shutdown.append(_stop)
    return app


async def _stop(app: web.Application) -> None:
    """Sessions end with a reason before their connections are taken away."""
    await app[BROKER].stop()


@asynccontextmanager
async def serving(
    app: web.Application,
    host: str,
    port: int,
    tls: ssl.SSLContext | None = None,
    *,
    beside_others: bool = False,
) -> AsyncIterator[tuple[str, int]]:
    """Serve the application inside the block; gives the address it listens at.

    Args:
        port: 0 takes a free one.
        tls: None listens in clear.
        beside_others: other processes of this user listen at the same port, and the system shares
            connections out among them.

    Raises:
        OperatorError: `port_taken`, `address_unusable`.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=LIMITS.shutdown_ms / 1000,
        logger=_http_log,
    )
    await runner.setup()
    try:
        await _listen(runner, host, port, tls, beside_others)
        yield runner.addresses[0][:2]
    finally:
        await close(runner)


async def _listen(
    runner: web.AppRunner, host: str, port: int, tls: ssl.SSLContext | None, beside_others: bool
) -> None:
    shared = True if beside_others else None
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls, reuse_port=shared).start()
    except OSError as error:
        raise cannot_listen(host, port, error) from None


async def run_until_told(
    broker: Broker,
    app: web.Application,
    host: str,
    port: int,
    *,
    shown: Shown = PLAIN,
    started: Callable[[str, int], None] | None = None,
    told: asyncio.Event | None = None,
    beside_others: bool = False,
) -> None:
    """Serve a started broker until SIGTERM or SIGINT, then end cleanly.

    Args:
        shown: what it shows to nodes; their sessions are bound to it.
        told: ends it too when somebody sets it.
        beside_others: as for `serving`.
    """
    broker.state.certificate = shown.fingerprint
    told = asyncio.Event() if told is None else told
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    try:
        async with serving(app, host, port, shown.context, beside_others=beside_others) as (
            name,
            bound,
        ):
            _log.info("listening at %s:%d", name, bound)
            if started is not None:
                started(name, bound)
            await told.wait()
            _log.info("told to stop: finishing what was begun")
    finally:
        await broker.stop()
