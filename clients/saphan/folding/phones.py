"""A telephone's number, with and without its country's code."""

from __future__ import annotations

from typing import Final

COUNTRY_CODES: Final = ("856", "855", "84", "66", "95", "86")
"""Calling codes of Laos, Cambodia and their neighbours: a number is kept without them too."""
FEWEST_DIGITS: Final = 6
"""Digits below which a number says nothing."""


def phone_forms(digits: str) -> tuple[str, ...]:
    """The number without leading zeros, and what is behind a country's code, if it has one.

    Args:
        digits: ASCII; what has too few of them has no forms."""
    whole = digits.lstrip("0")
    code = next((one for one in COUNTRY_CODES if whole.startswith(one)), None)
    national = "" if code is None else whole[len(code) :].lstrip("0")
    return tuple(one for one in (whole, national) if len(one) >= FEWEST_DIGITS)
