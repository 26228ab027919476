"""What to do next about an error, in the officer's language and in the words of the page.

A hint of the terminal names commands; of the page it names buttons and lists (`page.fault.CODE`).
"""

from __future__ import annotations

from typing import Final

from saphan_schemas.errors import SaphanError
from saphan_schemas.messages import error_hint, has_text, text

_OTHER: Final = "page.fault.other"


def page_hint(error: SaphanError, lang: str) -> str:
    """What the officer can do; never in another language than the page's."""
    key = f"page.fault.{error.code}"
    if has_text(key, lang):
        return text(key, lang)
    if lang == "en" or has_text(f"hint.{error.code}", lang):
        return error_hint(error, lang) or text(_OTHER, lang)
    return text(_OTHER, lang)
