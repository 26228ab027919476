"""`saphan agreement sign|countersign|finish`: signatures, and what follows from the last one.

The last one beside its node keeps the agreement or order in the folder, hands it to the node, and
waits until the log shows it.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from saphan_schemas.errors import Refused, Unavailable

from saphan.agreements.draft import Draft, check_signable, finish, format_draft, merge
from saphan.agreements.kept import keep
from saphan.agreements.order_draft import (
    OrderDraft,
    finish_order,
    format_order_draft,
)
from saphan.agreements.orders import keep_order
from saphan.cli.agreement_page import draft_value, order_value
from saphan.cli.agreement_signing import (
    add_root,
    read_draft,
    show_draft,
    show_order_draft,
    with_root,
    with_root_on_order,
)
from saphan.cli.options import Parser, Subparsers, add_command, local_node, office_of
from saphan.cli.speech import say, show
from saphan.cli.submitting import hand_over
from saphan.cli.waiting import ready_for
from saphan.durable import PUBLIC_MODE, create_file, replace_file
from saphan.office import Office


def add_signing(group: Subparsers[Parser]) -> None:
    """Register sign, countersign and finish."""
    signing = add_command(group, "sign", "agreement_sign", _sign)
    signing.add_argument("file", type=Path, metavar="FILE", help=say("help.draft"))
    signing.add_argument("--pins", type=Path, metavar="FILE", help=say("help.own_pins"))
    add_root(signing)
    last = add_command(group, "countersign", "agreement_countersign", _countersign)
    _add_copies(last)
    last.add_argument("--wait", action="store_true", help=say("help.wait_node"))
    add_root(last)
    finishing = add_command(group, "finish", "agreement_finish", _finish)
    _add_copies(finishing)
    finishing.add_argument("--out", type=Path, required=True, metavar="FILE", help=say("help.out"))


def _add_copies(parser: Parser) -> None:
    """Copies of one draft that several holders have signed apart; the first one is written."""
    parser.add_argument("file", type=Path, metavar="FILE", help=say("help.draft"))
    parser.add_argument("copies", type=Path, nargs="*", metavar="COPY", help=say("help.copies"))


def _read_copies(args: argparse.Namespace) -> Draft | OrderDraft:
    first, *others = [read_draft(path) for path in (args.file, *args.copies)]
    orders = [one for one in others if isinstance(one, OrderDraft)]
    drafts = [one for one in others if isinstance(one, Draft)]
    if isinstance(first, OrderDraft) and not drafts:
        return first.merged(*orders)
    if isinstance(first, Draft) and not orders:
        return merge(first, *drafts)
    raise Refused("draft_differs", "one draft is of an agreement, another of an order")


def _sign(args: argparse.Namespace) -> int:
    draft = read_draft(args.file)
    if isinstance(draft, OrderDraft):
        signed_order = with_root_on_order(args, draft)
        replace_file(args.file, format_order_draft(signed_order), PUBLIC_MODE)
        show_order_draft(args, signed_order, args.file)
        return 0
    signed = with_root(args, draft)
    replace_file(args.file, format_draft(signed), PUBLIC_MODE)
    show_draft(args, signed, args.file)
    return 0


# --- countersign ----------------------------------------------------------------------------------


def _countersign(args: argparse.Namespace) -> int:
    """The last signature, and what follows: kept here, handed to the node, waited for."""
    draft = _read_copies(args)
    office = office_of(args)
    own = office.read_agency()
    if isinstance(draft, OrderDraft):
        if draft.order.agency != own.agency:
            raise Refused(
                "draft_foreign",
                f"the draft is an order of {draft.order.agency}, this is {own.agency}",
                field="draft",
                hint="name the agency's folder with --dir",
            )
        if not draft.complete:
            _check_last(len(draft.signatures) + 1 >= draft.threshold, own.agency)
            draft = with_root_on_order(args, draft)
            replace_file(args.file, format_order_draft(draft), PUBLIC_MODE)
        return conclude_order(args, office, draft)
    check_signable(draft, own.root_ids, office.read_pins())
    if draft.missing:
        _check_last(_lacks_one(draft, own.agency), ", ".join(draft.missing))
        draft = with_root(args, draft)
        replace_file(args.file, format_draft(draft), PUBLIC_MODE)
    return _conclude(args, draft)


def _lacks_one(draft: Draft, agency: str) -> bool:
    """Whether one more signature by this agency makes the draft whole."""
    if draft.missing != (agency,):
        return False
    (party,) = (party for party in draft.agreement.parties if party.agency == agency)
    return draft.signers(party) + 1 == party.threshold


def _check_last(last: bool, missing: str) -> None:
    if not last:
        raise Refused(
            "agreement_threshold",
            f"one signature more does not complete the draft: {missing} must sign it too",
            field="draft.signatures",
            hint="sign it and hand it on: saphan agreement sign FILE",
        )


def _conclude(args: argparse.Namespace, signed: Draft) -> int:
    path = keep(office_of(args), signed, os.urandom(32))
    what = "the agreement"
    _submit(args, path, what, lambda: hand_over(args, path, wait=True))
    value = draft_value(signed) | {"file": str(args.file), "finished": True, "agreement": str(path)}
    lines = [say("note.agreement_in_force", reference=signed.agreement.reference)]
    show(value, lines, as_json=args.json)
    return 0


def conclude_order(args: argparse.Namespace, office: Office, draft: OrderDraft) -> int:
    """Keep an order that enough roots have signed, and hand it to the node."""
    return submit_order(args, office, draft.agreement.reference, finish_order(draft))


def submit_order(args: argparse.Namespace, office: Office, reference: str, package: bytes) -> int:
    """Keep a signed order in the folder and hand it to the node of the same folder."""
    path = keep_order(office, reference, package)
    answers: list[dict[str, Any]] = []
    _submit(args, path, "the order", lambda: answers.append(hand_over(args, path, wait=True)[1]))
    logged = bool(answers[0]["logged"])
    value = order_value(package) | {"file": str(path), "reference": reference, "logged": logged}
    key = "note.order_logged" if logged else "note.order_bound"
    action = say(f"order.{value['action']}", agency=value["agency"])
    show(value, [f"{action}: {reference}", say(key, path=path)], as_json=args.json)
    return 0


def _submit(args: argparse.Namespace, path: Path, what: str, give: Callable[[], object]) -> None:
    try:
        if getattr(args, "wait", False):
            ready_for(local_node(args), set())
        else:
            local_node(args).get("/v1/identity")  # a node that does not run is not waited for
        give()
    except Unavailable as error:
        raise Unavailable(
            error.code,
            f"{what} is signed and kept in {path}, but not with the broker: {error.message}",
            hint=f"start the node, then: saphan agreement submit {path} --wait",
        ) from None


def _finish(args: argparse.Namespace) -> int:
    draft = _read_copies(args)
    if isinstance(draft, OrderDraft):
        data, reference = finish_order(draft), draft.agreement.reference
    else:
        data, reference = finish(draft, os.urandom(32)), draft.agreement.reference
    # The salt must stay among the parties and the broker, so nobody else may read the file.
    create_file(args.out, data)
    value = {"file": str(args.out), "reference": reference, "finished": True}
    show(value, [say("note.agreement_finished", path=args.out)], as_json=args.json)
    return 0
