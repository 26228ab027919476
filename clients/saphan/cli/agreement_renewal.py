"""`saphan agreement renew`: a draft that replaces an agreement, with a later end or other terms."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

from saphan_protocol.agreement import parse_agreement

from saphan.agency_file import AgencyFile
from saphan.agreements.draft import Draft, format_draft
from saphan.agreements.renewal import renew, renewed_terms
from saphan.agreements.terms import TERMS_BYTES, Terms, parse_terms
from saphan.cli.agreement_signing import add_root, pins_of, show_draft, with_root
from saphan.cli.agreement_texts import agreement_text, files_of
from saphan.cli.options import Parser, Subparsers, add_command, now_ms, office_of
from saphan.cli.partners import check_root_words, known_to_node
from saphan.cli.speech import say
from saphan.durable import PUBLIC_MODE, create_file, read_bounded


def add_renewal(group: Subparsers[Parser]) -> None:
    """Register renew."""
    renewing = add_command(group, "renew", "agreement_renew", _renew)
    renewing.add_argument("agreement", metavar="AGREEMENT", help=say("help.which_agreement"))
    either = renewing.add_mutually_exclusive_group(required=True)
    either.add_argument("--until", type=_day, metavar="DAY", help=say("help.until"))
    either.add_argument("--terms", type=Path, metavar="FILE", help=say("help.renewed_terms"))
    renewing.add_argument("--reference", metavar="NAME", help=say("help.new_reference"))
    renewing.add_argument(
        "--party", type=Path, action="append", default=[], metavar="FILE", help=say("help.party")
    )
    renewing.add_argument("--pins", type=Path, metavar="FILE", help=say("help.own_pins"))
    renewing.add_argument("--out", type=Path, required=True, metavar="FILE", help=say("help.out"))
    renewing.add_argument(
        "--words", action="append", default=[], metavar="WORDS", help=say("help.root_words")
    )
    renewing.add_argument("--wait", action="store_true", help=say("help.wait_agency"))
    add_root(renewing)


def _renew(args: argparse.Namespace) -> int:
    """With --party a draft that nobody has signed; else the node says who the parties are, and this
    side has signed, if its root is at hand."""
    old, now = agreement_text(args, args.agreement), now_ms()
    terms = _terms(args, old, now)
    if args.party:
        draft = renew(old, terms, files_of(args.party), pins_of(args), now)
    else:
        draft = _signed_here(args, old, terms, now)
    create_file(args.out, format_draft(draft), PUBLIC_MODE)
    show_draft(args, draft, args.out)
    return 0


def _terms(args: argparse.Namespace, old: bytes, now: int) -> Terms:
    if args.terms is not None:
        return parse_terms(read_bounded(args.terms, TERMS_BYTES, "terms"))
    return renewed_terms(old, args.until, now, args.reference)


def _signed_here(args: argparse.Namespace, old: bytes, terms: Terms, now: int) -> Draft:
    own = office_of(args).read_agency()
    args.partners = [p.agency for p in parse_agreement(old).parties if p.agency != own.agency]
    partners: list[AgencyFile] = known_to_node(args)
    draft = renew(old, terms, [own, *partners], pins_of(args), now)
    if args.words:
        check_root_words(args.words, partners)
        args.yes = True
    at_hand = args.key is not None or office_of(args).root_key.exists()
    return with_root(args, draft) if at_hand else draft


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(say("help.not_a_day")) from None
