"""`saphan-broker init`: make a broker and the pin file that agencies start their nodes with."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from saphan_protocol.suite import require_post_quantum
from saphan_protocol.words import fingerprint_words, word_lines
from saphan_schemas.messages import text
from saphan_schemas.terminal import print_json, print_line

from saphan_broker.cli.options import Parser, Subparsers, add_command, add_keys
from saphan_broker.init import PINS_NAME, init


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan-broker init`."""
    parser = add_command(commands, "init", "init", _init)
    add_keys(parser)
    parser.add_argument("--name", required=True, metavar="NAME", help=text("help.broker_name"))
    parser.add_argument("--pins", type=Path, metavar="FILE", help=text("help.broker_pins"))


def _init(args: argparse.Namespace) -> int:
    require_post_quantum()
    pins_file = args.pins if args.pins is not None else args.data / PINS_NAME
    pins, heads = init(args.data, args.keys, args.name, pins_file)
    if args.json:
        value = {
            "name": pins.name,
            "data": str(args.data),
            "keys": str(args.keys),
            "pins": str(pins_file),
            "words": fingerprint_words(pins.digest),
            "heads": [
                {"origin": head.origin, "size": head.size, "root": head.root.hex()}
                for head in heads
            ],
        }
        print_json(sys.stdout, value)
        return 0
    for line in (
        text("note.broker_made", name=pins.name, data=args.data, keys=args.keys),
        text("note.broker_pins", path=pins_file),
        *(f"    {line}" for line in word_lines(pins.digest)),
        text("note.broker_keep_keys", keys=args.keys),
    ):
        print_line(sys.stdout, line)
    return 0
