"""A root signs the draft of an agreement, or of an order on one, after a person has seen the page.

A holder's machine needs no network: with --key and --pins it needs no agency's folder either.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

from saphan_protocol.invitation import INVITATION_BYTES, parse_trust
from saphan_protocol.keys import SigningKey
from saphan_protocol.pins import Pins
from saphan_schemas.errors import OperatorError
from saphan_schemas.strict_json import parse_json

from saphan.agreements.draft import (
    DRAFT_BYTES,
    Draft,
    check_signable,
    parse_draft,
    sign,
)
from saphan.agreements.order_draft import DRAFT_FORMAT as ORDER_FORMAT
from saphan.agreements.order_draft import (
    OrderDraft,
    parse_order_draft,
)
from saphan.ceremony.holder import open_root_file
from saphan.cli.agreement_page import draft_value, order_page, page
from saphan.cli.options import (
    Parser,
    add_passphrase,
    office_of,
    passphrase_source,
)
from saphan.cli.speech import confirm, note, say, show
from saphan.durable import read_bounded
from saphan.keys.keyfiles import read_key_id


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
        office = office_of(args)
        if not office.pins_file.exists() and hasattr(args, "pins"):
            raise OperatorError(
                "pins_missing",
                f"{office.folder} trusts no broker yet: it holds no pin file",
                field="pins",
                hint="name the broker's invitation, whose words you have compared: --pins FILE",
            )
        return office.read_pins()
    return parse_trust(read_bounded(given, INVITATION_BYTES, "pins"))


def confirm_page(lines: Iterable[str], *, yes: bool) -> None:
    """Show everything that is about to be signed, and ask, unless the person has said it."""
    for line in lines:
        note(line)
    confirm(say("prompt.sign"), yes=yes)


# --- signing--------------------------------------------------------------------------------------


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


def with_root_on_order(args: argparse.Namespace, draft: OrderDraft) -> OrderDraft:
    """The draft of an order with the signature of one root; raises as `with_root`."""
    path = root_file(args)
    draft.check_signer(read_key_id(path))
    confirm_page(order_page(draft), yes=args.yes)
    return draft.sign(open_root_of(args, path))


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
