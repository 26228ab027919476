"""`saphan records export`: a record pack of what the agency may show, for an auditor."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from saphan.audit.records import export_records
from saphan.cli.options import (
    Parser,
    Subparsers,
    add_command,
    add_group,
    log_number,
    now_ms,
    office_of,
)
from saphan.cli.speech import say, show


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan records export`."""
    parser = add_command(add_group(commands, "records"), "export", "records_export", _export)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=say("help.out"))
    parser.add_argument(
        "--from", type=_index, default=0, dest="start", metavar="N", help=say("help.records_from")
    )
    parser.add_argument("--log", type=log_number, metavar="N", help=say("help.records_log"))
    parser.add_argument("--to", type=_index, dest="stop", metavar="M", help=say("help.records_to"))


def _export(args: argparse.Namespace) -> int:
    office = office_of(args)
    made = export_records(
        office.node / "data" / "node.db",
        args.out,
        office.read_agency().agency,
        office.read_pins(),
        now_ms(),
        args.start,
        args.stop,
        args.log,
    )
    value = asdict(made) | {"file": str(args.out)}
    lines = [say("note.pack_written", path=args.out, **asdict(made))]
    if made.left_out:
        lines.append(say("note.pack_left_out", count=made.left_out))
    show(value, lines, as_json=args.json)
    return 0


def _index(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 17):
        raise argparse.ArgumentTypeError(say("help.not_an_index"))
    return int(text)
