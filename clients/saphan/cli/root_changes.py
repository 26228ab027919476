"""Who the roots are: `saphan agency init --root`, and `saphan agency change-roots`."""

from __future__ import annotations

import argparse
from pathlib import Path

from saphan_schemas.errors import InvalidInput

from saphan.ceremony.holder import ROOT_HALF_BYTES, RootHalf, parse_root_half
from saphan.ceremony.root_change import change_roots
from saphan.ceremony.roots import Roots, keep_halves
from saphan.cli.drafting import (
    add_drafting,
    check_drafting,
    instead_of_waiting,
    made_page,
    made_value,
    root_passphrase,
)
from saphan.cli.operation_page import draft_page
from saphan.cli.options import Parser, now_ms, office_of
from saphan.cli.speech import confirm, note, say, show
from saphan.durable import read_bounded
from saphan.operations import settle, sign_here


def add_change_options(parser: Parser) -> None:
    """`--add`, `--remove`, `--threshold` and what every drafting command has."""
    parser.add_argument(
        "--add", type=Path, action="append", default=[], metavar="FILE", help=say("help.root_added")
    )
    parser.add_argument(
        "--remove", action="append", default=[], metavar="ROOT", help=say("help.root_removed")
    )
    parser.add_argument("--threshold", type=int, metavar="K", help=say("help.threshold"))
    parser.add_argument("--yes", action="store_true", help=say("help.yes"))
    add_drafting(parser)


def read_roots(args: argparse.Namespace) -> Roots | None:
    """The roots named by `--root`; None where the agency makes one of its own.

    Raises:
        InvalidInput: `threshold_needed`, `root_file_malformed`, `key_duplicate`.
        Refused: `operation_threshold`.
    """
    if not args.root:
        if args.threshold not in (None, 1):
            raise _threshold_needed("a threshold is of roots that their holders made before")
        return None
    if args.threshold is None:
        raise _threshold_needed(f"{len(args.root)} roots were named, and not how many must sign")
    return Roots(tuple(_read_half(path) for path in args.root), args.threshold)


def change_roots_here(args: argparse.Namespace) -> int:
    """Draft the change; a root that this folder holds signs it at once, if it is asked to."""
    office = office_of(args)
    check_drafting(args, office)
    added = [_read_half(path) for path in args.add]
    draft = change_roots(office, added, args.remove, args.threshold, now_ms())
    for line in draft_page(draft):
        note(line)
    confirm(say("prompt.sign"), yes=args.yes)
    root = root_passphrase(args, office)
    if root is not None:
        draft = sign_here(office, draft, root)
    with instead_of_waiting(args, office):
        keep_halves(office, tuple(added))
        made = settle(office, draft)
    value = made_value(args, made)
    show(value, made_page(value), as_json=args.json)
    return 0


def _read_half(path: Path) -> RootHalf:
    return parse_root_half(read_bounded(path, ROOT_HALF_BYTES, "root"))


def _threshold_needed(why: str) -> InvalidInput:
    return InvalidInput(
        "threshold_needed",
        why,
        field="threshold",
        hint="two of three is recommended: --root a.json --root b.json --root c.json --threshold 2",
    )
