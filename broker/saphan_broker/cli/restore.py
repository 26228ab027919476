"""`saphan-broker restore`: put a backup back, on either engine, and say whether it may run."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import closing
from pathlib import Path

from saphan_schemas.messages import text
from saphan_schemas.terminal import print_line

from saphan_broker.cli.brought import print_brought, print_brought_json
from saphan_broker.cli.options import Parser, Subparsers, add_command, add_keys
from saphan_broker.cli.progress import ProgressBar
from saphan_broker.cli.store_options import add_store, store_choice
from saphan_broker.moving.house import House
from saphan_broker.moving.restoring import Restored, restore
from saphan_broker.serving_keys import read_keys


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan-broker restore`."""
    parser = add_command(commands, "restore", "restore", _restore)
    add_keys(parser)
    parser.add_argument(
        "--from",
        type=Path,
        required=True,
        dest="folder",
        metavar="DIR",
        help=text("help.broker_restore_from"),
    )
    add_store(parser)


def _restore(args: argparse.Namespace) -> int:
    house = House(args.data, store_choice(args).of(read_keys(args.keys)[0]))
    with closing(ProgressBar(silent=args.json)) as progress:
        restored = asyncio.run(restore(args.folder, house, args.keys, progress))
    _say(args, restored)
    return 0


def _say(args: argparse.Namespace, restored: Restored) -> None:
    sizes = restored.kept.sizes()
    if args.json:
        print_brought_json({**sizes, "lacking": restored.lacking}, restored.brought)
        return
    print_brought("note.broker_restored", restored.brought, **sizes)
    if restored.lacking:
        lacking = sum(restored.lacking.values())
        print_line(sys.stdout, text("note.broker_restored_behind", lacking=lacking))
    else:
        print_line(sys.stdout, text("note.broker_restored_whole"))
