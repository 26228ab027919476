"""Which control a value gets, and how its answer stands in it.

Times stand there as the clock on the wall of their place shows them, codes as their words, numbers
of entries as the entries they mean. What is wrong stands there as it was typed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from saphan_schemas.fields import Choice
from saphan_schemas.messages import text

from saphan.form.question import Scalar
from saphan.form.reading import to_utc
from saphan.web.writing.forms.codes import shown, whole_list
from saphan.web.writing.forms.walking import Leaf
from saphan.zone import read_zone

Control = Literal[
    "line", "prose", "number", "date", "time", "yes_no", "select", "search", "entry", "attachment"
]
MOST_OPTIONS: Final = 16
"""Codes that stand in the page; longer lists are searched."""
LONG_LINE: Final = 200
"""Characters of the longest line; more is prose."""
_NUMBERS: Final = frozenset({"decimal", "above_zero", "whole", "percent"})
_SUGGESTED: Final = frozenset({"checkpoint", "currency", "language", "org", "script", "unlocode"})
"""Shared types or fields whose usual values are a code list of the same name; others may be
typed."""
_LETTERS: Final = {"lo": range(0x0E80, 0x0F00), "km": range(0x1780, 0x1800)}
_FIRST_LETTERS: Final = 24


@dataclass(frozen=True, slots=True)
class Option:
    """One thing to choose: what is posted, what is shown, the language of a name in its letters."""

    value: str
    text: str
    chosen: bool
    lang: str = ""


@dataclass(frozen=True, slots=True)
class Widget:
    """A control with its answer.

    Args:
        value: as it stands in the control; beside: what it means, such as a time in UTC, or "".
        options: of a `select`, `entry` or `attachment`.
        listed: of a `search`, the code list; only: those codes of it that fit, or ().
        free: of a `search`, whether other texts may stand there too.
    """

    control: Control
    value: str
    beside: str = ""
    options: tuple[Option, ...] = ()
    listed: str = ""
    only: tuple[str, ...] = ()
    free: bool = False


def choice_in(leaf: Leaf) -> tuple[Choice, bool] | None:
    """The codes of a field, and whether other texts may stand there too."""
    if leaf.choice is not None:
        return leaf.choice, False
    for name in (leaf.field.shared, leaf.pointer.rpartition("/")[2]):
        listed = whole_list(name) if name in _SUGGESTED else None
        if listed is not None and leaf.field.node.get("type") == "string":
            return listed, True
    if leaf.field.shared == "subdivision":
        return Choice("subdivision", whole_codes("subdivision")), True
    return None


def whole_codes(name: str) -> tuple[str, ...]:
    """Every code of a list that is there; a bug otherwise."""
    found = whole_list(name)
    assert found is not None, name
    return found.codes


def widget_of(
    leaf: Leaf, lang: str, zone: str, entries: Sequence[str] | None, files: Sequence[str]
) -> Widget:
    """The control of a value.

    Args:
        zone: in which times are shown; an IANA name.
        entries: of a field that means an entry of a list: what they are called; else None.
        files: names of the attachments.
    """
    answer, node = leaf.answer, leaf.field.node
    written = "" if answer is None else _written(answer)
    if node.get("type") == "boolean":
        return Widget("yes_no", written)
    choice = choice_in(leaf)
    if choice is not None:
        return _of_codes(choice[0], written, lang, free=choice[1])
    if leaf.field.shared == "attachment_ref":
        return Widget("attachment", written, options=_numbered(files, written))
    if entries is not None:
        return Widget("entry", written, options=_numbered(entries, written))
    if leaf.field.shared == "time":
        local = local_time(written, zone)
        return Widget("time", local, beside=_utc(written, lang) if local != written else "")
    return Widget(_by_form(leaf), written)


def _by_form(leaf: Leaf) -> Control:
    node, shared = leaf.field.node, leaf.field.shared
    if node.get("type") == "integer" or shared in _NUMBERS:
        return "number"
    if shared == "date" or (leaf.pointer.endswith("/value") and "[12][0-9]|3[01]" in str(node)):
        return "date"
    endless = node.get("maxLength", LONG_LINE + 1) > LONG_LINE and "pattern" not in node
    return "prose" if endless else "line"


def _written(answer: Scalar) -> str:
    return str(answer).lower() if isinstance(answer, bool) else str(answer)


def _of_codes(choice: Choice, written: str, lang: str, *, free: bool) -> Widget:
    if not free and (len(choice.codes) <= MOST_OPTIONS or not choice.listed):
        options = [
            Option(code, shown(choice, code, lang), code == written) for code in choice.codes
        ]
        if written and written not in choice.codes:
            options.append(Option(written, written, True))
        return Widget("select", written, options=tuple(options))
    whole = whole_list(choice.listed)
    only = () if whole is None or whole.codes == choice.codes else choice.codes
    said = shown(choice, written, lang) if written in choice.codes else written
    return Widget("search", said, listed=choice.listed, only=only, free=free)


def _numbered(names: Sequence[str], written: str) -> tuple[Option, ...]:
    options = [
        Option(str(at), name, str(at) == written, _tongue(name)) for at, name in enumerate(names)
    ]
    if written and written not in {option.value for option in options}:
        options.append(Option(written, written, True))
    return tuple(options)


def entry_names(title: str, items: Any) -> list[str]:
    """What the entries of a list are called: the title, the number, the first text in each."""
    return [
        f"{title} {at}: {first}" if (first := _first_text(item)) else f"{title} {at}"
        for at, item in enumerate(items if isinstance(items, list) else [], 1)
    ]


def _tongue(text: str) -> str:
    """The language that letters show: Lao and Khmer have their own; "" for all others."""
    counts = Counter(tag for letter in text for tag, own in _LETTERS.items() if ord(letter) in own)
    return max(counts, key=lambda tag: counts[tag], default="")


def _first_text(item: Any) -> str:
    """A name if there is one, else the first text that is no code, else the first text."""
    texts = list(_texts(item))
    named = [value for key, value in texts if key in ("full", "text", "value", "number")]
    said = named or [value for _, value in texts if not value.islower()]
    first = (said or [value for _, value in texts] or [""])[0]
    return first if len(first) <= _FIRST_LETTERS else f"{first[:_FIRST_LETTERS]}…"


def _texts(item: Any, key: str = "") -> Any:
    if isinstance(item, dict):
        for name, inner in item.items():
            yield from _texts(inner, name)
    elif isinstance(item, list):
        for inner in item:
            yield from _texts(inner, key)
    elif isinstance(item, str) and item:
        yield key, item


def local_time(written: str, zone: str) -> str:
    """A time in UTC as the clock in a zone shows it; unchanged where that says less, or it is no
    time: "2025-10-13T23:40:00Z" in Asia/Vientiane is "2025-10-14 06:40"."""
    where = read_zone(zone)
    if where is None:
        return written
    try:
        there = datetime.fromisoformat(written).astimezone(where)
    except (ValueError, OverflowError):
        return written
    for form in ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"):
        said = there.strftime(form)
        if to_utc(said, zone) == written:
            return said
    return written  # parts of a second, or an hour that a clock shows twice


def _utc(written: str, lang: str) -> str:
    there = datetime.fromisoformat(written).astimezone(UTC)
    said = there.strftime("%Y-%m-%d %H:%M:%S").removesuffix(":00")
    return text("page.writing.utc", lang, time=said)
