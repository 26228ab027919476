"""`saphan words`: the fingerprint of a key or a file as words to read aloud."""

from __future__ import annotations

import argparse
import string
from pathlib import Path
from typing import Final

from saphan_protocol.identity import identity
from saphan_protocol.invitation import parse_invitation
from saphan_protocol.operation import OPERATION_TYPE, check_operation
from saphan_protocol.pins import parse_pins
from saphan_protocol.registrations import parse_schema_package
from saphan_protocol.words import fingerprint_words, same_words, word_lines
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import REGISTRATION_TYPE
from saphan_schemas.errors import InvalidInput, Refused, SaphanError
from saphan_schemas.records import Role

from saphan.agency_file import parse_agency
from saphan.ceremony.draft_file import DRAFT_BYTES, parse_draft
from saphan.ceremony.holder import parse_root_half
from saphan.ceremony.paper import CODE_START, parse_code
from saphan.cli.options import Parser, Subparsers, add_command
from saphan.cli.speech import say, show
from saphan.durable import read_bounded
from saphan.own_types.registration_draft import parse_registration_draft


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan words`."""
    parser = add_command(commands, "words", "words", _words)
    parser.add_argument("what", metavar="KEY-OR-FILE", help=say("help.key_or_file"))
    parser.add_argument("--compare", metavar="WORDS", help=say("help.words_or_code"))


def _words(args: argparse.Namespace) -> int:
    found = fingerprints(args.what)
    if args.compare is not None and not any(_same(args.compare, d) for _, d in found):
        raise Refused(
            "words_differ",
            f"these are not the words of {args.what[:200]}",
            field="words",
            hint="do not go on until you know why; ask for the file again by another way",
        )
    value = {
        "fingerprints": [
            {"of": name, "digest": digest.hex(), "words": fingerprint_words(digest)}
            for name, digest in found
        ],
        "same": args.compare is not None,
    }
    lines = [say("note.words_agree")] if args.compare is not None else []
    for name, digest in found:
        lines += [name, *(f"    {line}" for line in word_lines(digest))]
    show(value, lines, as_json=args.json)
    return 0


def _same(given: str, digest: bytes) -> bool:
    """Words that somebody reads aloud, or what a telephone read from a paper record."""
    code = _code(given, "words")
    return same_words(given, digest) if code is None else code == digest


def _code(text: str, field: str) -> bytes | None:
    """The digest in the code of a paper record; None for what is no code at all.

    Raises:
        InvalidInput: `words_unknown` for half a code.
    """
    code = parse_code(text)
    if code is None and text.strip().upper().startswith(CODE_START):
        raise InvalidInput(
            "words_unknown",
            "the code of a paper record was not read whole",
            field=field,
            hint="it ends in 64 digits and letters A to F: read it again, or compare the words",
        )
    return code


def fingerprints(what: str) -> list[tuple[str, bytes]]:
    """(name, digest) of a key id in 64 hexadecimal digits, of a paper record's QR code, or of what
    a file says about trust.

    Raises:
        InvalidInput: `words_unknown` when it is neither.
    """
    if len(what) == 64 and all(digit in string.hexdigits for digit in what):
        return [(what[:16].lower(), bytes.fromhex(what))]
    code = _code(what, "key-or-file")
    if code is not None:
        return [(code.hex()[:16], code)]
    data = read_bounded(Path(what), DRAFT_BYTES, "file")
    for read in READERS:
        try:
            return read(data)
        except SaphanError:
            continue  # another kind of file; the last resort below says what is taken
    raise InvalidInput(
        "words_unknown",
        f"{what[:200]} is no key id, invitation, pin file, agency file, root, operation or type",
        field="file",
        hint="give 64 hexadecimal digits, the text of a QR code, invitation.json, pins.json, "
        "agency.json, a root's public half, enrol.saphan, the draft of an operation or of an own "
        "type, or a registered type's package",
    )


def _of_invitation(data: bytes) -> list[tuple[str, bytes]]:
    invitation = parse_invitation(data)
    return [(invitation.address, invitation.digest)]


def _of_pins(data: bytes) -> list[tuple[str, bytes]]:
    pins = parse_pins(data)
    return [(pins.name, pins.digest)]


def _of_agency(data: bytes) -> list[tuple[str, bytes]]:
    agency = parse_agency(data)
    return [(f"{agency.agency} root", name) for name in agency.root_ids]


def _of_root(data: bytes) -> list[tuple[str, bytes]]:
    half = parse_root_half(data)
    return [(f"{half.holder} root", half.key_id)]


def _of_draft(data: bytes) -> list[tuple[str, bytes]]:
    draft = parse_draft(data)
    return [(f"{draft.operation.agency} operation {draft.operation.version}", draft.identity)]


def _of_operation(data: bytes) -> list[tuple[str, bytes]]:
    checked = check_operation(data)
    agency, version = checked.record.agency, checked.record.version
    roots = [name for name, change in checked.added if change.role is Role.ROOT]
    # Last: what admits an agency is its roots' words, what a paper record shows is this too.
    whole = (f"{agency} operation {version}", identity(OPERATION_TYPE, checked.body))
    return [*((f"{agency} root", name) for name in roots), whole]


def _of_type_draft(data: bytes) -> list[tuple[str, bytes]]:
    draft = parse_registration_draft(data)
    return [(draft.record.name, draft.identity)]


def _of_type(data: bytes) -> list[tuple[str, bytes]]:
    record, _ = parse_schema_package(data)
    return [(record.name, identity(REGISTRATION_TYPE, encode(record)))]


READERS: Final = (
    _of_invitation,
    _of_pins,
    _of_agency,
    _of_root,
    _of_operation,
    _of_draft,
    _of_type_draft,
    _of_type,
)
"""Every kind of file that has words, each by the one parser that takes it."""
