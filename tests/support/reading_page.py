"""An officer before a bulletin's page: a real node, a real desk, what a browser would send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from markupsafe import escape
from saphan_schemas.messages import text

from support.bridge import Bridge, eventually, states, wish
from support.desk_page import DeskPage, desk_page
from support.desks import DeskBridge, desk_bridge


def words(key: str, lang: str = "en") -> str:
    """A text as it stands in a page."""
    return str(escape(text(key, lang)))


@dataclass
class Reader:
    """kh.gpo's dao before the page, and both nodes."""

    world: DeskBridge
    page: DeskPage

    async def received(self, **fields: Any) -> str:
        """The id of a bulletin from la.ospp that is in the inbox."""
        return await self.came(await self.world.la.send(wish(name="drug_seizure", **fields)))

    async def came(self, sent: bytes) -> str:
        """The same, of what was sent already."""
        await eventually(lambda: states(self.world.la, sent) == ["accepted"])
        await eventually(lambda: self.page.open.rows.get(sent.hex()))
        return sent.hex()

    async def shows(self, path: str, said: str) -> str:
        """The page, once it has these words."""
        return await until(lambda: self.page.get(path), said)


async def until(ask: Callable[[], Awaitable[tuple[int, str]]], said: str) -> str:
    async with asyncio.timeout(20):
        while True:
            status, shown = await ask()
            if said in shown:
                assert status == 200
                return shown
            await asyncio.sleep(0.02)


@asynccontextmanager
async def reading(bridge: Bridge, lang: str = "en") -> AsyncIterator[Reader]:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        async with desk_page(folder=folder, clock=bridge.clock, lang=lang) as page:
            await eventually(lambda: page.open.line.state.online)
            yield Reader(world, page)
