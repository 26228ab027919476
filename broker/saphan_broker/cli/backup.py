"""`saphan-broker backup`: a copy of the store beside the running broker; never of its keys."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import closing
from pathlib import Path

from saphan_schemas.errors import InvalidInput
from saphan_schemas.messages import text

from saphan_broker.cli.brought import print_brought, print_brought_json
from saphan_broker.cli.options import Parser, Subparsers, add_command
from saphan_broker.cli.progress import ProgressBar
from saphan_broker.cli.store_options import add_store, store_choice
from saphan_broker.clock import system_clock
from saphan_broker.moved_marker import check_not_moved
from saphan_broker.moving.backup import BackedUp, back_up
from saphan_broker.moving.house import House
from saphan_broker.seeds import DayKeys
from saphan_broker.serving_keys import read_keys


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan-broker backup`."""
    parser = add_command(commands, "backup", "backup", _backup)
    parser.add_argument("--keys", type=Path, metavar="DIR", help=text("help.broker_backup_keys"))
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help=text("help.broker_backup_out")
    )
    add_store(parser)


def _backup(args: argparse.Namespace) -> int:
    house = House(args.data, store_choice(args))
    check_not_moved(args.data, house.choice)
    if house.on_server:
        if args.keys is None:
            raise InvalidInput(
                "option_missing",
                "records in a server's store are found by what is sealed in them",
                field="keys",
                hint="add --keys DIR; nothing of it goes into the backup",
            )
        house = House(args.data, house.choice.of(read_keys(args.keys)[0]))
    with closing(ProgressBar(silent=args.json)) as progress:
        made = asyncio.run(
            back_up(house, lambda: DayKeys.open(args.keys), args.out, system_clock, progress)
        )
    _say(args, made)
    return 0


def _say(args: argparse.Namespace, made: BackedUp) -> None:
    sizes = made.kept.sizes()
    if args.json:
        value = {"folder": str(args.out), "made": made.kept.made, **sizes}
        print_brought_json(value, made.brought)
        return
    print_brought("note.broker_backed_up", made.brought, path=args.out, **sizes)
