"""How the commands of every program speak: results on stdout, everything else on stderr.

    saphan-broker: another process has the store in /srv/bridge open (store_locked)
    hint: stop the other broker process

With --json a result is one JSON object a line on stdout and an error one on stderr. The exit status
is the error's family: 2 the input is wrong, 3 refused, 4 try again later, 5 this machine's operator
must act; 0 is success, 1 a bug, 130 Ctrl-C. The caller gives the streams: nothing is opened here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, Protocol

from saphan_schemas.errors import SaphanError
from saphan_schemas.messages import error_hint

EXIT_BUG: Final = 1
EXIT_INTERRUPTED: Final = 130
"""As shells report a process that ended by Ctrl-C."""


class Stream(Protocol):
    """What is written to: a text stream."""

    def write(self, text: str, /) -> object:
        """Write text."""

    def flush(self) -> object:
        """Pass it on at once: a reader may be waiting for this line."""


def plain(text: str) -> str:
    """The text on one line, with everything replaced that a terminal would obey."""
    return "".join(c if _harmless(c) else "\ufffd" for c in text)


def _harmless(c: str) -> bool:
    # U+200B (zero width space) is how Lao and Khmer prose marks where a line may break; U+200C and
    # U+200D say how Khmer signs join.
    return c.isprintable() or c in "\u200b\u200c\u200d"


def lowered(sentence: str) -> str:
    """Lower-case beginning, no final period; names in capitals and paths stay as they are."""
    if len(sentence) > 1 and sentence[0].isupper() and sentence[1].islower():
        sentence = sentence[0].lower() + sentence[1:]
    return sentence.removesuffix(".")


def print_line(out: Stream, line: str) -> None:
    """One line for a person; of what a stranger wrote, nothing steers the terminal."""
    out.write(f"{plain(line)}\n")
    out.flush()


def print_json(out: Stream, value: Mapping[str, object]) -> None:
    """One JSON object on one line; letters of every script as they are, what a terminal would obey
    in JSON's own spelling: a person may look at it too."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if not text.isprintable():
        text = "".join(c if _harmless(c) else json.dumps(c)[1:-1] for c in text)
    out.write(f"{text}\n")
    out.flush()


def print_error(
    err: Stream, program: str, error: SaphanError, *, as_json: bool = False, lang: str = "en"
) -> int:
    """Say what went wrong and what to do next; gives the exit status.

    Args:
        program: the command's name, such as "saphan-broker".
        as_json: {"error": {"code", "message", "field", "hint"}} in place of lines for people; for
            a fault in a bulletin with `explained`, the sentence in the person's language.
    """
    hint, explained = error_hint(error, lang), _explained(error, lang)
    if as_json:
        shown = {"code": error.code, "message": error.message, "field": error.field, "hint": hint}
        print_json(err, {"error": shown | ({"explained": explained} if explained else {})})
        return error.exit_status
    what = f"{explained} [{error.field}]" if explained else lowered(error.message)
    print_line(err, f"{program}: {what} ({error.code})")
    if hint:
        print_line(err, f"hint: {lowered(hint)}")
    return error.exit_status


def _explained(error: SaphanError, lang: str) -> str | None:
    """What is wrong with a bulletin, by the labels of its type; nothing is loaded for others."""
    if getattr(error, "fault", None) is None:
        return None
    from saphan_schemas.explaining import explain

    return explain(error, lang)


def print_bug(err: Stream, program: str, error: BaseException, *, as_json: bool = False) -> int:
    """Say that the program itself is wrong, without a traceback; gives the exit status."""
    what = plain(f"{type(error).__name__}: {error}")[:400]
    if as_json:
        shown = {"code": "bug", "message": what, "field": None, "hint": _BUG_HINT}
        print_json(err, {"error": shown})
    else:
        print_line(err, f"{program}: this is a bug: {what}")
        print_line(err, f"hint: {_BUG_HINT}")
    return EXIT_BUG


_BUG_HINT: Final = "nothing was half-kept; report this line, with what you did, to the developers"
