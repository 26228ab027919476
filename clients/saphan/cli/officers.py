"""`saphan officer list|log`: who may see what at this node, and who was shown and read what."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from saphan.cli.officer import bulletin_id
from saphan.cli.options import Parser, Subparsers, add_command, add_group, local_node
from saphan.cli.render import stamp
from saphan.cli.speech import say, show

Json = dict[str, Any]
PAGE = 500


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan officer list|log`."""
    group = add_group(commands, "officer")
    add_command(group, "list", "officer_list", _list)
    log = add_command(group, "log", "officer_log", _log)
    log.add_argument("--handle", metavar="HANDLE", help=say("help.log_handle"))
    log.add_argument("--bulletin", metavar="ID", help=say("help.log_bulletin"))
    log.add_argument("--after", type=int, default=0, metavar="N", help=say("help.log_after"))


def _list(args: argparse.Namespace) -> int:
    rows = local_node(args).get("/v1/officers")["officers"]
    show({"officers": rows}, (_officer_line(row) for row in rows), as_json=args.json)
    return 0


def _officer_line(row: Json) -> str:
    if not row["active"]:
        return f"{row['handle']}  {say('note.officer_left')}"
    clearance = say("note.officer_none")
    if row["clearance"] is not None:
        clearance = f"TLP:{row['clearance'].upper()}"
    sections = say("note.officer_all") if row["sections"] is None else ", ".join(row["sections"])
    return f"{row['handle']}  {clearance}  {sections}  {', '.join(row['languages'])}".rstrip()


def _log(args: argparse.Namespace) -> int:
    rows = list(_records(args))
    lines = [_log_line(row) for row in rows] or [say("note.officer_log_empty")]
    show({"showings": rows}, lines, as_json=args.json)
    return 0


def _records(args: argparse.Namespace) -> Iterator[Json]:
    """Every record from --after on, page by page."""
    node, after = local_node(args), max(0, args.after)
    asked = "" if args.handle is None else f"&officer={quote(args.handle, safe='')}"
    if args.bulletin is not None:
        asked += f"&id={bulletin_id(args.bulletin)}"
    while True:
        rows = node.get(f"/v1/showings?after={after}&limit={PAGE}{asked}")["showings"]
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1]["seq"]


def _log_line(row: Json) -> str:
    what = say(f"showing.{row['kind']}")
    return f"{row['seq']:>6}  {stamp(row['time'])}  {row['officer']}  {what}  {row['id'][:16]}"
