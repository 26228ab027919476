"""The index follows the store in the background, so that a search seldom waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from saphan_schemas.errors import SaphanError

from saphan.desk.desk import Desk
from saphan.web.seeking.index import SearchIndex

EVERY_S: Final = 2.0
"""Between two looks; whether anything was written is asked at once, and nothing else is done."""
FIRST_S: Final = 0.5
"""After the desk was opened: the first page comes first."""
_log: Final = logging.getLogger("saphan.web")


async def keep_up(
    work: Callable[[Callable[[Desk], bool]], Awaitable[bool]], index: SearchIndex
) -> None:
    """Read and fold, slice by slice, until cancelled; what a page asks for comes in between."""
    await asyncio.sleep(FIRST_S)
    while True:
        try:
            done = await work(index.load)
        except SaphanError as error:  # a full disk, a busy store: at the next look
            _log.warning("the index of what is searched in waits: %s", error.code)
            done = True
        await asyncio.sleep(EVERY_S if done else 0)
