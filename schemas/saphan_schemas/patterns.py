"""Regular expressions of the profile: a small subset with one meaning in every engine.

An engine that runs in linear time is still required (schemas/spec/types.md): this file bounds what
it has to build, and refuses what explodes where somebody uses another one. Grammar:

    pattern = "^" sequence "$"              sequence = *( atom [ quantifier ] )
    atom = character / escape / class / "(" [ "?:" ] sequence *( "|" sequence ) ")"
    class = "[" [ "^" ] 1*( member [ "-" member ] ) "]"
    escape = "\\" punctuation / "\\x" 2HEX / "\\u" 4HEX
    quantifier = "?" / "*" / "+" / "{" m "}" / "{" m "," "}" / "{" m "," n "}"
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final, NoReturn

from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS

_ESCAPED: Final = frozenset("^$\\.*+?()[]{}|/-")
_SPECIAL: Final = frozenset("^$\\.*+?()[]{}|")
_CLASS_SPECIAL: Final = frozenset("[^-")
"""Have a meaning in classes of some engines; a hyphen stands last, or escaped."""
_DOUBLED: Final = ("&&", "~~")
"""Set operations in some engines, two characters in others."""
_HEX: Final = frozenset("0123456789abcdefABCDEF")
_DIGITS: Final = frozenset("0123456789")
_DEEPEST: Final = 8
"""Groups in groups."""
_NEGATED: Final = 24
"""What a class of all other characters takes beside its members: four lengths of UTF-8."""
_BEYOND_ASCII: Final = 4


@dataclass(frozen=True, slots=True)
class _Part:
    """What was read: how many positions it takes with its counts written out, whether it has one
    fixed form (no quantifier but a single count, no alternatives), and what an engine builds of it:
    a member of a class is as much as a character."""

    positions: int
    fixed: bool
    size: int


def check_pattern(pattern: str, pointer: str) -> int:
    """Refuse a pattern outside the subset.

    Args:
        pointer: where it stands, for the error.

    Returns:
        Its positions when counted repetitions are written out.

    Raises:
        InvalidInput: `schema_pattern_large`, `schema_pattern_anchor`, `schema_pattern_syntax`,
            `schema_pattern_nested`.
    """
    # The same few patterns stand at many places.
    known = _counted(pattern)
    return (_Reader(pattern, pointer).read() if known is None else known).positions


def pattern_size(pattern: str) -> int:
    """Characters and members of classes, counted repetitions written out: what an engine builds.

    Raises:
        InvalidInput: as `check_pattern`.
    """
    return (_counted(pattern) or _Reader(pattern, "").read()).size


@functools.lru_cache(1024)
def _counted(pattern: str) -> _Part | None:
    try:
        return _Reader(pattern, "").read()
    except InvalidInput:
        return None  # read again, for an error that says where


class _Reader:
    """One pass from left to right; every step takes at least one character."""

    def __init__(self, pattern: str, pointer: str) -> None:
        self._text = pattern
        self._pointer = pointer
        self._at = 0

    def read(self) -> _Part:
        text = self._text
        if len(text) > LIMITS.schema_pattern_chars:
            self._large(f"has {len(text)} characters, at most {LIMITS.schema_pattern_chars}")
        if len(text) < 2 or text[0] != "^" or text[-1] != "$" or _escaped(text):
            self._refuse("schema_pattern_anchor", "does not begin with ^ and end with $")
        self._text, self._at = text[:-1], 1
        part = self._sequence(0)
        if self._at < len(self._text):
            # A bar outside a group would leave its second half without the anchor.
            bar = self._text[self._at] == "|"
            code = "schema_pattern_anchor" if bar else "schema_pattern_syntax"
            self._refuse(code, f"cannot go on at character {self._at + 1}")
        return part

    def _sequence(self, depth: int) -> _Part:
        positions, fixed, size = 0, True, 0
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            part = self._quantified(self._atom(depth))
            positions, fixed = positions + part.positions, fixed and part.fixed
            size += part.size
            if positions > LIMITS.schema_pattern_positions:
                self._large(f"takes over {LIMITS.schema_pattern_positions} positions")
        return _Part(positions, fixed, size)

    def _atom(self, depth: int) -> _Part:
        char = self._text[self._at]
        if char == "(":
            return self._group(depth + 1)
        if char == "[":
            return _Part(1, True, self._class())
        if char == "\\":
            self._escape()
        elif char in _SPECIAL or not _plain(char):
            self._refuse(
                "schema_pattern_syntax", f"character {self._at + 1} has no meaning here; escape it"
            )
        else:
            self._at += 1
        return _Part(1, True, _BEYOND_ASCII)

    def _group(self, depth: int) -> _Part:
        if depth > _DEEPEST:
            self._large(f"nests groups deeper than {_DEEPEST}")
        self._at += 1
        if self._text.startswith("?:", self._at):
            self._at += 2
        parts = [self._sequence(depth)]
        while self._peek() == "|":
            self._at += 1
            parts.append(self._sequence(depth))
        if self._peek() != ")":
            self._refuse("schema_pattern_syntax", "leaves a group open")
        self._at += 1
        positions = sum(part.positions for part in parts)
        size = sum(part.size for part in parts)
        return _Part(positions, len(parts) == 1 and parts[0].fixed, size)

    def _class(self) -> int:
        """What it takes: its members, those beyond ASCII more."""
        self._at += 1
        members, size = 0, 0
        if self._peek() == "^":
            self._at += 1
            size = _NEGATED
        while self._peek() != "]":
            low = high = self._member()
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._at += 1
                high = -1 if self._peek() == "-" else self._member()
                if high < low:
                    self._refuse("schema_pattern_syntax", "has a range that runs backwards")
            members += 1
            size += 1 if high < 0x80 else _BEYOND_ASCII
        if not members:
            self._refuse("schema_pattern_syntax", "has an empty class")
        self._at += 1
        return size

    def _member(self) -> int:
        char = self._peek()
        if char == "\\":
            return self._escape()
        last = char == "-" and self._text[self._at + 1 : self._at + 2] == "]"
        doubled = self._text.startswith(_DOUBLED, self._at)
        if not char or doubled or (char in _CLASS_SPECIAL and not last) or not _plain(char):
            self._refuse(
                "schema_pattern_syntax",
                "has a class with a character that must be escaped, or no end",
            )
        self._at += 1
        return ord(char)

    def _escape(self) -> int:
        char = self._text[self._at + 1 : self._at + 2]
        if char in ("x", "u"):
            return self._hexadecimal(2 if char == "x" else 4)
        if char not in _ESCAPED or not char:
            # \\d would take Lao digits in one engine and not in another.
            self._refuse(
                "schema_pattern_syntax",
                "escapes what is no punctuation; write classes out, as [0-9]",
            )
        self._at += 2
        return ord(char)

    def _hexadecimal(self, length: int) -> int:
        digits = self._text[self._at + 2 : self._at + 2 + length]
        if len(digits) < length or not set(digits) <= _HEX:
            self._refuse("schema_pattern_syntax", "has a cut hexadecimal escape")
        value = int(digits, 16)
        if 0xD800 <= value <= 0xDFFF:
            self._refuse("schema_pattern_syntax", "names a surrogate")
        self._at += 2 + length
        return value

    def _quantified(self, part: _Part) -> _Part:
        low, high = self._counts()
        if low is None:
            return part
        if self._peek() in ("?", "*", "+", "{"):
            self._refuse("schema_pattern_syntax", "repeats a repetition")
        if high is None and not (part.fixed and part.positions):
            self._refuse(
                "schema_pattern_nested", "repeats without end what has several forms, or none"
            )
        times = max(low, high or 0, 1)
        return _Part(part.positions * times, part.fixed and low == high, part.size * times)

    def _counts(self) -> tuple[int | None, int | None]:
        """(least, most) of the quantifier here, most None: endless; (None, 0): there is none."""
        char = self._peek()
        if char in ("?", "*", "+"):
            self._at += 1
            return (1 if char == "+" else 0), (1 if char == "?" else None)
        if char != "{":
            return None, 0
        end = self._text.find("}", self._at)
        low, comma, high = self._text[self._at + 1 : max(end, 0)].partition(",")
        if end < 0 or not _count(low) or (high and not _count(high)):
            self._refuse("schema_pattern_syntax", "has a brace that is no count; escape it")
        self._at = end + 1
        most = int(high) if high else (None if comma else int(low))
        if most is not None and (most < int(low) or most == 0):
            self._refuse("schema_pattern_syntax", "counts backwards, or to nothing")
        return int(low), most

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _large(self, why: str) -> NoReturn:
        self._refuse("schema_pattern_large", why)

    def _refuse(self, code: str, why: str) -> NoReturn:
        raise InvalidInput(
            code,
            f"{self._pointer}: the pattern {why}",
            field=self._pointer,
            hint="schemas/spec/types.md lists what a pattern may hold",
        )


def _escaped(text: str) -> bool:
    """Whether the last character is escaped: an odd number of backslashes stands before it."""
    before = text[:-1]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _plain(char: str) -> bool:
    """A printable character of 16 bits: more is two units in some engines."""
    return " " <= char <= "\uffff" and char != "\x7f"


def _count(text: str) -> bool:
    return 0 < len(text) < 5 and set(text) <= _DIGITS
