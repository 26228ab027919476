"""Options of commands that use an officer's key, half of which may lie on a PKCS#11 token."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import Role

from saphan.cli.options import Parser, descriptor
from saphan.cli.speech import say

if TYPE_CHECKING:
    from saphan.keys.token_place import TokenAccess


def add_token(parser: Parser) -> None:
    """`--pkcs11`, `--pin-file`, `--pin-fd`: for a key that exists."""
    parser.add_argument("--pkcs11", type=Path, metavar="FILE", help=say("help.pkcs11"))
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--pin-file", type=Path, metavar="FILE", help=say("help.pin_file"))
    either.add_argument("--pin-fd", type=descriptor, metavar="N", help=say("help.pin_fd"))


def add_new_token(parser: Parser) -> None:
    """The same with `--token`, for commands that may make a key on one."""
    parser.add_argument("--token", metavar="LABEL", help=say("help.token"))
    add_token(parser)


def new_token(args: argparse.Namespace, role: Role) -> TokenAccess | None:
    """Where a new key of this role is made; None where no token is named.

    Raises:
        InvalidInput: `pkcs11_officers_only`.
    """
    if args.token is None:
        return None
    if role is not Role.OFFICER:
        raise InvalidInput(
            "pkcs11_officers_only",
            f"a {role.value} key is not made on a token",
            field="token",
            hint="tokens hold officers' keys; leave --token out",
        )
    return token_access(args)


def token_access(args: argparse.Namespace) -> TokenAccess:
    """What the person said about their token; the PIN is asked at the terminal by default."""
    from saphan.keys.pin import PinSource
    from saphan.keys.token_place import TokenAccess

    pin = PinSource(file=args.pin_file, descriptor=args.pin_fd, say=say)
    return TokenAccess(library=args.pkcs11, token=getattr(args, "token", None), pin=pin)
