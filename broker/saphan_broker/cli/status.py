"""`saphan-broker status`: how the running broker is, at a glance."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from saphan_schemas.errors import OperatorError
from saphan_schemas.messages import text
from saphan_schemas.terminal import print_json, print_line

from saphan_broker.cli.options import Parser, Subparsers, add_command
from saphan_broker.cli.whole_status import whole_status

STEP_S: Final = 0.2
PATIENCE_S: Final = 60.0
"""A store of millions of bulletins is read within it."""
NOTEWORTHY: Final = 0.1


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan-broker status`."""
    parser = add_command(commands, "status", "status", _status)
    parser.add_argument("--wait", action="store_true", help=text("help.broker_wait"))


def _status(args: argparse.Namespace) -> int:
    answer = _answer(args.data, PATIENCE_S if args.wait else 0)
    if args.json:
        print_json(sys.stdout, answer)
    else:
        for line in page(answer):
            print_line(sys.stdout, line)
    return 0


def _answer(data: Path, patience: float) -> Any:
    """What the broker says of itself, as soon as it runs."""
    end = time.monotonic() + patience
    while True:
        try:
            return whole_status(data)
        except OperatorError as error:
            if error.code != "broker_not_running" or time.monotonic() > end:
                raise
        time.sleep(STEP_S)


def page(answer: Mapping[str, Any]) -> Iterator[str]:
    """The lines that people read."""
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
    yield from _quotas(answer)
    yield from _processes(answer)
    kept = answer["retention"]
    yield text(
        "note.broker_retention_standing",
        destroyed=kept["destroyed"],
        lag=kept["lag_seconds"],
        day=kept["first_key"],
    )
    yield text("note.broker_witnessed", time=_time(answer["witnessed_at"]))


def _quotas(answer: Mapping[str, Any]) -> Iterator[str]:
    """Whose quota is used to a tenth or more in any part: of the others there is nothing to say."""
    for agency, parts in answer["quotas"].items():
        if max(part["used"] for part in parts.values()) >= NOTEWORTHY:
            shown = {name: f"{part['used']:.0%}" for name, part in parts.items()}
            yield "  " + text("note.broker_quota", agency=agency, **shown)


def _processes(answer: Mapping[str, Any]) -> Iterator[str]:
    """Who sequences, and which processes answer, where there is more than one."""
    processes = answer["processes"]
    of = max(one["of"] for one in processes)
    if of == 1 and answer["role"] == "alone":
        return
    yield text("note.broker_processes", answering=len(processes), count=of)
    for one in processes:
        yield "  " + text(
            f"note.broker_is_{one['role']}",
            number=one["number"],
            pid=one["pid"],
            sessions=one["sessions"],
        )
    for loss in answer["accepted_losses"]:
        yield "  " + text("note.broker_loss", loss=loss)


def _time(seconds: int | None) -> str:
    if seconds is None:
        return "-"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
