"""`saphan-broker fsck`: whether the store holds what was signed, checked as an auditor would."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import closing
from typing import Final

from saphan_protocol.audit.telling import report_json
from saphan_protocol.audit.words import report_page
from saphan_schemas.errors import Refused
from saphan_schemas.messages import text
from saphan_schemas.terminal import print_json, print_line

from saphan_broker.cli.options import Parser, Subparsers, add_command, add_keys
from saphan_broker.cli.progress import ProgressBar
from saphan_broker.cli.store_options import add_log, add_store, store_choice
from saphan_broker.fsck import Checked, fsck, last_heads
from saphan_broker.log_asked import log_asked
from saphan_broker.opening import reading
from saphan_broker.seeds import DayKeys
from saphan_broker.serving_keys import read_keys, serves_only
from saphan_broker.succession_chain import read_chain

EXIT_FINDING: Final = Refused.exit_status
"""Something is wrong with what was checked."""


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan-broker fsck`."""
    parser = add_command(commands, "fsck", "fsck", _fsck)
    add_keys(parser)
    add_log(parser)
    add_store(parser)


def _fsck(args: argparse.Namespace) -> int:
    checked = asyncio.run(_check(args))
    if args.json:
        print_json(sys.stdout, report_json(checked.report) | _behind(checked))
    else:
        for log, count in checked.behind.items():
            print_line(sys.stdout, text("note.fsck_behind", log=log, count=count))
        for line in report_page(checked.report, text):
            print_line(sys.stdout, line)
    return 0 if checked.good else EXIT_FINDING


def _behind(checked: Checked) -> dict[str, object]:
    return {"ok": checked.good, "behind_signer": dict(checked.behind)}


async def _check(args: argparse.Namespace) -> Checked:
    keys = DayKeys.open(args.keys)
    pins, _ = read_keys(args.keys)
    asked = log_asked(args.data, store_choice(args), pins, read_chain(args.keys), args.log)
    # The signers' files are of the present logs.
    unknown = asked.ended or serves_only(args.keys)
    signed = {} if unknown else last_heads(args.keys, pins)
    with closing(ProgressBar(silent=args.json)) as progress:
        async with reading(asked.data, asked.choice) as source:
            return await fsck(source, keys, asked.pins, signed, progress)
