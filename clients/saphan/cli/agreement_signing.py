"""`saphan agreement sign|countersign|finish`: roots sign drafts of agreements and of orders.

A holder's machine needs no network: with --key and --pins it needs no agency's folder either.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from saphan_protocol.invitation import INVITATION_BYTES, parse_trust
from saphan_protocol.keys import SigningKey
from saphan_protocol.pins import Pins
from saphan_schemas.errors import OperatorError, Refused, Unavailable
from saphan_schemas.strict_json import parse_json

from saphan.agreement_draft import (
    DRAFT_BYTES,
    Draft,
    check_signable,
    finish,
    format_draft,
    parse_draft,
    sign,
)
from saphan.agreement_kept import keep
from saphan.agreement_orders import DRAFT_FORMAT as ORDER_FORMAT
from saphan.agreement_orders import (
    OrderDraft,
    check_order_signer,
    finish_order,
    format_order_draft,
    keep_order,
    parse_order_draft,
    sign_order_draft,
)
from saphan.ceremony.holder import open_root_file
from saphan.cli.agreement_page import draft_value, order_page, order_value, page
from saphan.cli.options import (
    Parser,
    Subparsers,
    add_command,
    add_passphrase,
    local_node,
    office_of,
    passphrase_source,
)
from saphan.cli.speech import confirm, note, say, show
from saphan.cli.submitting import hand_over
from saphan.durable import PUBLIC_MODE, create_file, read_bounded, replace_file
from saphan.keyfiles import read_key_id
from saphan.office import Office


def add_signing(group: Subparsers[Parser]) -> None:
    """Register sign, countersign and finish."""
    signing = add_command(group, "sign", "agreement_sign", _sign)
    signing.add_argument("file", type=Path, metavar="FILE", help=say("help.draft"))
    signing.add_argument("--pins", type=Path, metavar="FILE", help=say("help.own_pins"))
    signing.add_argument("--offline", action="store_true", help=say("help.sign_offline"))
    add_root(signing)
    last = add_command(group, "countersign", "agreement_countersign", _countersign)
    last.add_argument("file", type=Path, metavar="FILE", help=say("help.draft"))
    add_root(last)
    finishing = add_command(group, "finish", "agreement_finish", _finish)
    finishing.add_argument("file", type=Path, metavar="FILE", help=say("help.draft"))
    finishing.add_argument("--out", type=Path, required=True, metavar="FILE", help=say("help.out"))


def add_root(parser: Parser) -> None:
    """`--key`, `--yes` and the passphrase of the root that signs."""
    parser.add_argument("--key", type=Path, metavar="FILE", help=say("help.root_key_file"))
    parser.add_argument("--yes", action="store_true", help=say("help.yes"))
    add_passphrase(parser, what=say("noun.root_key"))


def read_draft(path: Path) -> Draft | OrderDraft:
    """A draft of either kind; each signature on it is checked.

    Raises:
        InvalidInput: `draft_malformed`, `order_draft_malformed`, and as both parsers.
    """
    data = read_bounded(path, DRAFT_BYTES, "draft")
    try:
        kind = parse_json(dict, data).get("saphan")
    except ValueError:
        kind = None
    return parse_order_draft(data) if kind == ORDER_FORMAT else parse_draft(data)


# --- a root -------------------------------------------------------------------------------------


def root_file(args: argparse.Namespace) -> Path:
    """The key file named by --key, else the root in the agency's folder.

    Raises:
        OperatorError: `root_elsewhere`: its holders keep it.
    """
    if args.key is not None:
        return Path(args.key)
    found = office_of(args).root_key
    if not found.exists():
        raise OperatorError(
            "root_elsewhere",
            f"{office_of(args).folder} holds no root key: its holders keep theirs themselves",
            field="key",
            hint="carry the file to a holder, and there: saphan agreement sign FILE --key ROOT.key",
        )
    return found


def open_root_of(args: argparse.Namespace, path: Path) -> SigningKey:
    """The root of this key file, with its passphrase asked for."""
    return open_root_file(path, passphrase_source(args).read(say("noun.root_key")))


def pins_of(args: argparse.Namespace) -> Pins:
    """The logs that this agency trusts: of --pins, else of its folder."""
    given = getattr(args, "pins", None)
    if given is None:
        return office_of(args).read_pins()
    return parse_trust(read_bounded(given, INVITATION_BYTES, "pins"))


def confirm_page(lines: Iterable[str], *, yes: bool) -> None:
    """Show everything that is about to be signed, and ask, unless the person has said it."""
    for line in lines:
        note(line)
    confirm(say("prompt.sign"), yes=yes)


# --- sign -----------------------------------------------------------------------------------------


def _sign(args: argparse.Namespace) -> int:
    draft = read_draft(args.file)
    if isinstance(draft, OrderDraft):
        signed_order = _with_root_on_order(args, draft)
        replace_file(args.file, format_order_draft(signed_order), PUBLIC_MODE)
        show_order_draft(args, signed_order, args.file)
        return 0
    signed = with_root(args, draft)
    replace_file(args.file, format_draft(signed), PUBLIC_MODE)
    carried = args.offline or args.pins is not None  # no node runs beside a holder's machine
    if signed.missing or carried:
        show_draft(args, signed, args.file)
        return 0
    return _conclude(args, signed)


def with_root(args: argparse.Namespace, draft: Draft) -> Draft:
    """The draft with the signature of one root of this side, after a person has seen the page.

    Raises:
        Refused: `agreement_not_party`, `pins_differ`; OperatorError: `not_confirmed`, key codes.
    """
    path, pins = root_file(args), pins_of(args)
    # Before anybody reads it, or is asked for a passphrase.
    check_signable(draft, (read_key_id(path),), pins)
    confirm_page(page(draft_value(draft)), yes=args.yes)
    return sign(draft, open_root_of(args, path), pins, os.urandom(32))


def _with_root_on_order(args: argparse.Namespace, draft: OrderDraft) -> OrderDraft:
    path = root_file(args)
    check_order_signer(draft, read_key_id(path))
    confirm_page(order_page(draft), yes=args.yes)
    return sign_order_draft(draft, open_root_of(args, path))


# --- countersign ----------------------------------------------------------------------------------


def _countersign(args: argparse.Namespace) -> int:
    """The last signature, and what follows: kept here, handed to the node, waited for."""
    draft = read_draft(args.file)
    office = office_of(args)
    own = office.read_agency()
    if isinstance(draft, OrderDraft):
        if not draft.complete:
            _check_last(len(draft.signatures) + 1 >= draft.threshold, own.agency)
            draft = _with_root_on_order(args, draft)
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
        local_node(args).get("/v1/identity")  # a node that does not run is not waited for
        give()
    except Unavailable as error:
        raise Unavailable(
            error.code,
            f"{what} is signed and kept in {path}, but not with the broker: {error.message}",
            hint=f"start the node, then: saphan agreement submit {path} --wait",
        ) from None


def _finish(args: argparse.Namespace) -> int:
    draft = read_draft(args.file)
    if isinstance(draft, OrderDraft):
        data, reference = finish_order(draft), draft.agreement.reference
    else:
        data, reference = finish(draft, os.urandom(32)), draft.agreement.reference
    # The salt must stay among the parties and the broker, so nobody else may read the file.
    create_file(args.out, data)
    value = {"file": str(args.out), "reference": reference, "finished": True}
    show(value, [say("note.agreement_finished", path=args.out)], as_json=args.json)
    return 0


# --- what is said ---------------------------------------------------------------------------------


def show_draft(args: argparse.Namespace, draft: Draft, path: Path) -> None:
    """Where the draft is, and who signs it next."""
    value = draft_value(draft) | {"file": str(path)}
    if draft.missing:
        line = say("note.draft_waits", path=path, who=", ".join(draft.missing))
    else:
        line = say("note.draft_complete", path=path)
    show(value, [line], as_json=args.json)


def show_order_draft(args: argparse.Namespace, draft: OrderDraft, path: Path) -> None:
    """Where the draft of an order is, and what is done with it next."""
    have, need = len(draft.signatures), draft.threshold
    value = {
        "file": str(path),
        "agency": draft.order.agency,
        "action": draft.order.action,
        "reference": draft.agreement.reference,
        "signed": have,
        "threshold": need,
        "finished": False,
    }
    key = "note.order_draft_complete" if draft.complete else "note.order_draft_waits"
    show(value, [say(key, path=path, signed=have, needed=need)], as_json=args.json)
