"""Words on the terminal: the catalogue in the person's language, and nothing a terminal obeys."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from io import TextIOWrapper
from typing import Final

from saphan_schemas.errors import OperatorError, SaphanError
from saphan_schemas.messages import LANGUAGES, text
from saphan_schemas.terminal import plain, print_error, print_json, print_line

PROGRAM: Final = "saphan"
_language: ContextVar[str] = ContextVar("language", default=LANGUAGES[0])


def set_language(arguments: Iterable[str], environment: Mapping[str, str]) -> None:
    """Take the language from `--lang`, else from the locale, else English."""
    given = list(arguments)
    wanted = environment.get("LC_ALL") or environment.get("LC_MESSAGES") or environment.get("LANG")
    for at, argument in enumerate(given):
        if argument == "--lang" and at + 1 < len(given):
            wanted = given[at + 1]
        elif argument.startswith("--lang="):
            wanted = argument.removeprefix("--lang=")
    start = (wanted or "")[:2].lower()
    _language.set(start if start in LANGUAGES else LANGUAGES[0])


def language() -> str:
    """The language in which this run speaks, one of `LANGUAGES`."""
    return _language.get()


def say(key: str, **values: object) -> str:
    """A text of the catalogue in the person's language."""
    return text(key, language(), **values)


def show(value: Mapping[str, object], lines: Iterable[str], *, as_json: bool) -> None:
    """Print a result on standard output: one JSON object, or lines for a person."""
    if as_json:
        print_json(sys.stdout, value)
        return
    for line in lines:
        print_line(sys.stdout, line)


def note(line: str) -> None:
    """Print something for the person on standard error, beside the result."""
    print_line(sys.stderr, line)


def complain(error: SaphanError, *, as_json: bool) -> int:
    """Print an error in the person's language on standard error; gives the exit status."""
    return print_error(sys.stderr, PROGRAM, error, as_json=as_json, lang=language())


def confirm(question: str, *, yes: bool) -> None:
    """Ask the person to type "yes"; `yes` skips it because they said so on the command line.

    Raises:
        OperatorError: `not_confirmed`, also where there is no terminal to ask.
    """
    if yes:
        return
    try:
        # Unbuffered: a terminal cannot be sought, which every buffered "r+" of Python demands.
        with open("/dev/tty", "r+b", buffering=0) as terminal:
            terminal.write(f"{plain(question)} {say('prompt.type_yes')} ".encode())
            answer = terminal.readline(100).decode(errors="replace")
    except OSError:
        answer = ""
    if answer.strip().lower() != "yes":
        raise OperatorError(
            "not_confirmed",
            "it was not confirmed, so nothing was done",
            hint="answer yes at the terminal, or give --yes when you have compared the words",
        )


def fit_output(*, as_json: bool) -> None:
    """A terminal that lacks a letter shows a mark in its place; programs always get UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # what a test puts there may be another one
            stream.reconfigure(encoding="utf-8" if as_json else None, errors="replace")


def close_output() -> None:
    """After a broken pipe: keep Python from complaining about it once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
