"""What a person typed, as an answer: codes by their beginning in any language, digits of any
script, times as the clock on the wall shows them.

Nothing is signed yet, so what is typed may be put into the form that the field wants; prose is kept
as it was typed.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from saphan_schemas.fields import Choice

from saphan.folding.spelling import fold
from saphan.form.question import Question, Scalar
from saphan.zone import read_zone

LEAVE_OUT: Final = "-"
"""Typed to leave out a field although Enter would take something."""
_YES: Final = frozenset({"y", "yes", "true", "1", "ແມ່ນ", "ມີ", "បាទ", "ចាស", "មាន"})
_NO: Final = frozenset({"n", "no", "false", "0", "ບໍ່", "ບໍ່ມີ", "ទេ", "គ្មាន"})
_LOCAL_TIME: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}(?::\d{2})?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Several:
    """A beginning that more than one code has, or none: the codes to choose from."""

    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Misread:
    """Not an answer to this question.

    Args:
        key: of the catalogue.
    """

    key: str


def read_answer(question: Question, typed: str, zone: str) -> Scalar | Several | Misread:
    """The answer that a person means; whether it is a right one is judged by the schema.

    Args:
        typed: without its line end, and not empty.
        zone: IANA name of the zone in which times are typed, such as "Asia/Vientiane".
    """
    if question.kind == "choice":
        assert question.choice is not None
        return chosen(question.choice, typed.strip())
    if question.kind == "whole":
        digits = ascii_digits(typed.strip())
        whole = re.fullmatch(r"-?[0-9]{1,16}", digits)
        return int(digits) if whole else Misread("form.whole_wanted")
    if question.kind == "text":
        return as_written(question, typed, zone)
    return _yes_or_no(typed.strip())


def chosen(choice: Choice, typed: str) -> str | Several:
    """The code that is meant: itself, its number in the list, or the beginning of its words."""
    if typed in choice.codes:
        return typed
    number = ascii_digits(typed)
    if re.fullmatch(r"[0-9]{1,4}", number) and 0 < int(number) <= len(choice.codes):
        return choice.codes[int(number) - 1]
    found = search(choice, typed)
    return found[0] if len(found) == 1 else Several(found)


def search(choice: Choice, typed: str) -> tuple[str, ...]:
    """Codes of which the code or a label in any language has a word that begins so."""
    wanted = fold(typed)
    if not wanted:
        return ()
    return tuple(
        code
        for code in choice.codes
        if any(_begins(name, wanted) for name in (code, *choice.labels(code)))
    )


def as_written(question: Question, typed: str, zone: str) -> str | Misread:
    """Text as it was typed; in a field of dates, numbers or codes with ASCII digits, and in UTC."""
    if not _is_structured(question):
        return typed
    text = ascii_digits(typed.strip())
    if question.shared != "time":
        return text
    local = _LOCAL_TIME.fullmatch(text)
    return text if local is None else to_utc(" ".join(local.groups()), zone)


def to_utc(text: str, zone: str) -> str | Misread:
    """ "2025-10-14 06:40" on the wall in a zone, as "2025-10-13T23:40:00Z"."""
    where = read_zone(zone)
    if where is None:
        return Misread("form.time_wanted")
    try:
        here = datetime.fromisoformat(text).replace(tzinfo=where)
        return here.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        return Misread("form.time_wanted")


def ascii_digits(text: str) -> str:
    """Lao, Khmer, Thai and other decimal digits as 0 to 9; everything else as it is."""
    if text.isascii():
        return text
    return "".join(
        c if (digit := unicodedata.decimal(c, None)) is None else str(digit) for c in text
    )


def _is_structured(question: Question) -> bool:
    """Whether a field has a form of ASCII characters; lines and prose have none."""
    pattern = str(question.node.get("pattern", ""))
    return pattern.startswith("^") and not pattern.startswith("^[^")


def _yes_or_no(typed: str) -> bool | Misread:
    word = typed.casefold()
    if word in _YES or word in _NO:
        return word in _YES
    return Misread("form.yes_or_no_wanted")


def _begins(name: str, wanted: str) -> bool:
    folded = fold(name)
    return folded.startswith(wanted) or any(one.startswith(wanted) for one in folded.split())
