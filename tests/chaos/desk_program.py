"""An officer at a desk: `python -m chaos.desk_program FOLDER`.

The product's desk, with an officer who reads whatever comes. Each bulletin that is listed here for
the first time, and each that is opened, is one JSON line on standard output; the desk's own store
has it before. It goes on until it is killed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Final

from saphan.desk.desk import Desk, open_desk
from saphan.desk.folder import DeskFolder
from saphan.desk.inbox import Inbox
from saphan.desk.line import DeskLine, connected
from saphan.desk.syncing import Seen, sync
from saphan.node.config import system_clock
from saphan_schemas.errors import SaphanError

from benchmarks.world import SECRET

AGAIN_S: Final = 0.3


def say(what: str, **more: Any) -> None:
    """One line, at once: what stands in a buffer when this is killed was never shown."""
    print(json.dumps({"what": what, **more}), flush=True)


async def stay(desk: Desk, line: DeskLine, seen: Seen) -> None:
    """Fetch the list, open what is new, wait for news."""
    box = Inbox(desk)
    while True:
        synced = await sync(desk, line, seen)
        for row in synced.new:
            say("listed", id=row["id"])
        for row in await asyncio.to_thread(box.rows):
            if not row["opened"] and row["recalled"] is None:
                content = await box.read(line, bytes.fromhex(row["id"]))
                await asyncio.to_thread(box.keep, content)
                say("opened", id=row["id"], title=content["content"]["about"]["title"]["en"])
        await line.news()


async def work(desk: Desk) -> None:
    """On the line whenever there is one."""
    seen = Seen()
    while True:
        try:
            async with connected(desk.me, desk.key, desk.clock) as line:
                await stay(desk, line, seen)
        except SaphanError as error:
            say("line ended", code=error.code)
            await asyncio.sleep(AGAIN_S)


if __name__ == "__main__":
    with open_desk(DeskFolder(Path(sys.argv[1])), SECRET, system_clock) as opened:
        say("ready")
        asyncio.run(work(opened))
