"""`saphan-broker run`: carry bulletins until told to stop, in one process or in several."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Final

from saphan_protocol.suite import require_post_quantum
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.limits import LIMITS
from saphan_schemas.messages import text

from saphan_broker.cli.listen_options import add_listening, showing_of
from saphan_broker.cli.logs import log_to_stderr
from saphan_broker.cli.options import (
    Parser,
    Subparsers,
    add_command,
    add_keys,
    address,
    count,
)
from saphan_broker.cli.store_options import add_store, store_choice
from saphan_broker.data_lock import locked
from saphan_broker.init_marker import check_finished
from saphan_broker.moved_marker import check_not_moved
from saphan_broker.opening import StoreChoice
from saphan_broker.serving_keys import serves_only
from saphan_broker.socket_places import forget_sockets
from saphan_broker.tls_files import Shown

MOST_PORT: Final = 65_535


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan-broker run`."""
    parser = add_command(commands, "run", "run", _run)
    add_keys(parser)
    add_listening(parser)
    parser.add_argument(
        "--metrics-listen",
        type=address,
        metavar="HOST:PORT",
        help=text("help.broker_metrics_listen"),
    )
    parser.add_argument("--public-log", action="store_true", help=text("help.broker_public_log"))
    parser.add_argument("--quotas", type=Path, metavar="FILE", help=text("help.broker_quotas"))
    parser.add_argument(
        "--processes",
        type=count(1, LIMITS.processes),
        default=1,
        metavar="N",
        help=text("help.broker_processes"),
    )
    # Given by the parent of several processes to each of them, never by people.
    parser.add_argument("--seat", type=count(1, LIMITS.processes), help=argparse.SUPPRESS)
    add_store(parser)


def _run(args: argparse.Namespace) -> int:
    require_post_quantum()
    check_finished(args.keys)
    choice = store_choice(args)
    _check_processes(args, choice)
    check_not_moved(args.data, choice)
    showing = showing_of(args)
    log_to_stderr(as_json=args.json, seat=args.seat)
    if args.seat is not None:
        return _serve(args, choice, showing)
    with locked(args.data, make=choice.shared) as lock:
        forget_sockets(args.data)
        if args.processes == 1:
            return _serve(args, choice, showing)
        from saphan_broker.cli.many import supervise  # the parent alone has children

        return asyncio.run(supervise(args, lock))


def _serve(args: argparse.Namespace, choice: StoreChoice, showing: Shown) -> int:
    from saphan_broker.cli.serving import serve  # a parent of others loads no broker
    from saphan_broker.interpreter import serve_for_long

    serve_for_long()
    asyncio.run(serve(args, choice, showing))
    return 0


def _check_processes(args: argparse.Namespace, choice: StoreChoice) -> None:
    """What several processes cannot do here, and SQLite cannot at all, is said at once.

    Raises:
        InvalidInput: `processes_need_redis`, `metrics_ports`. OperatorError: `serves_only`.
    """
    if args.metrics_listen and args.metrics_listen[1] + args.processes - 1 > MOST_PORT:
        raise InvalidInput(
            "metrics_ports",
            f"{args.processes} processes have no ports from {args.metrics_listen[1]} on",
            field="metrics-listen",
            hint="name a lower port: each process takes the next one",
        )
    if choice.shared:
        return
    if args.processes > 1:
        raise InvalidInput(
            "processes_need_redis",
            f"{args.processes} processes cannot serve from one SQLite store",
            field="processes",
            hint="name a Redis or Valkey server with --redis, or run one process",
        )
    if serves_only(args.keys):
        raise OperatorError(
            "serves_only",
            f"{args.keys} can sign nothing: it is for serving what a server carries",
            field="keys",
            hint="name that server with --redis; the signer's own keys stay on its host",
        )
