"""`saphan-broker allow-unheard`: the operator's logged decision to sign before a node was heard."""

from __future__ import annotations

import argparse
import sys

from saphan_schemas.messages import text
from saphan_schemas.terminal import print_json, print_line

from saphan_broker.cli.operator_line import ask_each
from saphan_broker.cli.options import Parser, Subparsers, add_command


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan-broker allow-unheard`."""
    parser = add_command(commands, "allow-unheard", "allow_unheard", _allow)
    parser.add_argument("--reason", required=True, metavar="TEXT", help=text("help.broker_reason"))


def _allow(args: argparse.Namespace) -> int:
    # Each process has a signer of its own, and any of them may sequence next.
    answers = ask_each(args.data, "POST", "/allow-unheard", {"reason": args.reason})
    heard = all(one["heard_before"] for one in answers)
    answer = answers[0] | {"heard_before": heard}
    if args.json:
        print_json(sys.stdout, answer)
    else:
        key = "note.broker_heard_before" if answer["heard_before"] else "note.broker_unheard"
        print_line(sys.stdout, text(key))
    return 0
