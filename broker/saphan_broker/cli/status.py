"""`saphan-broker status`: how the running broker is, at a glance."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from saphan_schemas.messages import text
from saphan_schemas.terminal import print_json, print_line

from saphan_broker.cli.operator_line import ask
from saphan_broker.cli.options import Parser, Subparsers, add_command


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan-broker status`."""
    add_command(commands, "status", "status", _status)


def _status(args: argparse.Namespace) -> int:
    answer = ask(args.data, "GET", "/status")
    if args.json:
        print_json(sys.stdout, answer)
    else:
        for line in _page(answer):
            print_line(sys.stdout, line)
    return 0


def _page(answer: Mapping[str, Any]) -> Iterator[str]:
    key = "note.broker_is_ready" if answer["ready"] else "note.broker_not_ready"
    yield text(key, name=answer["name"])
    for reason in answer["reasons"]:
        yield f"  {reason['code']}: {reason['message']}"
    shown = {reason["code"] for reason in answer["reasons"]}
    for alarm in answer["alarms"]:
        if alarm["code"] not in shown:
            yield f"  {alarm['code']}: {alarm['message']}"
    for log in answer["logs"].values():
        yield text(
            "note.broker_log",
            origin=log["origin"],
            leaves=log["leaves"],
            signed=log["signed"],
            time=_time(log["signed_at"]),
        )
    agencies = ", ".join(answer["agencies"]) or "-"
    yield text("note.broker_agencies", agencies=agencies, sessions=answer["sessions"])
    yield text("note.broker_witnessed", time=_time(answer["witnessed_at"]))


def _time(seconds: int | None) -> str:
    if seconds is None:
        return "-"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
