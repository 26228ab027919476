"""Options of `saphan schema register|sign|finish`; what needs keys is loaded when one runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from saphan.cli.comparing import add_comparing
from saphan.cli.options import Parser, Subparsers, add_command, add_passphrase
from saphan.cli.speech import say


def add_registering(group: Subparsers[Parser]) -> None:
    """Register register, sign and finish."""
    new = add_command(group, "register", "schema_register", _register)
    new.add_argument("file", type=Path, metavar="FILE", help=say("help.schema_source"))
    new.add_argument("--before", type=Path, metavar="FILE", help=say("help.schema_before"))
    new.add_argument("--out", type=Path, metavar="DRAFT", help=say("help.schema_draft"))
    new.add_argument("--key", type=Path, metavar="FILE", help=say("help.root_key_file"))
    new.add_argument("--yes", action="store_true", help=say("help.yes"))
    add_passphrase(new, what=say("noun.root_key"))
    signing = add_command(group, "sign", "schema_sign", _sign)
    signing.add_argument("file", type=Path, metavar="DRAFT", help=say("help.draft"))
    signing.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help=say("help.root_key_file")
    )
    add_comparing(signing)
    add_passphrase(signing, what=say("noun.root_key"))
    ending = add_command(group, "finish", "schema_finish", _finish)
    ending.add_argument("file", type=Path, metavar="DRAFT", help=say("help.draft"))
    ending.add_argument("copies", type=Path, nargs="*", metavar="COPY", help=say("help.copies"))


def _register(args: argparse.Namespace) -> int:
    from saphan.cli.schema_register import register

    return register(args)


def _sign(args: argparse.Namespace) -> int:
    from saphan.cli.schema_register import sign

    return sign(args)


def _finish(args: argparse.Namespace) -> int:
    from saphan.cli.schema_register import finish

    return finish(args)
