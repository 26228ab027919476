"""`saphan keys rotate mailbox`: the next weekly mailbox keys, made ahead where the node stands."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime

from saphan.cli.drafting import (
    check_drafting,
    instead_of_waiting,
    made_page,
    made_value,
    root_passphrase,
)
from saphan.cli.options import Parser, now_ms, office_of
from saphan.cli.speech import confirm, say, show
from saphan.mailbox_rotation import Rotated, rotate_mailbox


def add_mailbox_options(parser: Parser) -> None:
    """The options of a rotation that only mailbox keys have."""
    parser.add_argument("--weeks", type=int, metavar="N", help=say("help.weeks"))
    parser.add_argument("--replace", action="store_true", help=say("help.replace_mailboxes"))
    parser.add_argument("--yes", action="store_true", help=say("help.yes"))


def rotate(args: argparse.Namespace) -> int:
    """Make the keys and the operation; its draft where the folder holds no root."""
    office = office_of(args)
    check_drafting(args, office)
    if args.replace:
        confirm(say("prompt.replace_mailboxes"), yes=args.yes)
    root = root_passphrase(args, office)
    with instead_of_waiting(args, office):
        done = rotate_mailbox(office, args.weeks, root, now=now_ms(), replace=args.replace)
    value = _value(args, done)
    show(value, _page(done, value), as_json=args.json)
    return 0


def _value(args: argparse.Namespace, done: Rotated) -> dict[str, object]:
    return made_value(args, done.made) | {
        "key_files": [str(path) for path in done.key_files],
        "revoked": [name.hex() for name in done.revoked],
        "until": done.until,
    }


def _page(done: Rotated, value: dict[str, object]) -> Iterator[str]:
    day = datetime.fromtimestamp(done.until / 1000, UTC).date().isoformat()
    yield say("note.mailboxes_made", count=len(done.key_files), day=day)
    if done.revoked:
        yield say("note.mailboxes_revoked", count=len(done.revoked))
    yield from made_page(value)
