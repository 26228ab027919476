"""What the commands' arguments have in common: names, types, and errors in one style."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NoReturn

from saphan_protocol.invitation import DEFAULT_PORT
from saphan_schemas.messages import text
from saphan_schemas.terminal import print_line

PROGRAM: Final = "saphan-broker"
DEFAULT_LISTEN: Final = f"127.0.0.1:{DEFAULT_PORT}"

Subparsers = argparse._SubParsersAction
"""What `add_commands(subparsers)` of a command module is given."""


class Parser(argparse.ArgumentParser):
    """An argument parser without abbreviations, with errors in the programs' one style."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        kwargs["allow_abbrev"] = False
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def parse_strictly(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse all arguments; what is left over is named without its values."""
        args, left = self.parse_known_args(arguments)
        if left:
            names = [word.split("=")[0] for word in left if word.startswith("-")]
            asked: Parser = getattr(args, "asked", self)
            asked.error(" ".join(("unrecognized arguments", *names)))
        return args

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and where help is; exit status 2."""
        print_line(sys.stderr, f"{PROGRAM}: {message}")
        print_line(sys.stderr, f"hint: {self.prog} --help")
        sys.exit(2)


def add_command(
    commands: Subparsers[Parser],
    name: str,
    key: str,
    run: Callable[[argparse.Namespace], int],
    *,
    data: bool = True,
) -> Parser:
    """A command with `--json`, and `--data` unless told; its summary is `command.broker_<key>`."""
    summary = text(f"command.broker_{key}")
    parser = commands.add_parser(name, help=summary, description=summary)
    parser.set_defaults(run=run, asked=parser)
    if data:
        parser.add_argument(
            "--data", type=Path, required=True, metavar="DIR", help=text("help.broker_data")
        )
    parser.add_argument("--json", action="store_true", help=text("help.json"))
    return parser


def add_group(commands: Subparsers[Parser], name: str) -> Subparsers[Parser]:
    """A command that has commands of its own, such as `saphan-broker records export`."""
    summary = text(f"command.broker_{name}")
    group = commands.add_parser(name, help=summary, description=summary)
    return group.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)


def add_keys(parser: Parser) -> None:
    """`--keys DIR`."""
    parser.add_argument(
        "--keys", type=Path, required=True, metavar="DIR", help=text("help.broker_keys")
    )


def address(given: str) -> tuple[str, int]:
    """(host, port) from HOST:PORT or [HOST]:PORT; port 0 takes a free one."""
    host, colon, port = given.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not (port.isascii() and port.isdecimal() and int(port) < 65_536):
        raise argparse.ArgumentTypeError(text("help.broker_not_an_address"))
    return host, int(port)


def index(given: str) -> int:
    """A leaf's index in the log."""
    if not (given.isascii() and given.isdecimal() and len(given) < 17):
        raise argparse.ArgumentTypeError(text("help.broker_not_an_index"))
    return int(given)


def count(least: int, most: int) -> Callable[[str], int]:
    """The type of an option that is a number from `least` to `most`."""

    def read(given: str) -> int:
        plain = given.isascii() and given.isdecimal() and len(given) < 6
        if not plain or not least <= int(given) <= most:
            raise argparse.ArgumentTypeError(
                text("help.broker_not_a_count", least=least, most=most)
            )
        return int(given)

    return read
