"""`saphan-broker tls renew`: a fresh certificate, of the same key unless told otherwise."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from saphan_schemas.errors import OperatorError
from saphan_schemas.messages import text
from saphan_schemas.terminal import print_json, print_line

from saphan_broker.cli.options import Parser, Subparsers, add_command, add_group, add_keys
from saphan_broker.clock import system_clock
from saphan_broker.init_marker import check_finished
from saphan_broker.serving_keys import read_keys, serves_only
from saphan_broker.tls_files import CERTIFICATE_NAME, renew_tls


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan-broker tls renew`."""
    group = add_group(commands, "tls")
    parser = add_command(group, "renew", "tls_renew", _renew, data=False)
    add_keys(parser)
    parser.add_argument("--new-key", action="store_true", help=text("help.broker_new_key"))


def _renew(args: argparse.Namespace) -> int:
    check_finished(args.keys)
    if args.new_key and serves_only(args.keys):
        raise OperatorError(
            "serves_only",
            f"{args.keys} shows the TLS key of the signer's host, which agencies have pinned",
            field="keys",
            hint="make a new key on the signer's host, then share its keys anew",
        )
    name = read_keys(args.keys)[0].name
    facts = renew_tls(args.keys, [name], system_clock(), new_key=args.new_key)
    until = datetime.fromtimestamp(facts.not_after / 1_000, UTC).date().isoformat()
    path = args.keys / CERTIFICATE_NAME
    if args.json:
        value = {"file": str(path), "key": facts.pin.hex(), "until": until, "new": args.new_key}
        print_json(sys.stdout, value)
        return 0
    print_line(sys.stdout, text("note.broker_renewed", path=path, until=until))
    if args.new_key:
        print_line(sys.stdout, text("note.broker_invite_again"))
    return 0
