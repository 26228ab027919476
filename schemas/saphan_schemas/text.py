"""Which characters may stand in content: one pinned list, so that both ends always agree.

Refused are control characters (a terminal would obey them), the line and paragraph separators
(a line break is U+000A, and a title has none), lone surrogates, bidirectional controls (they make
text read differently from its bytes), private-use and unassigned code points, deprecated characters
with three more Khmer signs, and tags (nobody sees what they say). U+200B stays: Lao and Khmer prose
carries line breaks in it. The list is data (`text_forbidden.json`, made by
schemas/spec/generate_text_tables.py) and names its Unicode version, because Python's own tables
change with Python and a verdict must not.
"""

from __future__ import annotations

import bisect
import functools
import json
import re
from importlib import resources
from typing import Any, Final

import msgspec

from saphan_schemas.codec import MAX_CONTENT_DEPTH, Where, pointer_to
from saphan_schemas.errors import InvalidInput

_BMP_END: Final = 0xFFFF
_PRINTABLE: Final = bytes(range(0x20, 0x7F))
_ESCAPED: Final = re.compile(rb"\\[bfrtu]")
"""How JSON writes controls other than newline; a literal backslash may match too, harmlessly."""


def check_text(value: str, field: str) -> None:
    """Refuse characters that have no business in a bulletin.

    Args:
        value: any text.
        field: its JSON pointer or name, for the error.

    Raises:
        InvalidInput: `text_forbidden`, naming the code point and its place.
    """
    at = _first_forbidden(value)
    if at is not None:
        raise InvalidInput(
            "text_forbidden",
            f"{field}: character {at + 1} is U+{ord(value[at]):04X}, which is not allowed",
            field=field,
            hint="type the text again; copying from a document can bring in hidden characters",
        )


def check_texts(content: dict[str, Any]) -> None:
    """`check_text` for every string of a content map; its keys are the schema's to judge.

    Raises:
        InvalidInput: `text_forbidden`; `schema_invalid` for nesting no schema of ours has.
    """
    try:
        written = msgspec.json.encode(content)
        # What is left without printable ASCII: a fraction of most bulletins, searched at once.
        rest = written.translate(None, _PRINTABLE).decode()
    except (RecursionError, TypeError, UnicodeEncodeError):
        _locate(content, None, 0)
        return
    if _ESCAPED.search(written) or _first_forbidden(rest) is not None:
        _locate(content, None, 0)


def harmless(value: str) -> str:
    """The text with U+FFFD in place of every character that `check_text` refuses."""
    if value.isascii() and value.isprintable():
        return value
    pattern, starts, ends = _tables()
    return pattern.sub(
        lambda match: "\ufffd" if _forbidden(ord(match[0]), starts, ends) else match[0], value
    )


def _locate(value: Any, where: Where, depth: int) -> None:
    """The slow, exact walk: only for content in which something looks wrong."""
    if depth > MAX_CONTENT_DEPTH:
        raise InvalidInput(
            "schema_invalid", f"content nests deeper than {MAX_CONTENT_DEPTH}", field=""
        )
    if isinstance(value, str):
        if _first_forbidden(value) is not None:
            check_text(value, pointer_to(where))
    elif isinstance(value, dict):
        for key, item in value.items():
            _locate(item, (where, key), depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _locate(item, (where, index), depth + 1)


def _first_forbidden(value: str) -> int | None:
    pattern, starts, ends = _tables()
    for match in pattern.finditer(value):
        if _forbidden(ord(match[0]), starts, ends):
            return match.start()
    return None


def _forbidden(point: int, starts: list[int], ends: list[int]) -> bool:
    """Of a character that the pattern has found."""
    if point <= _BMP_END:
        return True
    # Outside the BMP the pattern only says "look closer": sets there would be slow to match.
    index = bisect.bisect_right(starts, point) - 1
    return index >= 0 and point <= ends[index]


@functools.cache
def _tables() -> tuple[re.Pattern[str], list[int], list[int]]:
    path = resources.files("saphan_schemas").joinpath("text_forbidden.json")
    ranges: list[list[int]] = json.loads(path.read_text(encoding="utf-8"))["ranges"]
    inner = "".join(
        f"\\u{first:04x}-\\u{min(last, _BMP_END):04x}"
        for first, last in ranges
        if first <= _BMP_END
    )
    pattern = re.compile(f"[{inner}\U00010000-\U0010ffff]")
    return pattern, [first for first, _ in ranges], [last for _, last in ranges]
