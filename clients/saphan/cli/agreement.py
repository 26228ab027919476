"""`saphan agreement`: write terms, propose, show, sign, finish, and hand to the node."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from saphan_protocol.agreement import AGREEMENT_TYPE, parse_agreement
from saphan_protocol.identity import identity, sha256
from saphan_protocol.operation import parse_agreement_package
from saphan_protocol.pins import PINS_BYTES, parse_pins
from saphan_protocol.words import fingerprint_words, word_lines
from saphan_schemas.codec import encode
from saphan_schemas.records import Agreement

from saphan.agency_file import AGENCY_FILE_BYTES, AgencyFile, parse_agency
from saphan.agreement_draft import (
    DRAFT_BYTES,
    Draft,
    check_draft_pins,
    finish,
    format_draft,
    parse_draft,
    propose,
    sign,
)
from saphan.cli.options import (
    Parser,
    Subparsers,
    add_command,
    add_group,
    add_passphrase,
    office_of,
    passphrase_source,
)
from saphan.cli.speech import confirm, note, say, show
from saphan.cli.submitting import submit_file
from saphan.durable import PUBLIC_MODE, create_file, read_bounded, replace_file
from saphan.operations import open_root
from saphan.terms import TERMS_BYTES, first_terms, parse_terms


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan agreement terms|propose|show|sign|finish|submit`."""
    group = add_group(commands, "agreement")
    terms = add_command(group, "terms", "agreement_terms", _terms)
    _add_parties(terms)
    _add_out(terms)
    proposing = add_command(group, "propose", "agreement_propose", _propose)
    _add_parties(proposing)
    proposing.add_argument(
        "--terms", type=Path, required=True, metavar="FILE", help=say("help.terms")
    )
    proposing.add_argument(
        "--pins", type=Path, required=True, metavar="FILE", help=say("help.pin_file")
    )
    _add_out(proposing)
    shown = add_command(group, "show", "agreement_show", _show)
    shown.add_argument("file", type=Path, metavar="FILE", help=say("help.agreement"))
    signing = add_command(group, "sign", "agreement_sign", _sign)
    signing.add_argument("file", type=Path, metavar="FILE", help=say("help.draft"))
    signing.add_argument("--yes", action="store_true", help=say("help.yes"))
    add_passphrase(signing, what=say("noun.root_key"))
    finishing = add_command(group, "finish", "agreement_finish", _finish)
    finishing.add_argument("file", type=Path, metavar="FILE", help=say("help.draft"))
    _add_out(finishing)
    submit = add_command(group, "submit", "agreement_submit", submit_file)
    submit.add_argument("file", type=Path, metavar="FILE", help=say("help.submitted"))
    submit.add_argument("--wait", action="store_true", help=say("help.wait_agreement"))


def _add_parties(parser: Parser) -> None:
    parser.add_argument(
        "--party",
        type=Path,
        action="append",
        required=True,
        metavar="FILE",
        help=say("help.party"),
    )


def _add_out(parser: Parser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=say("help.out"))


def _parties(args: argparse.Namespace) -> list[AgencyFile]:
    return [
        parse_agency(read_bounded(path, AGENCY_FILE_BYTES, "agency.json")) for path in args.party
    ]


def _terms(args: argparse.Namespace) -> int:
    names = [party.agency for party in _parties(args)]
    create_file(args.out, first_terms(names, datetime.now(UTC).date()), PUBLIC_MODE)
    value = {"file": str(args.out), "parties": sorted(names)}
    show(value, [say("note.terms_written", path=args.out)], as_json=args.json)
    return 0


def _propose(args: argparse.Namespace) -> int:
    terms = parse_terms(read_bounded(args.terms, TERMS_BYTES, "terms"))
    pins = parse_pins(read_bounded(args.pins, PINS_BYTES, "pins"))
    draft = propose(terms, _parties(args), pins)
    create_file(args.out, format_draft(draft), PUBLIC_MODE)
    _result(args, draft, args.out)
    return 0


def _read_draft(path: Path) -> Draft:
    return parse_draft(read_bounded(path, DRAFT_BYTES, "draft"))


def _show(args: argparse.Namespace) -> int:
    data = read_bounded(args.file, DRAFT_BYTES, "agreement")
    if data.lstrip()[:1] == b"{":
        draft = parse_draft(data)
        signed = {p.agency: draft.signers(p) for p in draft.agreement.parties}
        value = _describe(draft.agreement, draft.text, signed)
    else:
        package = parse_agreement_package(data)
        text = parse_agreement(package.agreement)
        keys = [signature.item.key for signature in package.signatures]
        # Claimed, not checked: the roots' public keys are in the directory, not in this file.
        claimed = {p.agency: sum(key in p.roots for key in keys) for p in text.parties}
        value = _describe(text, package.agreement, claimed) | {"finished": True}
    show(value, _page(value), as_json=args.json)
    return 0


