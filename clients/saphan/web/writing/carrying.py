"""Files of an original, for what takes its place: fetched from the node, where they rest.

The desk keeps no file of what it has sent. Without a line the form begins without them, and says
how many there were.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import Any, Final

from saphan_schemas.errors import SaphanError
from saphan_schemas.records import Blob

from saphan.desk.desk import Desk
from saphan.desk.files import AttachedFile, Files
from saphan.desk.form_files import FormFiles
from saphan.desk.inbox import Inbox
from saphan.desk.line import DeskLine
from saphan.web.open_desk import OpenDesk

Json = dict[str, Any]
PATIENCE_S: Final = 3.0
"""That a page waits for them; what takes longer appears in the draft when it is here."""
_going: Final[set[asyncio.Task[None]]] = set()


async def carry(place: OpenDesk, bulletin: str, draft: int) -> None:
    """Attach the files of a bulletin of this agency's to a draft."""
    task = asyncio.create_task(_carry(place, bytes.fromhex(bulletin), draft))
    _going.add(task)
    task.add_done_callback(_going.discard)
    await asyncio.wait((task,), timeout=PATIENCE_S)


async def _carry(place: OpenDesk, bulletin: bytes, draft: int) -> None:
    async def fetch(desk: Desk, line: DeskLine) -> tuple[AttachedFile, ...]:
        content = await Inbox(desk).read(line, bulletin)
        files = tuple(_file(one) for one in content["attachments"])
        for number, one in enumerate(files, 1):
            await Files(desk).fetch(line, bulletin, number, one.blob)
        return files

    with contextlib.suppress(SaphanError):  # the page of the draft says what is not there
        files = await place.ask(fetch)
        await place.work(partial(_attach, bulletin=bulletin, files=files, draft=draft))
    place.topics.publish("drafts")


def _attach(desk: Desk, bulletin: bytes, files: tuple[AttachedFile, ...], draft: int) -> None:
    with desk.store.transaction():
        for number, one in enumerate(files, 1):
            Files(desk).take_over(bulletin, number, one.blob)
        FormFiles(desk).attach(draft, files)


def _file(told: Json) -> AttachedFile:
    blob = Blob(told["length"], bytes.fromhex(told["sha256"]))
    return AttachedFile(told["name"], told["media_type"], told["role"], blob)
