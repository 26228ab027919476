"""Lists in pages."""

from __future__ import annotations

from aiohttp import web


def page_number(request: web.Request) -> int:
    """Which page of a list the address asks for, from 1; 1 for what is no number."""
    text = request.query.get("page", "")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 1
