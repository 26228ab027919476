"""`saphan keys operations | acknowledge`: what the directory holds in this agency's name."""

from __future__ import annotations

import argparse
import base64
from datetime import UTC, datetime
from typing import Any

from saphan.ceremony.concluding import keep_logged
from saphan.cli.options import Parser, Subparsers, add_command, local_node, office_of
from saphan.cli.speech import confirm, say, show


def add_own_operations(group: Subparsers[Parser]) -> None:
    """Register both commands below `saphan keys`."""
    add_command(group, "operations", "keys_operations", _operations)
    known = add_command(group, "acknowledge", "keys_acknowledge", _acknowledge)
    known.add_argument("version", type=int, metavar="VERSION", help=say("help.operation_version"))
    known.add_argument("--yes", action="store_true", help=say("help.yes"))


def _operations(args: argparse.Namespace) -> int:
    found = local_node(args).get("/v1/operations")
    show(found, [_line(row) for row in found["operations"]], as_json=args.json)
    return 0


def _line(row: dict[str, Any]) -> str:
    day = datetime.fromtimestamp(row["time"] / 1000, UTC).date().isoformat()
    known = say(f"noun.operation_{row['known'] or 'foreign'}")
    return f"{row['version']:>4}  {day}  {known:<12}  {row['changes']}"


def _acknowledge(args: argparse.Namespace) -> int:
    confirm(say("prompt.acknowledge", version=args.version), yes=args.yes)
    done = local_node(args).post(f"/v1/operations/{args.version}/acknowledge", {})
    path = keep_logged(office_of(args), base64.b64decode(done["operation"]))
    value = {"version": args.version, "operation": str(path)}
    lines = [
        say("note.acknowledged", version=args.version),
        say("note.operation_kept", path=path),
    ]
    show(value, lines, as_json=args.json)
    return 0
