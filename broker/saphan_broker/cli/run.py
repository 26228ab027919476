"""`saphan-broker run`: carry bulletins until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from aiohttp import web
from saphan_protocol.suite import require_post_quantum
from saphan_schemas.errors import InvalidInput
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
from saphan_broker.clock import system_clock
from saphan_broker.http_log import LogPages
from saphan_broker.init import check_finished
from saphan_broker.interpreter import serve_for_long
from saphan_broker.metrics import MetricsPages
from saphan_broker.tls_files import (
    CERTIFICATE_NAME,
    KEY_NAME,
    PLAIN,
    Shown,
    behind_proxy,
    shown,
)

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


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
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help=text("help.broker_tls_cert"))
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help=text("help.broker_tls_key"))
    parser.add_argument("--plain", action="store_true", help=text("help.broker_plain"))
    parser.add_argument("--public-log", action="store_true", help=text("help.broker_public_log"))


def _run(args: argparse.Namespace) -> int:
    require_post_quantum()
    check_finished(args.keys)
    showing = _shown(args)
    log_to_stderr(as_json=args.json)
    serve_for_long()
    asyncio.run(_serve(args, showing))
    return 0


def _shown(args: argparse.Namespace) -> Shown:
    """The broker's own certificate, an authority's, or nothing: for a proxy on this machine.

    Raises:
        InvalidInput: `tls_halves`, `not_loopback`; what `tls_files.shown` raises.
    """
    if args.plain:
        if args.listen[0] not in LOOPBACK:
            raise InvalidInput(
                "not_loopback",
                f"--plain does not listen on {args.listen[0]}: the line would be in clear",
                field="listen",
                hint="leave --plain out; it is for a proxy on this machine that speaks TLS itself",
            )
        if args.tls_key is None:
            return PLAIN if args.tls_cert is None else behind_proxy(args.tls_cert)
    if args.plain or (args.tls_cert is None) != (args.tls_key is None):
        raise InvalidInput(
            "tls_halves",
            "a certificate needs its key, and a proxy keeps its key to itself",
            field="tls-key",
            hint="give --tls-cert with --tls-key, --tls-cert with --plain, or none of them",
        )
    if args.tls_cert is None:
        return shown(args.keys / CERTIFICATE_NAME, args.keys / KEY_NAME, system_clock())
    return shown(args.tls_cert, args.tls_key, system_clock())


async def _serve(args: argparse.Namespace, showing: Shown) -> None:
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
                shown=showing,
                started=lambda host, port: _ready(
                    broker,
                    _url((host, port), tls=showing.context is not None),
                    None if metrics is None else _url(metrics),
                    args.json,
                ),
            )
    finally:
        await broker.stop()


def _token_check(broker: Broker, public: bool) -> Callable[[str], bool] | None:
    return None if public else lambda token: broker.tokens.agency(token) is not None


def _ready(broker: Broker, url: str, metrics: str | None, as_json: bool) -> None:
    """The one line of output: whoever started the program may go on."""
    name = broker.state.pins.name
    if as_json:
        value = {"event": "ready", "url": url, "name": name}
        print_json(sys.stdout, value | ({"metrics": metrics} if metrics else {}))
    else:
        print_line(sys.stdout, text("note.broker_ready", name=name, url=url))


def _url(bound: tuple[str, int], *, tls: bool = False) -> str:
    host, port = bound
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{shown}:{port}"
