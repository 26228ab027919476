"""`saphan-broker log export`: both public logs as a folder, beside the running broker."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import asdict
from pathlib import Path

from saphan_schemas.messages import text
from saphan_schemas.terminal import print_json, print_line

from saphan_broker.cli.options import Parser, Subparsers, add_command, add_group
from saphan_broker.cli.store_options import add_log, add_store, store_choice
from saphan_broker.data_pins import known_pins
from saphan_broker.log_asked import log_asked
from saphan_broker.logs.log_export import ExportedLog, export_logs
from saphan_broker.opening import reading
from saphan_broker.store.base import Log


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan-broker log export`."""
    parser = add_command(add_group(commands, "log"), "export", "log_export", _export)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help=text("help.broker_folder")
    )
    add_log(parser)
    add_store(parser)


def _export(args: argparse.Namespace) -> int:
    made = asyncio.run(_write(args))
    if args.json:
        logs: dict[str, object] = {log: asdict(one) for log, one in made.items()}
        print_json(sys.stdout, logs | {"folder": str(args.out)})
        return 0
    for one in made.values():
        print_line(sys.stdout, text("note.broker_log_exported", path=args.out, **asdict(one)))
    return 0


async def _write(args: argparse.Namespace) -> dict[Log, ExportedLog]:
    choice, data = store_choice(args), args.data
    if choice.shared or args.log is not None:
        # Where the directory's own number is of no matter, nobody's chain is asked for.
        asked = log_asked(data, choice, known_pins(data), (), args.log)
        choice, data = asked.choice, asked.data
    async with reading(data, choice) as reader:
        return await export_logs(reader, args.out)
