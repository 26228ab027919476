"""Words on the terminal: the catalogue in the person's language, and nothing a terminal obeys."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Final

from saphan_schemas.errors import OperatorError, SaphanError
from saphan_schemas.messages import LANGUAGES, error_hint, text

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


def plain(value: str) -> str:
    """Text of unknown origin, with everything replaced that a terminal would obey."""
    # U+200B (zero width space) is how Lao and Khmer prose marks where a line may break.
    return "".join(c if c.isprintable() or c == "\u200b" else "\ufffd" for c in value)


def show(value: Mapping[str, object], lines: Iterable[str], *, as_json: bool) -> None:
    """Print a result on standard output: one JSON object, or lines for a person."""
    if as_json:
        print(json.dumps(value, indent=2, ensure_ascii=False))
        return
    for line in lines:
        print(plain(line))


def note(line: str) -> None:
    """Print something for the person on standard error, beside the result."""
    print(plain(line), file=sys.stderr)


def complain(error: SaphanError, *, as_json: bool) -> None:
    """Print an error: `saphan: lower case, no period`, then a `hint:` line."""
    hint = error_hint(error, language())
    if as_json:
        value = {"code": error.code, "message": error.message, "field": error.field, "hint": hint}
        print(json.dumps({"error": value}, ensure_ascii=False), file=sys.stderr)
        return
    note(f"{PROGRAM}: {_lowered(error.message)} ({error.code})")
    if hint:
        note(f"hint: {_lowered(hint)}")


def confirm(question: str, *, yes: bool) -> None:
    """Ask the person to type "yes"; `yes` skips it because they said so on the command line.

    Raises:
        OperatorError: `not_confirmed`, also where there is no terminal to ask.
    """
    if yes:
        return
    try:
        with open("/dev/tty", "r+", encoding="utf-8", buffering=1) as terminal:
            terminal.write(f"{plain(question)} {say('prompt.type_yes')} ")
            answer = terminal.readline()
    except OSError:
        answer = ""
    if answer.strip().lower() != "yes":
        raise OperatorError(
            "not_confirmed",
            "it was not confirmed, so nothing was done",
            hint="answer yes at the terminal, or give --yes when you have compared the words",
        )


def close_output() -> None:
    """After a broken pipe: keep Python from complaining about it once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _lowered(sentence: str) -> str:
    """Lower-case beginning, no final period; names in capitals and paths stay as they are."""
    if len(sentence) > 1 and sentence[0].isupper() and sentence[1].islower():
        sentence = sentence[0].lower() + sentence[1:]
    return sentence.removesuffix(".")
