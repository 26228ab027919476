"""`saphan thread ID`: a bulletin with all that belong to it, and who owes an answer by when."""

from __future__ import annotations

import argparse

from saphan.cli.officer import bulletin_id
from saphan.cli.options import Parser, Subparsers, add_command, local_node
from saphan.cli.speech import say, show
from saphan.cli.thread_lines import thread_lines


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register the command."""
    thread = add_command(commands, "thread", "thread", _thread)
    thread.add_argument("id", metavar="ID", help=say("help.bulletin_id"))


def _thread(args: argparse.Namespace) -> int:
    found = local_node(args).get(f"/v1/bulletins/{bulletin_id(args.id)}/thread")
    show(found, thread_lines(found), as_json=args.json)
    return 0
