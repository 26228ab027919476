"""`saphan revoke`: heed a revocation that came by hand, now, whatever the broker shows."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saphan_protocol.agreement_order import parse_order
from saphan_protocol.operation import check_operation
from saphan_schemas.errors import InvalidInput, SaphanError
from saphan_schemas.frames import ORDER_BYTES
from saphan_schemas.limits import LIMITS

from saphan.base64_text import text_of
from saphan.cli.options import Parser, Subparsers, add_command, add_group, local_node
from saphan.cli.render import stamp
from saphan.cli.speech import say, show
from saphan.durable import read_bounded


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan revoke import|list`."""
    group = add_group(commands, "revoke")
    take = add_command(group, "import", "revoke_import", _import)
    take.add_argument("file", type=Path, metavar="FILE", help=say("help.revocation"))
    add_command(group, "list", "revoke_list", _list)


def _import(args: argparse.Namespace) -> int:
    data = read_bounded(args.file, max(LIMITS.operation_bytes, ORDER_BYTES), "revocation")
    kind = kind_of(data)
    taken = local_node(args).post("/v1/bound", {kind: text_of(data)})
    told = "note.revocation_logged" if taken["logged"] else "note.revocation_binds"
    show(taken, [say(told), *_lines(taken)], as_json=args.json)
    return 0


def _list(args: argparse.Namespace) -> int:
    found = local_node(args).get("/v1/bound")
    lines = [line for row in found["bound"] for line in _lines(row)]
    show(found, lines or [say("note.nothing_bound")], as_json=args.json)
    return 0


def kind_of(data: bytes) -> str:
    """ "operation" or "order", by the one parser that takes the bytes.

    Raises:
        InvalidInput: `revocation_malformed`.
    """
    for kind, parse in (("operation", check_operation), ("order", parse_order)):
        try:
            parse(data)
        except SaphanError:
            continue
        return kind
    raise InvalidInput(
        "revocation_malformed",
        "the file is neither a signed operation nor a signed order",
        field="file",
        hint="ask your partner for the file in their operations folder, or for the signed order",
    )


def _lines(row: dict[str, Any]) -> Iterator[str]:
    when = stamp(row["imported"])
    state = say("noun.in_the_log" if row["logged"] else "noun.not_in_the_log")
    if row["kind"] == "operation":
        what = say("note.bound_operation", agency=row["agency"], version=row["version"])
        yield f"{when}  {what}  {state}"
        yield from (f"    {name[:16]}" for name in row["revokes"])
        return
    what = say(f"order.{row['action']}", agency=row["agency"])
    yield f"{when}  {what}  {state}"
    yield f"    {row['agreement'][:16]}"
