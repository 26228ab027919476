"""The page of help: every sign with its words, and the keyboard."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from saphan_schemas.limits import DAY_MS, HOUR_MS

from saphan.web.rendering.page import render
from saphan.web.workplace import opened

URGENCIES: Final = ("immediate", "priority", "routine")
TLP: Final = ("red", "amber+strict", "amber", "green", "clear")
MARKS: Final = (
    "unread", "read", "file", "reply", "correction", "recall", "flag", "hold", "erased",
)  # fmt: skip
"""Drawings of macros.html that stand in lists and on bulletins."""

CLOCKS: Final = (("good", 3 * DAY_MS), ("warn", 5 * HOUR_MS), ("bad", -2 * HOUR_MS))
KEYS: Final = (
    ("I", "inbox"), ("T", "owed"), ("W", "write"), ("D", "drafts"), ("S", "sent"),
    ("C", "approve"), ("F", "search"), ("G", "figures"), ("E", "settings"), ("H", "help"),
    ("L", "lock"), ("J K", "rows"), ("Tab", "tab"), ("Esc", "escape"),
)  # fmt: skip
"""Keys and what they do, `page.look.help.key_NAME` in words; base.html binds those of the rooms."""


async def show(request: web.Request) -> web.Response:
    """GET /help."""
    opened(request)
    return await render(
        request,
        "helping/help.html",
        urgencies=URGENCIES,
        tlp=TLP,
        marks=MARKS,
        clocks=CLOCKS,
        keys=KEYS,
    )


ROUTES: Final = (web.get("/help", show),)
