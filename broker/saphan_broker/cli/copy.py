"""`saphan-broker copy`: move a broker's whole store from SQLite to Redis or Valkey, or back."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import closing
from dataclasses import asdict, replace

from saphan_schemas.errors import InvalidInput
from saphan_schemas.messages import text
from saphan_schemas.terminal import print_line

from saphan_broker.cli.brought import print_brought, print_brought_json
from saphan_broker.cli.options import Parser, Subparsers, add_command, add_keys
from saphan_broker.cli.progress import ProgressBar
from saphan_broker.cli.store_options import add_store, store_choice
from saphan_broker.moving.house import House
from saphan_broker.moving.moved import Moved, move
from saphan_broker.opening import BlobPlace, StoreChoice
from saphan_broker.serving_keys import read_keys


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan-broker copy`."""
    parser = add_command(commands, "copy", "copy", _copy)
    add_keys(parser)
    parser.add_argument(
        "--to", choices=("redis", "sqlite"), required=True, help=text("help.broker_copy_to")
    )
    parser.add_argument("--sqlite-blobs", metavar="WHERE", help=text("help.broker_sqlite_blobs"))
    add_store(parser)


def _copy(args: argparse.Namespace) -> int:
    old, new = _houses(args)
    with closing(ProgressBar(silent=args.json)) as progress:
        moved = asyncio.run(move(old, new, args.keys, progress))
    _say(args, moved)
    return 0


def _houses(args: argparse.Namespace) -> tuple[House, House]:
    """(from, to): of the two, one is SQLite in --data and one is on the server."""
    choice = store_choice(args)
    if choice.redis is None:
        raise InvalidInput(
            "option_missing",
            "one of the two stores is on a server, and no --redis names it",
            field="redis",
            hint="add --redis URL",
        )
    server = House(args.data, choice.of(read_keys(args.keys)[0]))
    here = None
    if args.sqlite_blobs is not None:
        here = replace(choice.blobs or BlobPlace(""), where=args.sqlite_blobs)
    sqlite = House(args.data, StoreChoice(blobs=here))
    return (sqlite, server) if args.to == "redis" else (server, sqlite)


def _say(args: argparse.Namespace, moved: Moved) -> None:
    copied = asdict(moved.copied)
    if args.json:
        print_brought_json({"to": args.to} | copied, moved.brought)
        return
    print_brought("note.broker_copied", moved.brought, **copied)
    print_line(sys.stdout, text(f"note.broker_copied_to_{args.to}"))
