"""`saphan agreement`: write terms, propose, show, sign, finish, and hand to the node."""

from __future__ import annotations

import argparse
import os
from datetime import UTC, date, datetime
from pathlib import Path

from saphan_protocol.agreement import parse_agreement
from saphan_protocol.invitation import INVITATION_BYTES, parse_trust
from saphan_protocol.operation import parse_agreement_package
from saphan_schemas.errors import InvalidInput, Unavailable

from saphan.agency_file import AGENCY_FILE_BYTES, AgencyFile, parse_agency
from saphan.agreement_draft import (
    DRAFT_BYTES,
    Draft,
    check_signable,
    finish,
    format_draft,
    parse_draft,
    propose,
    sign,
)
from saphan.agreement_kept import keep
from saphan.cli.agreement_page import describe, draft_value, page
from saphan.cli.options import (
    Parser,
    Subparsers,
    add_command,
    add_group,
    add_passphrase,
    local_node,
    office_of,
    passphrase_source,
)
from saphan.cli.partners import check_root_words, known_to_node
from saphan.cli.speech import confirm, note, say, show
from saphan.cli.submitting import hand_over, submit_file
from saphan.durable import PUBLIC_MODE, create_file, read_bounded, replace_file
from saphan.operations import open_root
from saphan.terms import TERMS_BYTES, Terms, first_terms, parse_terms


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan agreement terms|propose|show|sign|finish|submit`."""
    group = add_group(commands, "agreement")
    terms = add_command(group, "terms", "agreement_terms", _terms)
    _add_parties(terms)
    _add_out(terms)
    proposing = add_command(group, "propose", "agreement_propose", _propose)
    _add_parties(proposing)
    proposing.add_argument("--terms", type=Path, metavar="FILE", help=say("help.terms"))
    proposing.add_argument("--pins", type=Path, metavar="FILE", help=say("help.own_pins"))
    _add_out(proposing)
    proposing.add_argument(
        "--words", action="append", default=[], metavar="WORDS", help=say("help.root_words")
    )
    proposing.add_argument("--yes", action="store_true", help=say("help.yes"))
    proposing.add_argument("--wait", action="store_true", help=say("help.wait_agency"))
    add_passphrase(proposing, what=say("noun.root_key"))
    shown = add_command(group, "show", "agreement_show", _show)
    shown.add_argument("file", type=Path, metavar="FILE", help=say("help.agreement"))
    signing = add_command(group, "sign", "agreement_sign", _sign)
    signing.add_argument("file", type=Path, metavar="FILE", help=say("help.draft"))
    signing.add_argument("--yes", action="store_true", help=say("help.yes"))
    signing.add_argument("--offline", action="store_true", help=say("help.sign_offline"))
    add_passphrase(signing, what=say("noun.root_key"))
    finishing = add_command(group, "finish", "agreement_finish", _finish)
    finishing.add_argument("file", type=Path, metavar="FILE", help=say("help.draft"))
    _add_out(finishing)
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


def _files(args: argparse.Namespace) -> list[AgencyFile]:
    return [
        parse_agency(read_bounded(path, AGENCY_FILE_BYTES, "agency.json")) for path in args.party
    ]


def _check_parties(args: argparse.Namespace) -> None:
    if bool(args.party) == bool(args.partners):
        raise InvalidInput(
            "parties_needed",
            "the parties are named either by --with AGENCY or by --party FILE",
            field="with",
            hint="with a running node: --with kh.gpo; with files only: --party agency.json of each",
        )


def _terms(args: argparse.Namespace) -> int:
    _check_parties(args)
    names = [party.agency for party in _files(args)]
    if args.partners:
        names = [office_of(args).read_agency().agency, *args.partners]
    create_file(args.out, first_terms(names, _today()), PUBLIC_MODE)
    value = {"file": str(args.out), "parties": sorted(names)}
    show(value, [say("note.terms_written", path=args.out)], as_json=args.json)
    return 0


# --- proposing ------------------------------------------------------------------------------------


def _propose(args: argparse.Namespace) -> int:
    """With --party a draft that nobody has signed; with --with one that this agency has signed."""
    _check_parties(args)
    draft = _signed_here(args) if args.partners else _of_files(args)
    create_file(args.out, format_draft(draft), PUBLIC_MODE)
    _result(args, draft, args.out)
    return 0


def _of_files(args: argparse.Namespace) -> Draft:
    parties = _files(args)
    data = None if args.pins is None else read_bounded(args.pins, INVITATION_BYTES, "pins")
    pins = office_of(args).read_pins() if data is None else parse_trust(data)
    return propose(_read_terms(args, parties), parties, pins)


def _signed_here(args: argparse.Namespace) -> Draft:
    office = office_of(args)
    own, pins = office.read_agency(), office.read_pins()
    partners = known_to_node(args)
    parties = [own, *partners]
    draft = propose(_read_terms(args, parties), parties, pins)
    if args.words:
        check_root_words(args.words, partners)
    _confirm(draft, yes=args.yes or bool(args.words))
    root = open_root(office, passphrase_source(args).read(say("noun.root_key")))
    return sign(draft, root, pins, os.urandom(32))


def _read_terms(args: argparse.Namespace, parties: list[AgencyFile]) -> Terms:
    if args.terms is None:
        return parse_terms(first_terms([party.agency for party in parties], _today()))
    return parse_terms(read_bounded(args.terms, TERMS_BYTES, "terms"))


# --- reading and signing --------------------------------------------------------------------------


def _read_draft(path: Path) -> Draft:
    return parse_draft(read_bounded(path, DRAFT_BYTES, "draft"))


def _show(args: argparse.Namespace) -> int:
    data = read_bounded(args.file, DRAFT_BYTES, "agreement")
    if data.lstrip()[:1] == b"{":
        value = draft_value(parse_draft(data))
    else:
        package = parse_agreement_package(data)
        text = parse_agreement(package.agreement)
        keys = [signature.item.key for signature in package.signatures]
        # Claimed, not checked: the roots' public keys are in the directory, not in this file.
        claimed = {p.agency: sum(key in p.roots for key in keys) for p in text.parties}
        value = describe(text, package.agreement, claimed) | {"finished": True}
    show(value, page(value), as_json=args.json)
    return 0


def _sign(args: argparse.Namespace) -> int:
    office, draft = office_of(args), _read_draft(args.file)
    pins = office.read_pins()
    # Before anybody reads it, or is asked for a passphrase.
    check_signable(draft, office.read_agency().root_ids, pins)
    _confirm(draft, yes=args.yes)
    root = open_root(office, passphrase_source(args).read(say("noun.root_key")))
    signed = sign(draft, root, pins, os.urandom(32))
    replace_file(args.file, format_draft(signed), PUBLIC_MODE)
    if signed.missing or args.offline:
        _result(args, signed, args.file)
        return 0
    path = keep(office, signed, os.urandom(32))
    _submit(args, path)
    value = draft_value(signed) | {"file": str(args.file), "finished": True, "agreement": str(path)}
    lines = [say("note.agreement_in_force", reference=signed.agreement.reference)]
    show(value, lines, as_json=args.json)
    return 0


def _confirm(draft: Draft, *, yes: bool) -> None:
    """Show everything that is about to be signed, and ask, unless the person has said it."""
    for line in page(draft_value(draft)):
        note(line)
    confirm(say("prompt.sign"), yes=yes)


def _submit(args: argparse.Namespace, path: Path) -> None:
    try:
        local_node(args).get("/v1/identity")  # a node that does not run is not waited for
        hand_over(args, path, wait=True)
    except Unavailable as error:
        raise Unavailable(
            error.code,
            f"the agreement is signed and kept in {path}, but not with the broker: {error.message}",
            hint=f"start the node, then: saphan agreement submit {path} --wait",
        ) from None


def _finish(args: argparse.Namespace) -> int:
    draft = _read_draft(args.file)
    data = finish(draft, os.urandom(32))
    # The salt must stay among the parties and the broker, so nobody else may read the file.
    create_file(args.out, data)
    value = {"file": str(args.out), "reference": draft.agreement.reference, "finished": True}
    show(value, [say("note.agreement_finished", path=args.out)], as_json=args.json)
    return 0


def _result(args: argparse.Namespace, draft: Draft, path: Path) -> None:
    value = draft_value(draft) | {"file": str(path)}
    if draft.missing:
        line = say("note.draft_waits", path=path, who=", ".join(draft.missing))
    else:
        line = say("note.draft_complete", path=path)
    show(value, [line], as_json=args.json)


def _today() -> date:
    return datetime.now(UTC).date()
