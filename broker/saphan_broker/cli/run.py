"""`saphan-broker run`: carry bulletins until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack

from aiohttp import web
from saphan_protocol.suite import require_post_quantum
from saphan_schemas.messages import text
from saphan_schemas.terminal import print_json, print_line

from saphan_broker.admin import administered
from saphan_broker.app import make_app, run_until_told, serving
from saphan_broker.broker import Broker, open_broker
from saphan_broker.cli.logs import log_to_stderr
from saphan_broker.cli.options import (
    DEFAULT_LISTEN,
    Parser,
    Subparsers,
    add_command,
    add_keys,
    address,
)
from saphan_broker.http_log import LogPages
from saphan_broker.interpreter import serve_for_long
from saphan_broker.metrics import MetricsPages


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan-broker run`."""
    parser = add_command(commands, "run", "run", _run)
    add_keys(parser)
    parser.add_argument(
        "--listen",
        type=address,
        default=DEFAULT_LISTEN,
        metavar="HOST:PORT",
        help=text("help.broker_listen"),
    )
    parser.add_argument(
        "--metrics-listen",
        type=address,
        metavar="HOST:PORT",
        help=text("help.broker_metrics_listen"),
    )
    parser.add_argument("--public-log", action="store_true", help=text("help.broker_public_log"))


def _run(args: argparse.Namespace) -> int:
    require_post_quantum()
    log_to_stderr(as_json=args.json)
    serve_for_long()
    asyncio.run(_serve(args))
    return 0


async def _serve(args: argparse.Namespace) -> None:
    broker = await open_broker(args.data, args.keys)
    try:
        await broker.start()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(administered(broker, args.data))
            pages = MetricsPages(broker, args.data, everyone=args.metrics_listen is not None)
            routes = [] if args.metrics_listen else pages.routes()
            metrics = None
            if args.metrics_listen:
                app = web.Application()
                app.add_routes(pages.routes())
                metrics = await stack.enter_async_context(serving(app, *args.metrics_listen))
            routes += LogPages(broker.state, _token_check(broker, args.public_log)).routes()
            await run_until_told(
                broker,
                make_app(broker, routes),
                *args.listen,
                started=lambda host, port: _ready(broker, (host, port), metrics, args.json),
            )
    finally:
        await broker.stop()


def _token_check(broker: Broker, public: bool) -> Callable[[str], bool] | None:
    return None if public else lambda token: broker.tokens.agency(token) is not None


def _ready(
    broker: Broker, bound: tuple[str, int], metrics: tuple[str, int] | None, as_json: bool
) -> None:
    """The one line of output: whoever started the program may go on."""
    url = _url(bound)
    name = broker.state.pins.name
    if as_json:
        value = {"event": "ready", "url": url, "name": name}
        print_json(sys.stdout, value | ({"metrics": _url(metrics)} if metrics else {}))
    else:
        print_line(sys.stdout, text("note.broker_ready", name=name, url=url))


def _url(bound: tuple[str, int]) -> str:
    host, port = bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
