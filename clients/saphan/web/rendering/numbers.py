"""Numbers as officers read them: ASCII digits, separators as CLDR has them for each language.

Quantities of a bulletin are decimals in strings and stay exact; nothing here makes a float of one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from jinja2 import pass_context
from jinja2.runtime import Context
from saphan_schemas.messages import text

SEPARATORS: Final = {"en": (",", "."), "lo": (".", ","), "km": (",", ".")}
"""CLDR 44: what stands between thousands, and before decimals."""

_DECIMAL: Final = re.compile(r"(-?)(\d+)(?:\.(\d+))?")
_KILO: Final = 1000


def number_words(value: int | float | Decimal | str, lang: str) -> str:
    """A number with its thousands apart, every digit kept; what is no number stays as it is.

    Args:
        value: decimals of a bulletin as the strings that they are.
    """
    parts = _DECIMAL.fullmatch(value if isinstance(value, str) else f"{value}")
    if parts is None:
        return str(value)
    thousands, point = SEPARATORS[lang]
    whole = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", thousands, parts[2])
    return f"{parts[1]}{whole}{point + parts[3] if parts[3] else ''}"


def size_words(count: int, lang: str) -> str:
    """How long a file is: bytes, or to a tenth of a kilobyte or megabyte (powers of ten)."""
    if count < _KILO:
        return text("page.look.bytes", lang, n=count)
    # 999,950 bytes are 1.0 MB: rounding must not give 1000.0 kB
    if count < _KILO * _KILO - 50:
        return text("page.look.kilobytes", lang, n=number_words(f"{count / _KILO:.1f}", lang))
    shown = number_words(f"{count / _KILO / _KILO:.1f}", lang)
    return text("page.look.megabytes", lang, n=shown)


@pass_context
def number(context: Context, value: int | float | Decimal | str) -> str:
    """A number in the language of the page."""
    return number_words(value, context["lang"])


@pass_context
def size(context: Context, count: int) -> str:
    """The length of a file in the language of the page."""
    return size_words(count, context["lang"])


FILTERS: Final[dict[str, Callable[..., Any]]] = {"number": number, "size": size}
