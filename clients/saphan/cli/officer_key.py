"""The officer's key for a command in an agency's folder; `--handle`, passphrase, PIN."""

from __future__ import annotations

import argparse

from saphan_protocol.keys import SigningKey
from saphan_schemas.errors import OperatorError
from saphan_schemas.records import Role

from saphan.cli.options import Parser, add_passphrase, office_of, passphrase_source
from saphan.cli.speech import say
from saphan.cli.token_options import add_token, token_access
from saphan.keys.keyfiles import is_sealed, read_key


def add_officer_key(parser: Parser) -> None:
    """How the officer's key opens: the passphrase of its file, the PIN of its token."""
    add_passphrase(parser, what=say("noun.officer_key"))
    add_token(parser)


def officer_key(args: argparse.Namespace) -> tuple[str, SigningKey]:
    """(handle, key): the officer named by `--handle`, or the only one in the folder.

    A PIN is asked for at the first signature.

    Raises:
        OperatorError: `handle_needed`, and what `read_key` raises.
    """
    office, handle = office_of(args), args.handle
    if handle is None:
        # A rotated key lies beside as <handle>.next.key or <handle>.<id>.old.key: nobody's name.
        names = (path.stem for path in (office.folder / "officers").glob("*.key"))
        found = sorted(name for name in names if "." not in name)
        if len(found) != 1:
            raise OperatorError(
                "handle_needed",
                f"there are {len(found)} officers' keys in this folder",
                field="handle",
                hint="say whose: --handle " + (found[0] if found else "HANDLE"),
            )
        handle = found[0]
    path = office.key_file(Role.OFFICER, b"", handle)
    passphrase = None
    if is_sealed(path):
        passphrase = passphrase_source(args).read(say("noun.key_of_officer", handle=handle))
    return handle, read_key(path, Role.OFFICER, passphrase, token_access(args)).signing()
