"""`saphan-broker admit FILE`: let an agency in, after its root's words were compared aloud."""

from __future__ import annotations

import argparse
import base64
import sys
from pathlib import Path

from saphan_protocol.words import word_lines
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.limits import LIMITS
from saphan_schemas.messages import text
from saphan_schemas.terminal import print_json, print_line

from saphan_broker.cli.confirming import confirmed
from saphan_broker.cli.options import Parser, Subparsers, add_command
from saphan_broker.enrolment import Enrolment, check_fingerprints, read_enrolment


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan-broker admit`."""
    parser = add_command(commands, "admit", "admit", _admit)
    parser.add_argument("file", type=Path, metavar="FILE", help=text("help.broker_operation"))
    parser.add_argument(
        "--fingerprint",
        action="append",
        default=[],
        metavar="WORDS",
        help=text("help.broker_fingerprint"),
    )


def _admit(args: argparse.Namespace) -> int:
    signed = _read(args.file)
    enrolment = _parsed(signed)
    words = args.fingerprint
    if words or not enrolment.roots:
        check_fingerprints(enrolment, words)
    else:
        _show(enrolment)
        _confirm(enrolment.agency)
        words = enrolment.words
    from saphan_broker.cli.operator_line import ask  # a refused file needs no HTTP client

    body = {"operation": base64.b64encode(signed).decode(), "fingerprints": list(words)}
    answer = ask(args.data, "POST", "/admit", body)
    if args.json:
        print_json(sys.stdout, answer)
        return 0
    key = "note.broker_admitted_before" if answer["known_before"] else "note.broker_admitted"
    line = text(key, agency=answer["agency"], version=answer["version"])
    print_line(sys.stdout, line)
    return 0


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LIMITS.operation_bytes + 1)
    except FileNotFoundError:
        raise OperatorError(
            "file_missing",
            f"there is no file {path}",
            field="file",
            hint="`saphan agency init` writes it as enrol.saphan; ask the agency for it",
        ) from None
    if len(data) > LIMITS.operation_bytes:
        raise InvalidInput(
            "too_large",
            f"{path} has more than {LIMITS.operation_bytes} bytes: it is no operation",
            field="file",
        )
    return data


def _parsed(signed: bytes) -> Enrolment:
    try:
        return read_enrolment(signed)
    except InvalidInput as error:
        if error.code not in ("malformed", "not_canonical"):
            raise
        raise InvalidInput(
            "enrolment_malformed",
            f"the file is no operation of an agency, or only a part of one: {error.message}",
            field="file",
            hint="ask the agency to send its enrol.saphan once more, as a file and unchanged",
        ) from None


def _show(enrolment: Enrolment) -> None:
    agency, count = enrolment.agency, len(enrolment.roots)
    shown = text("note.broker_roots", agency=agency, threshold=enrolment.threshold, count=count)
    print_line(sys.stderr, shown)
    for number, root in enumerate(enrolment.roots, 1):
        print_line(sys.stderr, f"  {number}. {root.hex()[:16]}")
        for line in word_lines(root):
            print_line(sys.stderr, f"     {line}")


def _confirm(agency: str) -> None:
    """Ask whether the words are the same.

    Raises:
        OperatorError: `not_confirmed`.
    """
    question = text("prompt.broker_same_words", agency=agency)
    if not confirmed(f"{question} {text('prompt.type_yes')}"):
        raise OperatorError(
            "not_confirmed",
            "it was not confirmed, so nothing was admitted",
            field="fingerprint",
            hint='answer yes at the terminal, or give --fingerprint "WORDS" as the agency read '
            "them to you",
        )
