"""`saphan agreement list|suspend|resume|terminate`: how agreements stand, and this side's orders.

An order by the order key binds this agency's own node at once and is offered to the broker until
the log shows it; so it may be given while the line is down, or the broker does not want to hear it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

from saphan_protocol.agreement import AGREEMENT_TYPE, parse_agreement
from saphan_protocol.identity import identity
from saphan_schemas.errors import InvalidInput, OperatorError, Unavailable
from saphan_schemas.records import Role

from saphan.agreements.order_draft import draft_order, format_order_draft
from saphan.agreements.orders import Action, kept_orders, make_order, order_by_key
from saphan.cli.agreement_concluding import conclude_order, submit_order
from saphan.cli.agreement_page import order_page
from saphan.cli.agreement_signing import confirm_page, open_root_of, show_order_draft
from saphan.cli.agreement_texts import agreement_text, node_agreements
from saphan.cli.options import (
    Parser,
    Subparsers,
    add_command,
    add_passphrase,
    now_ms,
    office_of,
    passphrase_source,
)
from saphan.cli.render import stamp
from saphan.cli.speech import say, show
from saphan.durable import PUBLIC_MODE, create_file
from saphan.keys.keyfiles import read_key
from saphan.office import Office

Json = dict[str, Any]


def add_orders(group: Subparsers[Parser]) -> None:
    """Register list, suspend, resume and terminate."""
    add_command(group, "list", "agreement_list", _list)
    for action in get_args(Action):
        parser = add_command(group, action, f"agreement_{action}", _order)
        parser.set_defaults(action=action)
        parser.add_argument("agreement", metavar="AGREEMENT", help=say("help.which_agreement"))
        parser.add_argument("--reason", metavar="TEXT", help=say("help.order_reason"))
        parser.add_argument("--key", type=Path, metavar="FILE", help=say("help.order_key_file"))
        parser.add_argument("--out", type=Path, metavar="FILE", help=say("help.order_out"))
        parser.add_argument("--yes", action="store_true", help=say("help.order_yes"))
        if action != "terminate":
            parser.add_argument("--root", action="store_true", help=say("help.order_by_root"))
        add_passphrase(parser, what=say("noun.order_key"))


def _list(args: argparse.Namespace) -> int:
    found = node_agreements(args)
    lines = [line for one in found for line in _lines(one)]
    show({"agreements": found}, lines or [say("note.no_agreements")], as_json=args.json)
    return 0


def _lines(one: Json) -> Iterator[str]:
    dates = f"{stamp(one['valid_from'])[:10]} - {stamp(one['valid_until'])[:10]}"
    condition = say(f"condition.{one['condition']}", by=", ".join(one["by"]))
    yield f"{one['reference']}  {one['identity'][:16]}  {dates}  {condition}"
    yield f"    {', '.join(one['parties'])}  {one['title']}"
    for order in one["orders"]:
        action = say(f"order.{order['action']}", agency=order["agency"])
        reason = "" if order["reason"] is None else f": {order['reason']}"
        unlogged = "" if order["logged"] else f"  ({say('noun.not_in_the_log')})"
        yield f"    {stamp(order['time'])}  {action}{reason}{unlogged}"
    for bulletin in one.get("in_flight_now", ()):
        said = say(f"flight.{bulletin['treatment']}", recipient=bulletin["recipient"])
        yield f"    {bulletin['id'][:16]}  {said}"


def _order(args: argparse.Namespace) -> int:
    office = office_of(args)
    own = office.read_agency()
    text = agreement_text(args, args.agreement)
    agreement = parse_agreement(text)
    name = identity(AGREEMENT_TYPE, text)
    if all(party.agency != own.agency for party in agreement.parties):
        raise InvalidInput(
            "agreement_not_party",
            f"{own.agency} is no party of {agreement.reference}",
            field="agreement",
        )
    number = _next_number(args, office, name, agreement.reference)
    order = make_order(name, own.agency, args.action, number, now_ms(), args.reason)
    draft = draft_order(order, text, own)
    by_root = args.action == "terminate" or args.root
    if not by_root:
        path = _order_key(args, office)
        confirm_page(order_page(draft), yes=args.yes)
        key = read_key(path, Role.ORDER, passphrase_source(args).read(say("noun.order_key")))
        package = order_by_key(order, key.signing())
        return submit_order(args, office, agreement.reference, package)
    if args.key is not None or office.root_key.exists():
        confirm_page(order_page(draft), yes=args.yes)
        draft = draft.sign(open_root_of(args, args.key or office.root_key))
    if draft.complete and args.out is None:
        return conclude_order(args, office, draft)
    if args.out is None:
        raise InvalidInput(
            "order_draft_needed",
            f"{draft.threshold} roots sign this order, so it is carried to their holders",
            field="out",
            hint="name a file for the draft: --out FILE",
        )
    create_file(args.out, format_order_draft(draft), PUBLIC_MODE)
    show_order_draft(args, draft, args.out)
    return 0


def _order_key(args: argparse.Namespace, office: Office) -> Path:
    if args.key is not None:
        return Path(args.key)
    path = office.key_file(Role.ORDER, b"")
    if not path.exists():
        raise OperatorError(
            "order_key_missing",
            f"{office.folder} holds no order key",
            field="key",
            hint="enrol one: saphan keys add order; or let the root sign: --root",
        )
    return path


def _next_number(args: argparse.Namespace, office: Office, agreed: bytes, reference: str) -> int:
    """By the log as the node knows it; without a node, by the orders that are kept here."""
    with suppress(Unavailable, OperatorError):
        for one in node_agreements(args):
            if one["identity"] == agreed.hex():
                return int(one["own_orders"]) + 1
    return 1 + sum(1 for _ in kept_orders(office, agreed, reference))
