"""`saphan-broker invitation`: the file for agencies anew, for another address or certificate."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from saphan_schemas.messages import text
from saphan_schemas.terminal import print_json

from saphan_broker.cli.init import describe, show_invitation
from saphan_broker.cli.options import Parser, Subparsers, add_command, add_keys
from saphan_broker.inviting import invite, write_invitation


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan-broker invitation`."""
    parser = add_command(commands, "invitation", "invitation", _invitation, data=False)
    add_keys(parser)
    parser.add_argument(
        "--address", required=True, metavar="HOST:PORT", help=text("help.broker_address")
    )
    parser.add_argument("--authority", action="store_true", help=text("help.broker_authority"))
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help=text("help.broker_invitation")
    )


def _invitation(args: argparse.Namespace) -> int:
    made = invite(args.keys, args.address, authority=args.authority)
    write_invitation(args.out, made)
    if args.json:
        print_json(sys.stdout, describe(made, args.out))
    else:
        show_invitation(made, args.out)
    return 0
