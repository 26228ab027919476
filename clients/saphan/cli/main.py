"""Entry point of `saphan`: find the command, run it, turn what happens into words and a status.

Exit statuses: 0 done; 1 something unforeseen (a log file is written); 2 wrong input or usage;
3 refused by a rule; 4 not possible now, try again; 5 this machine's keeper must act; 130
interrupted; 141 the reader of the output went away.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from saphan_schemas.errors import OperatorError, SaphanError
from saphan_schemas.messages import LANGUAGES
from saphan_schemas.terminal import EXIT_BUG, EXIT_INTERRUPTED, print_json

from saphan.cli.options import Parser, Subparsers
from saphan.cli.speech import (
    PROGRAM,
    close_output,
    complain,
    fit_output,
    note,
    say,
    set_language,
)

COMMANDS: Final[tuple[tuple[str, str], ...]] = (
    ("agency", "saphan.cli.agency"),
    ("root", "saphan.cli.root"),
    ("keys", "saphan.cli.keys"),
    ("revoke", "saphan.cli.revoke"),
    ("agreement", "saphan.cli.agreement"),
    ("words", "saphan.cli.words"),
    ("node", "saphan.cli.node"),
    ("token", "saphan.cli.token"),
    ("custodian", "saphan.cli.custodian"),
    ("desk", "saphan.cli.desk"),
    ("inbox", "saphan.cli.officer"),
    ("read", "saphan.cli.officer"),
    ("send", "saphan.cli.officer"),
    ("attachment", "saphan.cli.attachment"),
    ("status", "saphan.cli.officer"),
    ("thread", "saphan.cli.thread"),
    ("resend", "saphan.cli.officer"),
    ("recall", "saphan.cli.recall"),
    ("hold", "saphan.cli.hold"),
    ("retention", "saphan.cli.retention"),
    ("countersign", "saphan.cli.countersign"),
    ("schema", "saphan.cli.schema"),
    ("officer", "saphan.cli.officers"),
    ("records", "saphan.cli.records"),
    ("audit", "saphan.cli.audit"),
    ("evidence", "saphan.cli.evidence"),
)
"""(command, module with `add_commands(subparsers)`); only the module that is used is imported."""

EXIT_BROKEN_PIPE: Final = 141
LOG_NAME: Final = "saphan-error.log"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Only argument errors and `--help` exit by
    SystemExit, as argparse does."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    set_language(arguments, os.environ)
    as_json = "--json" in arguments
    fit_output(as_json=as_json)
    try:
        args = _parser(arguments).parse_strictly(arguments)
        status: int = args.run(args)
        sys.stdout.flush()  # a full disk or a closed pipe shows here, not after the status
    except SaphanError as error:
        return complain(error, as_json=as_json)
    except KeyboardInterrupt:
        note(f"{PROGRAM}: {say('note.interrupted')}")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        close_output()
        return EXIT_BROKEN_PIPE
    except OSError as error:
        close_output()  # what waits to be written there would fail once more at exit
        return complain(_local_failure(error), as_json=as_json)
    except Exception:
        return _unforeseen(arguments, as_json=as_json)
    return status


def _local_failure(error: OSError) -> OperatorError:
    """A full disk behind standard output, a lost network drive: this machine's keeper must act."""
    where = f"{error.filename}: " if error.filename else ""
    return OperatorError(
        "machine_failed",
        f"{where}{error.strerror or error}",
        hint="check the disk, and where the output goes; then try again",
    )


def _parser(arguments: Sequence[str]) -> Parser:
    """The whole parser in names and summaries, in full for the one command that is asked for."""
    parser = Parser(prog=PROGRAM, description=say("help.program"), epilog=say("help.exit_statuses"))
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {_version()}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    # People give the language first; what is asked for is the word after it.
    parser.add_argument("--lang", choices=LANGUAGES, help=say("help.lang"))
    before = ["", *arguments]
    named = (w for b, w in zip(before, arguments, strict=False) if b != "--lang")
    asked = next((word for word in named if not word.startswith("-")), None)
    wanted = dict(COMMANDS).get(asked or "")
    if wanted is not None:
        import_module(wanted).add_commands(commands)
    _add_names(commands, wanted)
    return parser


def _add_names(commands: Subparsers[Parser], loaded: str | None) -> None:
    for name, module in COMMANDS:
        if module != loaded:
            commands.add_parser(name, help=say(f"command.{name}"), add_help=False)


def _version() -> str:
    try:
        return version("saphan")
    except PackageNotFoundError:
        return "0"  # run from a checkout that was never installed


def _unforeseen(arguments: Sequence[str], *, as_json: bool) -> int:
    """A bug must not end in a page of code on an officer's screen; its trace goes to a file."""
    place = _folder(arguments) / LOG_NAME
    message, hint = say("note.unforeseen"), say("note.unforeseen_log", path=place)
    try:
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with open(handle, "a", encoding="utf-8") as log:
            log.write(traceback.format_exc() + "\n")
    except OSError:
        message, hint = say("note.unforeseen_unlogged"), traceback.format_exc().splitlines()[-1]
    if as_json:
        error = {"code": "bug", "message": message, "field": None, "hint": hint}
        print_json(sys.stderr, {"error": error})
    else:
        note(f"{PROGRAM}: {message}")
        note(f"hint: {hint}")
    return EXIT_BUG


def _folder(arguments: Sequence[str]) -> Path:
    """The folder of `--dir` if it is there, else the current one."""
    given = [*arguments, ""]
    for at, argument in enumerate(given[:-1]):
        value = given[at + 1] if argument == "--dir" else argument.removeprefix("--dir=")
        if argument.startswith("--dir") and Path(value).is_dir():
            return Path(value)
    return Path()


if __name__ == "__main__":
    sys.exit(main())
