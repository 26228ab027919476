"""Options that commands share, and the parser class that speaks like the rest of the program."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from saphan_schemas.limits import LIMITS
from saphan_schemas.messages import LANGUAGES

from saphan.cli.speech import PROGRAM, note, say

if TYPE_CHECKING:
    from saphan.keys.passphrase import PassphraseSource
    from saphan.local_api import LocalNode
    from saphan.office import Office

Subparsers = argparse._SubParsersAction
"""What `add_commands(subparsers)` of a command module is given."""


class Parser(argparse.ArgumentParser):
    """An argument parser without abbreviations, with errors in the program's one style."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        # `--passphrase secret` must never be taken as the beginning of `--passphrase-file`.
        kwargs["allow_abbrev"] = False
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def parse_strictly(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse all arguments; what is left over is named without its values.

        argparse itself would repeat them: a passphrase given by mistake would stand in every log.
        """
        args, left = self.parse_known_args(arguments)
        if left:
            names = [word.split("=")[0] for word in left if word.startswith("-")]
            asked: Parser = getattr(args, "asked", self)
            asked.error(" ".join(("unrecognized arguments", *names)))
        return args

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and where help is; exit status 2."""
        note(f"{PROGRAM}: {message}")
        note(f"hint: {self.prog} --help")
        sys.exit(2)


def add_command(
    commands: Subparsers[Parser], name: str, key: str, run: Callable[[argparse.Namespace], int]
) -> Parser:
    """A command with `--dir`, `--json` and `--lang`; its summary is `command.<key>`."""
    summary = say(f"command.{key}")
    parser = commands.add_parser(name, help=summary, description=summary)
    parser.set_defaults(run=run, asked=parser)
    parser.add_argument("--dir", type=Path, default=Path(), metavar="DIR", help=say("help.dir"))
    parser.add_argument("--json", action="store_true", help=say("help.json"))
    parser.add_argument("--lang", choices=LANGUAGES, help=say("help.lang"))
    return parser


def add_group(commands: Subparsers[Parser], name: str) -> Subparsers[Parser]:
    """A command that has commands of its own, such as `saphan agency init`."""
    summary = say(f"command.{name}")
    group = commands.add_parser(name, help=summary, description=summary)
    return group.add_subparsers(metavar="COMMAND", required=True)


def add_passphrase(parser: Parser, prefix: str = "", what: str = "root") -> None:
    """`--passphrase-file` and `--passphrase-fd`, of which at most one is given."""
    either = parser.add_mutually_exclusive_group()
    name = f"--{prefix}passphrase"
    either.add_argument(
        f"{name}-file", type=Path, metavar="FILE", help=say("help.passphrase_file", what=what)
    )
    either.add_argument(
        f"{name}-fd", type=descriptor, metavar="N", help=say("help.passphrase_fd", what=what)
    )


def passphrase_source(args: argparse.Namespace, prefix: str = "") -> PassphraseSource:
    """Where the person said the passphrase is; the terminal if they said nothing."""
    from saphan.keys.passphrase import PassphraseSource

    return PassphraseSource(
        file=getattr(args, f"{prefix}passphrase_file"),
        descriptor=getattr(args, f"{prefix}passphrase_fd"),
        say=say,
    )


def office_of(args: argparse.Namespace) -> Office:
    """The agency's folder named by `--dir`."""
    from saphan.office import Office

    return Office(args.dir)


def local_node(args: argparse.Namespace) -> LocalNode:
    """The node of the agency's folder named by `--dir`.

    Raises:
        OperatorError: `not_an_agency_folder`: starting a node there would not help.
    """
    from saphan.local_api import LocalNode

    office = office_of(args)
    office.read_agency()
    return LocalNode(office.node)


def now_ms() -> int:
    """This machine's clock, ms UTC."""
    return time.time_ns() // 1_000_000


def log_number(text: str) -> int:
    """The number of one of a broker's evidence logs, as an option's type."""
    plain = text.isascii() and text.isdecimal() and len(text) < 5
    if not plain or not 1 <= int(text) <= LIMITS.successions:
        raise argparse.ArgumentTypeError(say("help.log_number", most=LIMITS.successions))
    return int(text)


def descriptor(text: str) -> int:
    """The number of an open descriptor, as an option's type."""
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        raise argparse.ArgumentTypeError(say("help.not_a_descriptor"))
    return int(text)
