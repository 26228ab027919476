"""`saphan attachment ID N --out FILE`: an attachment of a bulletin that was read, as a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from saphan.cli.officer import bulletin_id
from saphan.cli.officer_key import add_officer_key
from saphan.cli.options import Parser, Subparsers, add_command, local_node
from saphan.cli.speech import say, show


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register the command."""
    parser = add_command(commands, "attachment", "attachment", _attachment)
    parser.add_argument("id", metavar="ID", help=say("help.bulletin_id"))
    parser.add_argument("number", type=int, metavar="N", help=say("help.attachment_number"))
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help=say("help.attachment_out")
    )
    parser.add_argument("--desk", type=Path, metavar="DESK", help=say("help.desk_instead"))
    add_officer_key(parser)


def _attachment(args: argparse.Namespace) -> int:
    if args.desk is not None:
        from saphan.cli import desk_officer

        return desk_officer.attachment(args, bulletin_id(args.id))
    path = local_node(args).save(bulletin_id(args.id), max(0, args.number), args.out)
    length = path.stat().st_size
    value = {"file": str(path), "number": args.number, "length": length}
    line = say("note.attachment_saved", number=args.number, length=length, path=path)
    show(value, [line], as_json=args.json)
    return 0
