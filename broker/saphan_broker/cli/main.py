"""Entry point of `saphan-broker`: find the command, run it, turn what happens into words, status.

Exit statuses: 0 done; 1 a bug of this program; 2 wrong input or usage; 3 refused by a rule; 4 not
possible now, try again; 5 this machine's keeper must act; 130 interrupted; 141 the reader of the
output went away.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from saphan_schemas.errors import OperatorError, SaphanError
from saphan_schemas.messages import text
from saphan_schemas.terminal import EXIT_INTERRUPTED, print_bug, print_error, print_line

from saphan_broker.cli.options import PROGRAM, Parser

COMMANDS: Final = (
    "init",
    "invitation",
    "run",
    "admit",
    "allow_unheard",
    "status",
    "doctor",
    "tls",
    "keys",
    "records",
    "log",
    "copy",
    "backup",
    "restore",
    "succeed",
    "fsck",
    "retention",
)
"""Modules of this package with `add_commands(subparsers)`; only the one that is used is loaded."""

EXIT_BROKEN_PIPE: Final = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit status. Only argparse ends by SystemExit."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    # Only `run` logs; without a handler of ours Python itself would print warnings to stderr.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        args = _parser(arguments).parse_strictly(arguments)
        args.given = arguments
        status: int = args.run(args)
        sys.stdout.flush()  # a full disk or a closed pipe shows here, not after the status
    except SaphanError as error:
        return print_error(sys.stderr, PROGRAM, error, as_json=as_json)
    except KeyboardInterrupt:
        print_line(sys.stderr, f"{PROGRAM}: {text('note.interrupted')}")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except OSError as error:
        return print_error(sys.stderr, PROGRAM, _in_words(error), as_json=as_json)
    except Exception as error:
        logging.getLogger("saphan.broker").debug("bug", exc_info=error)
        return print_bug(sys.stderr, PROGRAM, error, as_json=as_json)
    return status


def _parser(arguments: Sequence[str]) -> Parser:
    """The whole parser in names and summaries, in full for the one command that is asked for."""
    parser = Parser(
        prog=PROGRAM, description=text("help.broker_program"), epilog=text("help.exit_statuses")
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {_version()}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    asked = next((word for word in arguments if not word.startswith("-")), "")
    for name in COMMANDS:
        if name.replace("_", "-") == asked:
            import_module(f"saphan_broker.cli.{name}").add_commands(commands)
        else:
            summary = text(f"command.broker_{name}")
            commands.add_parser(name.replace("_", "-"), help=summary, add_help=False)
    return parser


def _version() -> str:
    try:
        return version("saphan")
    except PackageNotFoundError:
        return "0"  # run from a checkout that was never installed


def _in_words(error: OSError) -> OperatorError:
    """What the operating system refused, where no part of the program expected it."""
    where = f"{error.filename}: " if error.filename else ""
    if error.errno == errno.ENOSPC:
        return OperatorError(
            "disk_full",
            f"{where}no space is left on the disk",
            field="data",
            hint="free some space, then do the same again",
        )
    return OperatorError(
        "system_refused",
        f"{where}{error.strerror or error}",
        hint="check that the files are there and belong to the one who runs this",
    )
