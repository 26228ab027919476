"""An officer at a desk: `python -m chaos.desk_program FOLDER WRITING`.

The product's desk, with an officer who reads whatever comes, and writes to the other agencies for
as long as the file WRITING is there, whether there is a line or not. What is listed here for the
first time, opened, written or sent is one JSON line on standard output; the desk's own store has it
before. It goes on until it is killed; when it starts, it says again what it has written and sent.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from saphan.desk.desk import Desk, open_desk
from saphan.desk.drafts import Draft, Drafts, Written
from saphan.desk.folder import DeskFolder
from saphan.desk.in_thread import in_thread
from saphan.desk.inbox import Inbox
from saphan.desk.line import DeskLine, connected
from saphan.desk.outbox import Outbox, Queued
from saphan.desk.syncing import Seen, sync
from saphan.node.config import system_clock
from saphan_schemas.errors import SaphanError
from saphan_schemas.samples import sample

from benchmarks.world import SECRET
from chaos.schedule import AGENCIES

AGAIN_S: Final = 0.3
WRITE_S: Final = 2.0
"""Between two bulletins that an officer writes."""
WAITING: Final = 5
"""That wait here at most: then the officer waits too."""
SCHEMA: Final = "case_statistics"


def say(what: str, **more: Any) -> None:
    """One line, at once: what stands in a buffer when this is killed was never shown.

    Written whole, since two threads say something here.
    """
    print(json.dumps({"what": what, **more}) + "\n", end="", flush=True)


def title_of(written: Written) -> str:
    """Under which its readers find it."""
    title: str = json.loads(written.data)["about"]["title"]["en"]
    return title


class Officer:
    """Writes at one desk, over a connection to its store of its own, as every thread has."""

    def __init__(self, desk: Desk, writing: Path) -> None:
        self._desk = replace(desk, store=desk.store.another())
        self._writing = writing
        self._told: set[str] = set()
        self.wrote = asyncio.Event()

    async def write_all(self) -> None:
        """One after another."""
        while True:
            await asyncio.sleep(WRITE_S)
            if await in_thread(self._write):
                self.wrote.set()

    def tell(self, desk: Desk) -> None:
        """Say what was written there, and what the node has answered, each once."""
        for queued in Outbox(desk).all():
            self._tell_of(queued)
        for draft in Drafts(desk).all():
            self._tell_of(draft)

    def _tell_of(self, one: Queued | Draft) -> None:
        title = title_of(one.written)
        if title not in self._told:
            say("written", title=title, to=one.written.to)
            self._told.add(title)
        sent = f"{title}, sent"
        if isinstance(one, Queued) and one.bulletin is not None and sent not in self._told:
            say("sent", title=title, id=one.bulletin.hex())
            self._told.add(sent)

    def _write(self) -> bool:
        """A new one, or again what the node has sent back: as one does whose clock was wrong."""
        outbox, drafts = Outbox(self._desk), Drafts(self._desk).all()
        for draft in drafts:
            say("sent back", code=draft.code)
            outbox.queue(draft.written, {}, draft.number)
        if drafts:
            return True
        if not self._writing.exists() or len(outbox.waiting()) >= WAITING:
            return False
        number = len(outbox.all()) + 1
        me = self._desk.me
        others = [one for one in AGENCIES if one != me.agency]
        to = (others[number % 2],) if number % 5 else tuple(others)
        whole = sample(SCHEMA)
        whole["about"]["title"] |= {"en": f"Letter {number} of an officer of {me.agency}"}
        value = {
            "schema": f"saphan/{SCHEMA}/1", "about": whole["about"], "body": whole["body"],
            "exercise": True,
        }  # fmt: skip
        # A crash here, and nobody was told that it is written.
        self._tell_of(outbox.queue(Written(json.dumps(value).encode(), to), {}))
        return True


async def stay(desk: Desk, line: DeskLine, seen: Seen, officer: Officer) -> None:
    """Send what was written, fetch the list, open what is new, wait for news."""
    box = Inbox(desk)
    while True:
        officer.wrote.clear()
        synced = await sync(desk, line, seen)
        for row in synced.new:
            say("listed", id=row["id"])
        await in_thread(officer.tell, desk)
        for row in await in_thread(box.rows):
            if not row["opened"] and row["recalled"] is None:
                content = await box.read(line, bytes.fromhex(row["id"]))
                # A crash here, and it is opened and said again: never kept here and seen by nobody.
                say("opened", id=row["id"], title=content["content"]["about"]["title"]["en"])
                await in_thread(box.keep, content)
        news = asyncio.ensure_future(line.news())
        wrote = asyncio.ensure_future(officer.wrote.wait())
        try:
            await asyncio.wait((news, wrote), return_when=asyncio.FIRST_COMPLETED)
        finally:
            wrote.cancel()
            news.cancel()
            await asyncio.wait((news, wrote))
        if not news.cancelled():
            news.result()


async def work(desk: Desk, writing: Path) -> None:
    """On the line whenever there is one, and writing all the time."""
    officer = Officer(desk, writing)
    await in_thread(officer.tell, desk)
    seen = Seen()
    async with asyncio.TaskGroup() as group:
        group.create_task(officer.write_all())
        while True:
            try:
                async with connected(desk.me, desk.key, desk.clock) as line:
                    await stay(desk, line, seen, officer)
            except SaphanError as error:
                say("line ended", code=error.code)
                await asyncio.sleep(AGAIN_S)


if __name__ == "__main__":
    with open_desk(DeskFolder(Path(sys.argv[1])), SECRET, system_clock) as opened:
        say("ready")
        asyncio.run(work(opened, Path(sys.argv[2])))
