"""`saphan agreement`: terms, drafts, the page that two offices sign on paper, and its siblings."""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from saphan_protocol.agreement import parse_agreement
from saphan_protocol.operation import parse_agreement_package
from saphan_protocol.pins import Pins
from saphan_schemas.directory_records import Agreement
from saphan_schemas.errors import InvalidInput
from saphan_schemas.messages import LANGUAGES

from saphan.agency_file import AgencyFile
from saphan.agreements.document import document
from saphan.agreements.draft import DRAFT_BYTES, Draft, check_to_come, format_draft, propose
from saphan.agreements.order_draft import OrderDraft
from saphan.agreements.terms import (
    TERMS_BYTES,
    Terms,
    first_terms,
    format_terms,
    parse_terms,
    terms_of,
)
from saphan.cli.agreement_concluding import add_signing
from saphan.cli.agreement_orders import add_orders
from saphan.cli.agreement_page import describe, draft_value, order_page, page
from saphan.cli.agreement_renewal import add_renewal
from saphan.cli.agreement_signing import (
    add_root,
    pins_of,
    read_draft,
    show_draft,
    show_order_draft,
    with_root,
)
from saphan.cli.agreement_texts import agreement_text, files_of
from saphan.cli.options import (
    Parser,
    Subparsers,
    add_command,
    add_group,
    now_ms,
    office_of,
)
from saphan.cli.partners import check_root_words, known_to_node
from saphan.cli.speech import note, say, show
from saphan.cli.submitting import submit_file
from saphan.durable import PUBLIC_MODE, create_file, read_bounded


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan agreement` with everything below it."""
    group = add_group(commands, "agreement")
    terms = add_command(group, "terms", "agreement_terms", _terms)
    _add_parties(terms)
    terms.add_argument("--like", metavar="AGREEMENT", help=say("help.terms_like"))
    _add_out(terms)
    proposing = add_command(group, "propose", "agreement_propose", _propose)
    _add_parties(proposing)
    proposing.add_argument("--terms", type=Path, metavar="FILE", help=say("help.terms"))
    proposing.add_argument("--pins", type=Path, metavar="FILE", help=say("help.own_pins"))
    _add_out(proposing)
    proposing.add_argument(
        "--words", action="append", default=[], metavar="WORDS", help=say("help.root_words")
    )
    proposing.add_argument("--wait", action="store_true", help=say("help.wait_agency"))
    add_root(proposing)
    shown = add_command(group, "show", "agreement_show", _show)
    shown.add_argument("file", type=Path, metavar="FILE", help=say("help.agreement"))
    shown.add_argument("--page", type=Path, metavar="FILE", help=say("help.page"))
    add_signing(group)
    add_renewal(group)
    add_orders(group)
    submit = add_command(group, "submit", "agreement_submit", submit_file)
    submit.add_argument("file", type=Path, metavar="FILE", help=say("help.submitted"))
    submit.add_argument("--wait", action="store_true", help=say("help.wait_agreement"))


def _add_parties(parser: Parser) -> None:
    parser.add_argument(
        "--with",
        dest="partners",
        action="append",
        default=[],
        metavar="AGENCY",
        help=say("help.partner"),
    )
    parser.add_argument(
        "--party", type=Path, action="append", default=[], metavar="FILE", help=say("help.party")
    )


def _add_out(parser: Parser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=say("help.out"))


def _check_parties(args: argparse.Namespace) -> None:
    if bool(args.party) == bool(args.partners):
        raise InvalidInput(
            "parties_needed",
            "the parties are named either by --with AGENCY or by --party FILE",
            field="with",
            hint="with a running node: --with kh.gpo; with files only: --party agency.json of each",
        )


def _terms(args: argparse.Namespace) -> int:
    if args.like is not None:
        return _terms_like(args)
    _check_parties(args)
    names = [party.agency for party in files_of(args.party)]
    if args.partners:
        names = [office_of(args).read_agency().agency, *args.partners]
    create_file(args.out, first_terms(names, _today()), PUBLIC_MODE)
    value = {"file": str(args.out), "parties": sorted(names)}
    show(value, [say("note.terms_written", path=args.out)], as_json=args.json)
    return 0


def _terms_like(args: argparse.Namespace) -> int:
    """The terms of an agreement that exists, to be edited and renewed."""
    agreement = parse_agreement(agreement_text(args, args.like))
    create_file(args.out, format_terms(terms_of(agreement)), PUBLIC_MODE)
    value = {"file": str(args.out), "parties": sorted(p.agency for p in agreement.parties)}
    show(value, [say("note.terms_written", path=args.out)], as_json=args.json)
    return 0


# --- proposing ------------------------------------------------------------------------------------


def _propose(args: argparse.Namespace) -> int:
    """With --party a draft that nobody has signed; with --with one that this agency has signed."""
    _check_parties(args)
    draft = _signed_here(args) if args.partners else _of_files(args)
    create_file(args.out, format_draft(draft), PUBLIC_MODE)
    show_draft(args, draft, args.out)
    return 0


def _of_files(args: argparse.Namespace) -> Draft:
    parties = files_of(args.party)
    return _proposed(args, parties, pins_of(args))


def _proposed(args: argparse.Namespace, parties: list[AgencyFile], pins: Pins) -> Draft:
    draft = propose(_read_terms(args, parties), parties, pins)
    check_to_come(draft, now_ms())
    return draft


def _signed_here(args: argparse.Namespace) -> Draft:
    office = office_of(args)
    own, pins = office.read_agency(), office.read_pins()
    partners = known_to_node(args)
    draft = _proposed(args, [own, *partners], pins)
    if args.words:
        check_root_words(args.words, partners)
        args.yes = True
    at_hand = args.key is not None or office.root_key.exists()
    return with_root(args, draft) if at_hand else draft


def _read_terms(args: argparse.Namespace, parties: list[AgencyFile]) -> Terms:
    if args.terms is None:
        return parse_terms(first_terms([party.agency for party in parties], _today()))
    return parse_terms(read_bounded(args.terms, TERMS_BYTES, "terms"))


# --- showing --------------------------------------------------------------------------------------


def _show(args: argparse.Namespace) -> int:
    if not args.file.exists() and args.file.parent == Path():
        return _show_named(args, str(args.file))
    data = read_bounded(args.file, DRAFT_BYTES, "agreement")
    if data.lstrip()[:1] == b"{":
        return _show_draft(args)
    package = parse_agreement_package(data)
    text = parse_agreement(package.agreement)
    keys = [signature.item.key for signature in package.signatures]
    # Claimed, not checked: the roots' public keys are in the directory, not in this file.
    claimed = {p.agency: sum(key in p.roots for key in keys) for p in text.parties}
    value = describe(text, package.agreement, claimed) | {"finished": True}
    return _show_page(args, text, package.agreement, value)


def _show_named(args: argparse.Namespace, named: str) -> int:
    """One that the folder keeps or the node has from the log: every party has signed it."""
    text = agreement_text(args, named)
    agreement = parse_agreement(text)
    signed = {party.agency: party.threshold for party in agreement.parties}
    value = describe(agreement, text, signed) | {"finished": True}
    return _show_page(args, agreement, text, value)


def _show_draft(args: argparse.Namespace) -> int:
    draft = read_draft(args.file)
    if not isinstance(draft, OrderDraft):
        return _show_page(args, draft.agreement, draft.text, draft_value(draft))
    if args.page is not None:
        raise InvalidInput(
            "page_of_order",
            "an order has no page to sign on paper, only an agreement has",
            field="page",
        )
    for line in order_page(draft):
        note(line)
    show_order_draft(args, draft, args.file)
    return 0


def _show_page(
    args: argparse.Namespace, agreement: Agreement, text: bytes, value: dict[str, Any]
) -> int:
    if args.page is None:
        show(value, page(value), as_json=args.json)
        return 0
    languages = LANGUAGES if args.lang is None else (args.lang,)
    create_file(args.page, document(agreement, text, languages), PUBLIC_MODE)
    value |= {"page": str(args.page), "languages": list(languages)}
    show(value, [say("note.page_written", path=args.page)], as_json=args.json)
    return 0


def _today() -> date:
    return datetime.now(UTC).date()
