"""`saphan evidence`: one bulletin's whole story as a file, and what such a file proves.

Exit statuses of `verify` and `show`: 0 valid; 6 valid with gaps; 3 invalid; 2 wrong usage, or the
file is no evidence bundle; 5 a file cannot be read or written.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from saphan_protocol.bundle.report import Outcome
from saphan_schemas.errors import Refused

from saphan.cli.options import Parser, Subparsers, add_command, add_group, log_number
from saphan.cli.page_files import add_page_options, refuse_pages
from saphan.cli.speech import note, say, show

if TYPE_CHECKING:
    from saphan_protocol.bundle.report import Verdict
    from saphan_protocol.pins import Pins

EXIT: Final = {
    Outcome.VALID: 0,
    Outcome.GAPS: 6,
    Outcome.INVALID: Refused.exit_status,
}
"""Whoever asks in a script learns the verdict from the status alone."""


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan evidence export|verify|show|proof`."""
    group = add_group(commands, "evidence")
    _add_export(add_command(group, "export", "evidence_export", _export))
    verify = add_command(group, "verify", "evidence_verify", _verify)
    _add_file(verify)
    add_page_options(verify)
    opened = add_command(group, "show", "evidence_show", _show)
    _add_file(opened)
    opened.add_argument("--save", type=Path, metavar="FOLDER", help=say("help.evidence_save"))
    proof = add_command(group, "proof", "evidence_proof", _proof)
    proof.add_argument("id", metavar="ID", help=say("help.bulletin_id"))
    proof.add_argument("--log", type=log_number, metavar="N", help=say("help.evidence_log"))
    proof.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help=say("help.evidence_proofs")
    )


def _add_export(parser: Parser) -> None:
    parser.add_argument("id", metavar="ID", help=say("help.bulletin_id"))
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=say("help.out"))
    parser.add_argument("--log", type=log_number, metavar="N", help=say("help.evidence_log"))
    parser.add_argument("--attachments", action="store_true", help=say("help.evidence_attachments"))
    parser.add_argument("--disclose", action="store_true", help=say("help.evidence_disclose"))
    parser.add_argument("--to", metavar="WHOM", help=say("help.evidence_to"))
    parser.add_argument("--reason", metavar="TEXT", help=say("help.evidence_reason"))
    parser.add_argument("--officer", metavar="HANDLE", help=say("help.evidence_officer"))
    parser.add_argument("--yes", action="store_true", help=say("help.evidence_yes"))


def _add_file(parser: Parser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help=say("help.evidence_file"))
    parser.add_argument("--pins", type=Path, metavar="FILE", help=say("help.evidence_pins"))


def _export(args: argparse.Namespace) -> int:
    from saphan.cli.evidence_export import export

    for name in ("to", "reason", "officer"):
        given = getattr(args, name) is not None
        if given and not args.disclose:
            args.asked.error(say("note.evidence_to_whom", option=f"--{name}"))
        if args.disclose and not given and name != "officer":
            args.asked.error(say("note.evidence_unsaid", option=f"--{name}"))
    return export(args)


def _proof(args: argparse.Namespace) -> int:
    from saphan.cli.evidence_proof import proofs

    return proofs(args)


def _verify(args: argparse.Namespace) -> int:
    from saphan.cli.evidence_pages import verdict_json, verdict_page
    from saphan.evidence.checking import check_bundle

    refuse_pages(args)
    verdict = check_bundle(args.file, _pins(args.pins))
    # The verdict first: no full disk shall take it back.
    show(verdict_json(verdict), verdict_page(verdict), as_json=args.json)
    if args.page is not None or args.pdf is not None:
        _write_pages(verdict, args)
    return EXIT[verdict.outcome]


def _write_pages(verdict: Verdict, args: argparse.Namespace) -> None:
    from saphan.cli.evidence_written import write_pages
    from saphan.cli.options import now_ms, office_of
    from saphan.exports_noted import record_page

    record_page(office_of(args), verdict.bulletin_id, now_ms())
    for path in write_pages(verdict, args.file, args.page, args.pdf):
        note(say("note.evidence_page", path=path))


def _show(args: argparse.Namespace) -> int:
    from saphan.cli.evidence_pages import content_page, verdict_json
    from saphan.evidence.checking import check_bundle

    verdict, saved = check_bundle(args.file, _pins(args.pins)), []
    if args.save is not None:
        from saphan.evidence.saved import save_attachments

        saved = save_attachments(args.file, verdict, args.save)
    value = verdict_json(verdict, content=True) | {"saved": [str(path) for path in saved]}
    show(value, content_page(verdict, saved), as_json=args.json)
    return EXIT[verdict.outcome]


def _pins(path: Path | None) -> Pins | None:
    if path is None:
        return None
    from saphan_protocol.invitation import INVITATION_BYTES, parse_trust

    from saphan.durable import read_bounded

    return parse_trust(read_bounded(path, INVITATION_BYTES, "pins"))
