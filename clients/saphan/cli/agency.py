"""`saphan agency`: make an agency, show who it is, trust a broker's logs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from saphan_protocol.invitation import (
    INVITATION_BYTES,
    is_invitation,
    parse_invitation,
    parse_trust,
)
from saphan_protocol.words import fingerprint_words, word_lines

from saphan.agency import check_new, init, store_invitation, store_pins
from saphan.agency_file import AGENCY_FILE_BYTES, AgencyFile, parse_agency
from saphan.cli.comparing import add_comparing, compare_words
from saphan.cli.drafting import draft_identity, words_page
from saphan.cli.options import (
    Parser,
    Subparsers,
    add_command,
    add_group,
    add_passphrase,
    now_ms,
    office_of,
    passphrase_source,
)
from saphan.cli.root_changes import add_change_options, change_roots_here, read_roots
from saphan.cli.speech import say, show
from saphan.durable import read_bounded
from saphan.keys.passphrase import Passphrase, PassphraseSource


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan agency init|show|pin|change-roots`."""
    group = add_group(commands, "agency")
    make = add_command(group, "init", "agency_init", _init)
    make.add_argument("name", metavar="NAME", help=say("help.agency_name"))
    make.add_argument(
        "--officer",
        action="append",
        required=True,
        metavar="HANDLE",
        help=say("help.officer_handle"),
    )
    make.add_argument("--invitation", type=Path, metavar="FILE", help=say("help.invitation"))
    make.add_argument(
        "--root", type=Path, action="append", metavar="FILE", help=say("help.root_half")
    )
    make.add_argument("--threshold", type=int, metavar="K", help=say("help.threshold"))
    add_comparing(make)
    add_passphrase(make, what=say("noun.root_key"))
    add_passphrase(make, "officer-", say("noun.officer_key"))
    shown = add_command(group, "show", "agency_show", _show)
    shown.add_argument("file", type=Path, nargs="?", metavar="FILE", help=say("help.agency_file"))
    change = add_command(group, "change-roots", "agency_change_roots", change_roots_here)
    add_change_options(change)
    pin = add_command(group, "pin", "agency_pin", _pin)
    pin.add_argument("file", type=Path, metavar="FILE", help=say("help.trust_file"))
    add_comparing(pin)


def _init(args: argparse.Namespace) -> int:
    roots = read_roots(args)
    check_new(args.dir, args.name, set(args.officer), roots)
    invitation = None
    if args.invitation is not None:
        data = read_bounded(args.invitation, INVITATION_BYTES, "invitation")
        invitation = parse_invitation(data)
        compare_words(args, invitation.address, invitation.digest, say("noun.broker_operator"))
    root = roots or passphrase_source(args).read_new(say("noun.root_key"))
    officers = _officers_passphrases(args.officer, passphrase_source(args, "officer_"))
    office = init(args.dir, args.name, root, officers, now=now_ms(), invitation=invitation)
    value = _identity(office.read_agency()) | {
        "dir": str(office.folder),
        "enrolment": None if roots else str(office.enrolment),
        "draft": str(office.draft(1)) if roots else None,
        "officers": sorted(officers),
        "broker": None if invitation is None else invitation.url,
        **(draft_identity(office.draft(1)) if roots else {}),
    }
    show(value, _made_page(value), as_json=args.json)
    return 0


def _officers_passphrases(handles: list[str], source: PassphraseSource) -> dict[str, Passphrase]:
    """One for each officer at a terminal; one for all from a file or a descriptor."""
    if source.file is None and source.descriptor is None:
        return {
            handle: source.read_new(say("noun.key_of_officer", handle=handle))
            for handle in sorted(set(handles))
        }
    return dict.fromkeys(handles, source.read_new(say("noun.officer_key")))


def _made_page(value: dict[str, object]) -> Iterator[str]:
    yield say("note.agency_made", agency=value["agency"], dir=value["dir"])
    yield ""
    yield from _words_page(value)
    yield ""
    if value["draft"]:
        yield say("note.operation_drafted", version=1, path=value["draft"])
        yield from words_page(value)
        return
    yield say("note.carry_enrolment", path=value["enrolment"])
    yield say("note.keep_root_offline")


def _show(args: argparse.Namespace) -> int:
    if args.file is None:
        agency = office_of(args).read_agency()
    else:
        agency = parse_agency(read_bounded(args.file, AGENCY_FILE_BYTES, "agency.json"))
    value = _identity(agency)
    show(value, _words_page(value), as_json=args.json)
    return 0


def _identity(agency: AgencyFile) -> dict[str, object]:
    roots = [{"key_id": name.hex(), "words": fingerprint_words(name)} for name in agency.root_ids]
    return {"agency": agency.agency, "threshold": agency.threshold, "roots": roots}


def _words_page(value: dict[str, object]) -> Iterator[str]:
    roots = value["roots"]
    assert isinstance(roots, list)
    yield f"{value['agency']}  ({value['threshold']} / {len(roots)})"
    for root in roots:
        yield f"  {root['key_id'][:16]}"
        yield from (f"    {line}" for line in word_lines(bytes.fromhex(root["key_id"])))
    yield say("note.compare_words")


def _pin(args: argparse.Namespace) -> int:
    data = read_bounded(args.file, INVITATION_BYTES, "pins")
    office = office_of(args)
    agency = office.read_agency().agency
    pins = parse_trust(data)
    if is_invitation(data):
        invitation = parse_invitation(data)
        file, digest = office.invitation_file, invitation.digest
        compare_words(args, invitation.address, digest, say("noun.broker_operator"))
        store_invitation(office, invitation)
    else:
        file, digest = office.pins_file, pins.digest
        compare_words(args, pins.name, digest, say("noun.broker_operator"))
        store_pins(office, pins)
    value = {
        "agency": agency,
        "name": pins.name,
        "directory": pins.directory.origin,
        "evidence": pins.evidence.origin,
        "words": fingerprint_words(digest),
        "file": str(file),
    }
    show(value, [say("note.pinned", name=pins.name, path=file)], as_json=args.json)
    return 0
