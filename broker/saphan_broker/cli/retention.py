"""`saphan-broker retention`: what would be destroyed, and the operator's leave to do so."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from saphan_schemas.limits import DAY_MS
from saphan_schemas.messages import text
from saphan_schemas.terminal import print_json, print_line

from saphan_broker.cli.operator_line import ask, ask_each
from saphan_broker.cli.options import Parser, Subparsers, add_command, add_group, count
from saphan_broker.retention.whole import MOST_DAYS

SHOWN: Final = ("day", "deliveries", "bytes", "held")
DAYS: Final = 30
"""A month is what a person can still look through."""


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan-broker retention plan`, `arm` and `confirm`."""
    group = add_group(commands, "retention")
    plan = add_command(group, "plan", "retention_plan", _plan)
    plan.add_argument(
        "--days",
        type=count(0, MOST_DAYS),
        default=DAYS,
        metavar="N",
        help=text("help.broker_retention_days"),
    )
    add_command(group, "arm", "retention_arm", _arm)
    confirm = add_command(group, "confirm", "retention_confirm", _confirm)
    confirm.add_argument("--reason", required=True, metavar="TEXT", help=text("help.broker_reason"))


def _plan(args: argparse.Namespace) -> int:
    answer = ask(args.data, "POST", "/retention/plan", {"days": args.days})
    if args.json:
        print_json(sys.stdout, answer)
    else:
        for line in page(answer, args.days):
            print_line(sys.stdout, line)
    return 0


def page(answer: Mapping[str, Any], days: int) -> Iterator[str]:
    """The lines that people read."""
    rule = answer["rule"]
    yield text(
        "note.broker_retention_rule",
        grace=rule["delivery_grace_days"],
        records=rule["record_days"],
        leap=rule["leap_ms"] // DAY_MS,
    )
    for one in answer["days"]:
        key = "note.broker_retention_overdue" if one["overdue"] else "note.broker_retention_day"
        yield "  " + text(key, **{name: one[name] for name in SHOWN})
    yield text(
        "note.broker_retention_whole",
        days=days,
        deliveries=answer["deliveries"],
        bytes=answer["bytes"],
        held=answer["held"],
    )
    yield text("note.broker_retention_" + ("armed" if answer["armed"] else "unarmed"))
    if answer["leaps"]:
        yield text("note.broker_retention_leaps")


def _arm(args: argparse.Namespace) -> int:
    answer = ask(args.data, "POST", "/retention/arm", {})
    if args.json:
        print_json(sys.stdout, answer)
    else:
        key = "was_armed" if answer["armed_before"] else "is_armed"
        print_line(sys.stdout, text(f"note.broker_retention_{key}"))
    return 0


def _confirm(args: argparse.Namespace) -> int:
    # Each process has the file of its host, and any of them may sequence next.
    answer = ask_each(args.data, "POST", "/retention/confirm", {"reason": args.reason})[0]
    if args.json:
        print_json(sys.stdout, answer)
        return 0
    seconds = answer["witnessed_at"]
    shown = "-" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
    key = "note.broker_retention_confirmed" if answer["leapt"] else "note.broker_retention_no_leap"
    print_line(sys.stdout, text(key, time=shown))
    return 0
