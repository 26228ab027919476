"""`saphan-broker init`: make a broker and the invitation that agencies begin with."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from saphan_protocol.invitation import Invitation
from saphan_protocol.suite import require_post_quantum
from saphan_protocol.words import word_lines
from saphan_schemas.messages import text
from saphan_schemas.terminal import print_json, print_line

from saphan_broker.cli.options import Parser, Subparsers, add_command, add_keys
from saphan_broker.cli.store_options import add_store, store_choice
from saphan_broker.init import init
from saphan_broker.inviting import INVITATION_NAME
from saphan_broker.serving_keys import PINS_NAME


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan-broker init`."""
    parser = add_command(commands, "init", "init", _init)
    add_keys(parser)
    parser.add_argument("--name", required=True, metavar="NAME", help=text("help.broker_name"))
    parser.add_argument("--address", metavar="HOST:PORT", help=text("help.broker_address"))
    parser.add_argument(
        "--invitation", type=Path, metavar="FILE", help=text("help.broker_invitation")
    )
    parser.add_argument("--pins", type=Path, metavar="FILE", help=text("help.broker_pins"))
    add_store(parser)


def _init(args: argparse.Namespace) -> int:
    require_post_quantum()
    pins_file = args.pins if args.pins is not None else args.data / PINS_NAME
    file = args.invitation if args.invitation is not None else args.data / INVITATION_NAME
    invitation, heads = init(
        args.data,
        args.keys,
        args.name,
        pins_file,
        address=args.address,
        invitation_file=file,
        store=store_choice(args),
    )
    if args.json:
        value = describe(invitation, file) | {
            "data": str(args.data),
            "keys": str(args.keys),
            "pins": str(pins_file),
            "heads": [
                {"origin": head.origin, "size": head.size, "root": head.root.hex()}
                for head in heads
            ],
        }
        print_json(sys.stdout, value)
        return 0
    name = invitation.pins.name
    print_line(sys.stdout, text("note.broker_made", name=name, data=args.data, keys=args.keys))
    show_invitation(invitation, file)
    print_line(sys.stdout, text("note.broker_keep_keys", keys=args.keys))
    return 0


def describe(invitation: Invitation, file: Path) -> dict[str, object]:
    """An invitation as JSON for programs."""
    return {
        "name": invitation.pins.name,
        "address": invitation.address,
        "invitation": str(file),
        "tls": None if invitation.tls is None else invitation.tls.hex(),
        "words": invitation.words,
    }


def show_invitation(invitation: Invitation, file: Path) -> None:
    """Where the file is, what to do with it, and its words."""
    for line in (
        text("note.broker_invitation", path=file, address=invitation.address),
        *(f"    {line}" for line in word_lines(invitation.digest)),
    ):
        print_line(sys.stdout, line)
