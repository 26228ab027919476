"""Where a broker listens and what it shows there: options of `run`, and of `succeed`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from saphan_schemas.errors import InvalidInput
from saphan_schemas.messages import text

from saphan_broker.cli.options import DEFAULT_LISTEN, Parser, address
from saphan_broker.clock import system_clock
from saphan_broker.tls_files import (
    CERTIFICATE_NAME,
    KEY_NAME,
    PLAIN,
    Shown,
    behind_proxy,
    shown,
)

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def add_listening(parser: Parser) -> None:
    """`--listen`, `--tls-cert`, `--tls-key`, `--plain`."""
    parser.add_argument(
        "--listen",
        type=address,
        default=DEFAULT_LISTEN,
        metavar="HOST:PORT",
        help=text("help.broker_listen"),
    )
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help=text("help.broker_tls_cert"))
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help=text("help.broker_tls_key"))
    parser.add_argument("--plain", action="store_true", help=text("help.broker_plain"))


def showing_of(args: argparse.Namespace) -> Shown:
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
