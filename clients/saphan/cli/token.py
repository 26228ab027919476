"""`saphan token`: tokens of the local API for this agency's systems and officers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any
from urllib.parse import quote

from saphan_schemas.errors import SaphanError
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.width import fit

from saphan.api_rights import Right
from saphan.cli.options import Parser, Subparsers, add_command, add_group, local_node
from saphan.cli.render import stamp
from saphan.cli.speech import say, show
from saphan.durable import create_file
from saphan.local_api import LocalNode

Json = dict[str, Any]
RIGHTS = tuple(right.value for right in Right)
PATH = "/v1/tokens"
NAME_CELLS = 16
SCOPE_CELLS = 32


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan token add|list|revoke`."""
    group = add_group(commands, "token")
    add = add_command(group, "add", "token_add", _add)
    add.add_argument("name", metavar="NAME", help=say("help.token_name"))
    whose = add.add_mutually_exclusive_group(required=True)
    whose.add_argument("--right", action="append", choices=RIGHTS, help=say("help.token_right"))
    whose.add_argument("--officer", metavar="HANDLE", help=say("help.token_officer"))
    add.add_argument(
        "--type", action="append", default=[], metavar="TYPE", help=say("help.token_type")
    )
    days = LIMITS.token_ms // DAY_MS
    add.add_argument("--days", type=int, metavar="N", help=say("help.token_days", days=days))
    add.add_argument("--out", type=Path, required=True, metavar="FILE", help=say("help.token_out"))
    add_command(group, "list", "token_list", _list)
    revoke = add_command(group, "revoke", "token_revoke", _revoke)
    revoke.add_argument("name", metavar="NAME", help=say("help.token_name"))


def _add(args: argparse.Namespace) -> int:
    node = local_node(args)
    wanted: Json = {"name": args.name, "schemas": args.type, "days": args.days}
    if args.officer is None:
        wanted["rights"] = sorted(set(args.right))
    else:
        wanted["officer"] = args.officer
    made = node.post(PATH, wanted)
    _keep(node, args.out, args.name, made.pop("token"))
    lines = [say("note.token_made", name=args.name, path=args.out), _line(made)]
    show({**made, "file": str(args.out)}, lines, as_json=args.json)
    return 0


def _keep(node: LocalNode, path: Path, name: str, text: str) -> None:
    """Into a file of its own, never on the screen; what could not be kept opens nothing either."""
    try:
        create_file(path, text.encode() + b"\n")
    except SaphanError:
        node.delete(_path(name))
        raise


def _list(args: argparse.Namespace) -> int:
    rows = local_node(args).get(PATH)["tokens"]
    lines = [_line(row) for row in rows] or [say("note.no_tokens")]
    show({"tokens": rows}, lines, as_json=args.json)
    return 0


def _revoke(args: argparse.Namespace) -> int:
    ended = local_node(args).delete(_path(args.name))
    show(ended, [say("note.token_revoked", name=args.name)], as_json=args.json)
    return 0


def _path(name: str) -> str:
    return f"{PATH}/{quote(name, safe='')}"


def _line(row: Json) -> str:
    """Name, state, whose it is, until when, and when it was used last."""
    scope = " ".join([*row["rights"], *row["schemas"]])
    if row["officer"] is not None:
        scope = say("noun.key_of_officer", handle=row["officer"])
    used = say("note.token_unused")
    if row["used"] is not None:
        used = say("note.token_used", time=stamp(row["used"]))
    cells = (
        fit(row["name"], NAME_CELLS),
        fit(say(f"noun.token_{row['state']}"), 9),
        fit(scope, SCOPE_CELLS),
        say("note.token_until", day=stamp(row["expires"])[:10]),
        used,
    )
    return "  ".join(cells)