def _sign(args: argparse.Namespace) -> int:
    office, draft = office_of(args), _read_draft(args.file)
    pins = office.read_pins()
    check_draft_pins(draft, pins)  # before anybody is asked for a passphrase
    if not args.yes:
        for line in _page(_value(draft)):
            note(line)
    confirm(say("prompt.sign"), yes=args.yes)
    root = open_root(office, passphrase_source(args).read(say("noun.root_key")))
    signed = sign(draft, root, pins, os.urandom(32))
    replace_file(args.file, format_draft(signed), PUBLIC_MODE)
    _result(args, signed, args.file)
    return 0


def _finish(args: argparse.Namespace) -> int:
    draft = _read_draft(args.file)
    data = finish(draft, os.urandom(32))
    # The salt must stay among the parties and the broker, so nobody else may read the file.
    create_file(args.out, data)
    value = {"file": str(args.out), "reference": draft.agreement.reference, "finished": True}
    show(value, [say("note.agreement_finished", path=args.out)], as_json=args.json)
    return 0


def _result(args: argparse.Namespace, draft: Draft, path: Path) -> None:
    value = _value(draft) | {"file": str(path)}
    if draft.missing:
        line = say("note.draft_waits", path=path, who=", ".join(draft.missing))
    else:
        line = say("note.draft_complete", path=path)
    show(value, [line], as_json=args.json)


def _value(draft: Draft) -> dict[str, Any]:
    signed = {p.agency: draft.signers(p) for p in draft.agreement.parties}
    return _describe(draft.agreement, draft.text, signed)


def _describe(agreement: Agreement, text: bytes, signed: dict[str, int]) -> dict[str, Any]:
    """An agreement as JSON: everything that is signed, fingerprints as words too."""
    pins = sha256(encode([agreement.directory, agreement.evidence]))
    return {
        "reference": agreement.reference,
        "title": agreement.title,
        "instrument": agreement.instrument,
        "identity": identity(AGREEMENT_TYPE, text).hex(),
        "valid_from": _day(agreement.valid_from),
        "valid_until": _day(agreement.valid_until),
        "parties": [
            {
                "agency": party.agency,
                "threshold": party.threshold,
                "signed": signed[party.agency],
                "roots": [
                    {"key_id": name.hex(), "words": fingerprint_words(name)} for name in party.roots
                ],
            }
            for party in agreement.parties
        ],
        "rules": [
            {
                "from": rule.sender,
                "to": rule.recipient,
                "schemas": list(rule.schemas),
                "tlp_ceiling": rule.tlp_ceiling,
                "retain_days": rule.retain_days,
            }
            for rule in agreement.rules
        ],
        "handling": list(agreement.handling),
        "onward": agreement.onward,
        "languages": list(agreement.languages),
        "in_flight": agreement.in_flight,
        "directory": agreement.directory.origin,
        "evidence": agreement.evidence.origin,
        "pins_words": fingerprint_words(pins),
        "witnesses": {
            "quorum": agreement.witnesses.quorum,
            "own_counts": agreement.witnesses.own_counts,
        },
        "finished": False,
    }


def _day(millis: int) -> str:
    return datetime.fromtimestamp(millis / 1_000, UTC).date().isoformat()


def _page(value: dict[str, Any]) -> Iterator[str]:
    """An agreement as a page that two people read to each other."""
    yield f"{value['title']}  ({value['instrument']} {value['reference']})"
    yield f"{value['valid_from']} – {value['valid_until']}"
    for party in value["parties"]:
        yield ""
        count = say("note.signed_by", signed=party["signed"], needed=party["threshold"])
        yield f"{party['agency']}: {count}"
        for root in party["roots"]:
            yield f"  {root['key_id'][:16]}"
            yield from (f"    {line}" for line in word_lines(bytes.fromhex(root["key_id"])))
    yield ""
    for rule in value["rules"]:
        yield (
            f"{rule['from']} -> {rule['to']}: "
            + say("note.rule", tlp=rule["tlp_ceiling"], days=rule["retain_days"])
        )
        yield from (f"    {name}" for name in rule["schemas"])
    yield from (f"{code}: {say(f'handling.{code}')}" for code in value["handling"])
    yield ""
    yield say("note.pins_of", directory=value["directory"], evidence=value["evidence"])
    words = value["pins_words"].split()
    yield from ("    " + " ".join(words[at : at + 4]) for at in range(0, len(words), 4))
    yield say("note.compare_words")
