"""Quantities of rules: decimal strings and counts, computed exactly as integers of millionths."""

from __future__ import annotations

import re
from typing import Any, Final

DECIMALS: Final = 6
"""Digits after the point of a `decimal`; sums are exact integers of this scale."""
ONE: Final = 10**DECIMALS
_DECIMAL: Final = re.compile(r"[0-9]{1,18}(\.[0-9]{1,6})?\Z")


def scaled(value: Any) -> int | None:
    """A `decimal` string or a count in millionths; None for anything else."""
    if type(value) is int:
        return value * ONE
    if type(value) is not str or _DECIMAL.match(value) is None:
        return None
    whole, _, part = value.partition(".")
    return int(whole) * ONE + (int(part.ljust(DECIMALS, "0")) if part else 0)


def unscaled(value: int) -> str:
    """The shortest decimal string of a number of millionths that is not negative."""
    whole, part = divmod(value, ONE)
    digits = f"{part:0{DECIMALS}d}".rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def rounded(value: int, scale: int, digits: int) -> int:
    """A number of 10**-scale, not negative, rounded half up to `digits` decimals, in millionths.

    Args:
        digits: 0 to `DECIMALS`.
    """
    unit: int = 10 ** (scale - digits)
    ten: int = 10 ** (DECIMALS - digits)
    return (2 * value + unit) // (2 * unit) * ten
