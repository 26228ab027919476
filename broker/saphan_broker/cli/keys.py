"""`saphan-broker keys share`: a keys directory for hosts that serve and never sign."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from saphan_schemas.messages import text
from saphan_schemas.terminal import print_json, print_line

from saphan_broker.cli.options import Parser, Subparsers, add_command, add_group, add_keys
from saphan_broker.init_marker import check_finished
from saphan_broker.serving_keys import share


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan-broker keys share`."""
    parser = add_command(add_group(commands, "keys"), "share", "keys_share", _share, data=False)
    add_keys(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help=text("help.broker_share_out")
    )


def _share(args: argparse.Namespace) -> int:
    check_finished(args.keys)
    pins = share(args.keys, args.out)
    if args.json:
        print_json(sys.stdout, {"keys": str(args.out), "name": pins.name})
        return 0
    print_line(sys.stdout, text("note.broker_shared", out=args.out, name=pins.name))
    print_line(sys.stdout, text("note.broker_share_next", out=args.out))
    return 0
