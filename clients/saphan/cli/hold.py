"""`saphan hold order|renew|release|sign|submit|list|show|asked|ask|answer`.

What is held is destroyed by nobody of this agency, and not at the broker either; other agencies
are asked. A court's or the law's reference stays in this agency's node.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from saphan.cli.hold_lines import asked_line, hold_line, hold_lines, member_line
from saphan.cli.hold_orders import order, release, renew, sign, submit
from saphan.cli.officer import bulletin_id
from saphan.cli.options import (
    Parser,
    Subparsers,
    add_command,
    add_group,
    add_passphrase,
    local_node,
)
from saphan.cli.speech import say, show

Json = dict[str, Any]
PAGE: Final = 500
ANSWERS: Final = {
    "kept": "kept",
    "not_kept": "not_kept",
    "destroyed": "destroyed_before",
    "released": "released",
}
"""Options of `answer`, and the codes that they say."""


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register the commands."""
    group = add_group(commands, "hold")
    _add_order(add_command(group, "order", "hold_order", order))
    for name, run in (("renew", renew), ("release", release)):
        parser = add_command(group, name, f"hold_{name}", run)
        parser.add_argument("hold", metavar="HOLD", help=say("help.hold_named"))
        _add_signed(parser)
        if name == "renew":
            parser.add_argument(
                "--review", required=True, metavar="DATE", help=say("help.hold_review")
            )
    signing = add_command(group, "sign", "hold_sign", sign)
    signing.add_argument("file", type=Path, metavar="FILE", help=say("help.hold_file"))
    _add_key(signing)
    handing = add_command(group, "submit", "hold_submit", submit)
    handing.add_argument("file", type=Path, metavar="FILE", help=say("help.hold_file"))
    listing = add_command(group, "list", "hold_list", _list)
    listing.add_argument("--id", metavar="ID", help=say("help.hold_of_bulletin"))
    one = add_command(group, "show", "hold_show", _show)
    one.add_argument("hold", metavar="HOLD", help=say("help.hold_named"))
    add_command(group, "asked", "hold_asked", _asked)
    _add_words(group)


def _add_order(parser: Parser) -> None:
    _add_signed(parser)
    parser.add_argument("--review", required=True, metavar="DATE", help=say("help.hold_review"))
    for name, metavar in (("id", "ID"), ("type", "TYPE"), ("thread", "ID"), ("case", "REF")):
        parser.add_argument(
            f"--{name}", action="append", default=[], metavar=metavar, help=say(f"help.hold_{name}")
        )
    parser.add_argument("--from", dest="since", metavar="DATE", help=say("help.hold_from"))
    parser.add_argument("--to", dest="until", metavar="DATE", help=say("help.hold_to"))
    parser.add_argument("--untold", action="store_true", help=say("help.hold_untold"))


def _add_signed(parser: Parser) -> None:
    parser.add_argument(
        "--reference", required=True, metavar="TEXT", help=say("help.hold_reference")
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help=say("help.hold_out"))
    _add_key(parser)


def _add_key(parser: Parser) -> None:
    parser.add_argument("--key", type=Path, metavar="FILE", help=say("help.order_key_file"))
    parser.add_argument("--yes", action="store_true", help=say("help.order_yes"))
    add_passphrase(parser, what=say("noun.order_key"))


def _add_words(group: Subparsers[Parser]) -> None:
    asking = add_command(group, "ask", "hold_ask", _ask)
    asking.add_argument("--release", action="store_true", help=say("help.hold_ask_release"))
    answering = add_command(group, "answer", "hold_answer", _answer)
    either = answering.add_mutually_exclusive_group(required=True)
    for name in ANSWERS:
        either.add_argument(
            f"--{name.replace('_', '-')}",
            dest="said",
            action="store_const",
            const=ANSWERS[name],
            help=say(f"hold_answer.{ANSWERS[name]}"),
        )
    for parser in (asking, answering):
        parser.add_argument("id", metavar="ID", help=say("help.bulletin_id"))
        parser.add_argument("--agency", metavar="AGENCY", help=say("help.hold_agency"))


def _list(args: argparse.Namespace) -> int:
    only = "" if args.id is None else f"?bulletin={bulletin_id(args.id)}"
    found = local_node(args).get(f"/v1/holds{only}")
    lines = [hold_line(one) for one in found["holds"]]
    show({"holds": found["holds"]}, lines or [say("note.holds_none")], as_json=args.json)
    return 0


def _show(args: argparse.Namespace) -> int:
    node, members, after = local_node(args), list[Json](), 0
    while True:
        found = node.get(f"/v1/holds/{args.hold}?after={after}&limit={PAGE}")
        members += found["members"]
        if len(found["members"]) < PAGE:
            break
        after = found["members"][-1]["place"]
    value = found | {"members": members}
    show(value, _shown(value), as_json=args.json)
    return 0


def _shown(value: Json) -> Iterator[str]:
    yield from hold_lines(value)
    yield from (member_line(one) for one in value["members"])


def _asked(args: argparse.Namespace) -> int:
    found = local_node(args).get("/v1/holds")["asked"]
    lines = [asked_line(one) for one in found]
    show({"asked": found}, lines or [say("note.holds_asked_none")], as_json=args.json)
    return 0


def _ask(args: argparse.Namespace) -> int:
    return _word(args, "ask", "release" if args.release else "hold")


def _answer(args: argparse.Namespace) -> int:
    return _word(args, "answer", args.said)


def _word(args: argparse.Namespace, verb: str, code: str) -> int:
    listed = "saphan hold asked" if verb == "answer" else "saphan status"
    path = f"/v1/bulletins/{bulletin_id(args.id, listed)}/hold/{verb}"
    found = local_node(args).post(path, {"code": code, "agency": args.agency})
    said = say(f"hold_{verb}.{code}")
    show(found, [say("note.hold_said", to=", ".join(found["to"]), said=said)], as_json=args.json)
    return 0
