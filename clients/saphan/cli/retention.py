"""`saphan retention plan|arm|list|show|extend|keep|erase|confirm|report`.

What would be erased and why, before it is; who decides at a review; what leaps of time need.
Exit status of `plan`: 0; 6 when the rules that are set are not those that act.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, Final

from saphan.cli.days import read_day
from saphan.cli.officer import bulletin_id
from saphan.cli.options import Parser, Subparsers, add_command, add_group, local_node, now_ms
from saphan.cli.report import add_report
from saphan.cli.retention_lines import bulletin_line, bulletin_lines, plan_lines, rules_line
from saphan.cli.speech import confirm, say, show

Json = dict[str, Any]
PAGE: Final = 500
PLAN_DAYS: Final = 30
EXIT_UNARMED: Final = 6
STATES: Final = ("active", "due_review", "extended", "held", "deleting", "deleted")


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register the commands."""
    group = add_group(commands, "retention")
    plan = add_command(group, "plan", "retention_plan", _plan)
    plan.add_argument(
        "--days", type=int, default=PLAN_DAYS, metavar="N", help=say("help.retention_days")
    )
    arm = add_command(group, "arm", "retention_arm", _arm)
    arm.add_argument("--rules", metavar="DIGEST", help=say("help.retention_rules"))
    arm.add_argument("--yes", action="store_true", help=say("help.retention_yes"))
    for parser in (plan, arm):
        _add_officer(parser)
    listing = add_command(group, "list", "retention_list", _list)
    listing.add_argument("--state", choices=STATES, help=say("help.retention_state"))
    one = add_command(group, "show", "retention_show", _show)
    one.add_argument("id", metavar="ID", help=say("help.bulletin_id"))
    _add_decisions(group)
    leap = add_command(group, "confirm", "retention_confirm", _confirm)
    leap.add_argument("--yes", action="store_true", help=say("help.retention_yes"))
    add_report(group)


def _add_decisions(group: Subparsers[Parser]) -> None:
    for name in ("extend", "keep", "erase"):
        parser = add_command(group, name, f"retention_{name}", _decide)
        parser.set_defaults(decision=name, until=None, order=False)
        parser.add_argument("id", metavar="ID", help=say("help.bulletin_id"))
        parser.add_argument(
            "--reason", required=True, metavar="TEXT", help=say("help.retention_reason")
        )
        if name == "extend":
            parser.add_argument(
                "--until", required=True, metavar="DATE", help=say("help.retention_until")
            )
        if name == "erase":
            parser.add_argument("--order", action="store_true", help=say("help.retention_order"))
        parser.add_argument("--yes", action="store_true", help=say("help.retention_yes"))
        _add_officer(parser)


def _add_officer(parser: Parser) -> None:
    parser.add_argument("--officer", metavar="HANDLE", help=say("help.recall_officer"))


def _plan(args: argparse.Namespace) -> int:
    body = {"days": args.days, "officer": args.officer}
    found = local_node(args).post("/v1/retention/plan", body)
    show(found, plan_lines(found), as_json=args.json)
    return 0 if found["acts"] else EXIT_UNARMED


def _arm(args: argparse.Namespace) -> int:
    confirm(say("prompt.retention_arm"), yes=args.yes)
    body = {"rules": args.rules, "officer": args.officer}
    found = local_node(args).post("/v1/retention/arm", body)
    show(found, [rules_line(found)], as_json=args.json)
    return 0


def _list(args: argparse.Namespace) -> int:
    found = list(_pages(args))
    lines = [bulletin_line(one) for one in found]
    show({"bulletins": found}, lines or [say("retention.none")], as_json=args.json)
    return 0


def _pages(args: argparse.Namespace) -> Iterator[Json]:
    """Every page of the list."""
    node, after = local_node(args), 0
    state = "" if args.state is None else f"&state={args.state}"
    while True:
        page = node.get(f"/v1/retention?after={after}&limit={PAGE}{state}")["bulletins"]
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1]["seq"]


def _show(args: argparse.Namespace) -> int:
    found = local_node(args).get(f"/v1/bulletins/{bulletin_id(args.id)}/retention")
    show(found, bulletin_lines(found), as_json=args.json)
    return 0


def _decide(args: argparse.Namespace) -> int:
    node, bulletin = local_node(args), bulletin_id(args.id)
    if args.decision == "erase":
        confirm(say("prompt.retention_erase", id=bulletin[:16]), yes=args.yes)
    body = {
        "decision": args.decision,
        "reason": args.reason,
        "until": None if args.until is None else read_day(args.until, "until", now_ms()),
        "order": args.order,
        "officer": args.officer,
    }
    found = node.post(f"/v1/bulletins/{bulletin}/retention", body)
    show(found, bulletin_lines(found), as_json=args.json)
    return 0


def _confirm(args: argparse.Namespace) -> int:
    confirm(say("prompt.retention_confirm"), yes=args.yes)
    found = local_node(args).post("/v1/retention/confirm", {})
    days = found["leap_days"]
    line = say("retention.no_leap") if days is None else say("retention.confirmed", days=days)
    show(found, [line], as_json=args.json)
    return 0
