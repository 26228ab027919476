"""Numbers as officers read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final


def number(value: int) -> str:
    """A whole number with its thousands apart."""
    return f"{value:,}"


FILTERS: Final[dict[str, Callable[..., Any]]] = {"number": number}
