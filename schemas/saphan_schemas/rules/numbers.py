"""Quantities of rules: decimal strings and counts, computed exactly as integers of millionths."""

from __future__ import annotations

from typing import Any, Final

DECIMALS: Final = 6
"""Digits after the point of a `decimal`; sums are exact integers of this scale."""
ONE: Final = 10**DECIMALS
MOST: Final = 18
"""Digits before the point."""


def scaled(value: Any) -> int | None:
    """A `decimal` string or a count in millionths; None for anything else."""
    if type(value) is int:
        return value * ONE
    if type(value) is not str or len(value) > MOST + 1 + DECIMALS:
        return None
    whole, point, part = value.partition(".")
    if not (whole.isdigit() and value.isascii() and len(whole) <= MOST):
        return None
    if not point:
        return int(whole) * ONE
    return int(whole + part.ljust(DECIMALS, "0")) if _is_part(part) else None


def _is_part(part: str) -> bool:
    return part.isdigit() and len(part) <= DECIMALS


def unscaled(value: int) -> str:
    """The shortest decimal string of a number of millionths."""
    sign, (whole, part) = "-" * (value < 0), divmod(abs(value), ONE)
    digits = f"{part:0{DECIMALS}d}".rstrip("0")
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"


def rounded(value: int, scale: int, digits: int) -> int:
    """A number of 10**-scale in millionths, rounded to `digits` decimals; half goes up.

    Args:
        digits: 0 to `DECIMALS`.
    """
    unit: int = 10 ** (scale - digits)
    ten: int = 10 ** (DECIMALS - digits)
    return (2 * value + unit) // (2 * unit) * ten
