"""`saphan custodian`: people who open an agency's backups together."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from saphan_protocol.words import fingerprint_words, word_lines
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.records import Role

from saphan.backup.header import Header
from saphan.backup.restoring import read_header
from saphan.cli.options import (
    Parser,
    Subparsers,
    add_command,
    add_group,
    add_passphrase,
    passphrase_source,
)
from saphan.cli.render import stamp
from saphan.cli.speech import say, show
from saphan.durable import make_folder


def add_commands(commands: Subparsers[Parser]) -> None:
    """Register `saphan custodian init|show|open`."""
    group = add_group(commands, "custodian")
    init = add_command(group, "init", "custodian_init", _init)
    init.add_argument("name", metavar="NAME", help=say("help.custodian_name"))
    add_passphrase(init, what=say("noun.custodian_key"))
    seen = add_command(group, "show", "custodian_show", _show)
    seen.add_argument("file", type=Path, metavar="FILE", help=say("help.backup_file"))
    opening = add_command(group, "open", "custodian_open", _open)
    opening.add_argument("file", type=Path, metavar="FILE", help=say("help.backup_file"))
    opening.add_argument(
        "--key", type=Path, required=True, metavar="KEY", help=say("help.custodian_key")
    )
    opening.add_argument("--out", type=Path, required=True, metavar="SHARE", help=say("help.out"))
    add_passphrase(opening, what=say("noun.custodian_key"))


def _init(args: argparse.Namespace) -> int:
    from saphan.agency import check_handle
    from saphan.backup.custodians import make_custodian

    check_handle(args.name)  # before a passphrase is asked for
    make_folder(args.dir)
    passphrase = passphrase_source(args).read_new(say("noun.key_of_officer", handle=args.name))
    secret, public, made = make_custodian(args.dir, args.name, passphrase)
    words = fingerprint_words(made.id)
    value = {"key_file": str(secret), "public_file": str(public), "words": words}
    lines = [
        say("note.key_written", path=secret),
        say("note.custodian_public", path=public),
        *word_lines(made.id),
    ]
    show(value, lines, as_json=args.json)
    return 0


def _show(args: argparse.Namespace) -> int:
    header = read_header(args.file)
    value = {
        "part": header.part,
        "agency": header.agency,
        "made": header.made,
        "id": header.id.hex(),
        "quorum": header.split.quorum,
        "custodians": [{"name": one.name, "id": one.id} for one in header.custodians],
    }
    show(value, _page(header), as_json=args.json)
    return 0


def _page(header: Header) -> Iterator[str]:
    yield say(f"note.backup_is_{header.part}", agency=header.agency, time=stamp(header.made))
    names = ", ".join(one.name for one in header.custodians)
    yield say("note.backup_opened_by", count=header.split.quorum, names=names)
    yield say("note.backup_unproven")


def _open(args: argparse.Namespace) -> int:
    from saphan_protocol.mailbox import MailboxKey

    from saphan.backup.shares import open_share, write_share
    from saphan.keys.keyfiles import read_key

    header = read_header(args.file)
    what = say("noun.key_of_officer", handle=args.key.stem)
    try:
        key = read_key(args.key, Role.MAILBOX, passphrase_source(args).read(what))
    except OperatorError as error:
        if error.code == "key_file_role":
            raise InvalidInput(
                "custodian_malformed",
                f"{args.key} is not a custodian's key",
                field="key",
                hint="take the NAME.key that `saphan custodian init` wrote",
            ) from None
        raise
    write_share(args.out, header, open_share(header, MailboxKey(key.seed)))
    value = {"file": str(args.out), "backup": header.id.hex(), "agency": header.agency}
    line = say("note.share_written", path=args.out, count=header.split.quorum)
    show(value, [line], as_json=args.json)
    return 0
