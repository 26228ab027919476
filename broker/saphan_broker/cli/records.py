"""`saphan-broker records export`: a record pack for an auditor, beside the running broker."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import asdict
from pathlib import Path

from saphan_schemas.messages import text
from saphan_schemas.terminal import print_json, print_line

from saphan_broker.cli.options import Parser, Subparsers, add_command, add_group, add_keys, index
from saphan_broker.cli.store_options import add_log, add_store, store_choice
from saphan_broker.clock import system_clock
from saphan_broker.export_file import new_file
from saphan_broker.log_asked import log_asked
from saphan_broker.opening import reading
from saphan_broker.records import Exported, Write, write_pack
from saphan_broker.seeds import DayKeys
from saphan_broker.serving_keys import read_keys
from saphan_broker.succession_chain import read_chain


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan-broker records export`."""
    parser = add_command(add_group(commands, "records"), "export", "records_export", _export)
    add_keys(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=text("help.out"))
    parser.add_argument(
        "--from", type=index, default=0, dest="start", metavar="N", help=text("help.broker_from")
    )
    parser.add_argument("--to", type=index, dest="stop", metavar="M", help=text("help.broker_to"))
    add_log(parser)
    add_store(parser)


def _export(args: argparse.Namespace) -> int:
    keys = DayKeys.open(args.keys)
    with new_file(args.out) as file:
        made = asyncio.run(_write(args, keys, file.write))
    if args.json:
        print_json(sys.stdout, asdict(made) | {"file": str(args.out)})
        return 0
    print_line(sys.stdout, text("note.broker_pack", path=args.out, **asdict(made)))
    if made.destroyed:
        print_line(sys.stdout, text("note.broker_pack_destroyed", count=made.destroyed))
    return 0


async def _write(args: argparse.Namespace, keys: DayKeys, write: Write) -> Exported:
    pins, chain = read_keys(args.keys)[0], read_chain(args.keys)
    asked = log_asked(args.data, store_choice(args), pins, chain, args.log)
    async with reading(asked.data, asked.choice) as reader:
        return await write_pack(reader, keys, write, args.start, args.stop, system_clock())
