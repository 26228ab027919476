"""POST /bulletins/{id}/open: the officer signs that they read; then what it says is here."""

from __future__ import annotations

from aiohttp import web

from saphan.desk.desk import Desk
from saphan.desk.in_thread import in_thread
from saphan.desk.inbox import Inbox
from saphan.desk.line import DeskLine
from saphan.web.open_desk import OpenDesk
from saphan.web.reading.living import topic_of
from saphan.web.workplace import back, opened


async def open_it(request: web.Request) -> web.Response:
    """Sign, fetch, keep; then the page."""
    bulletin = request.match_info["id"]
    await bring(opened(request), bulletin)
    raise back(request, f"/bulletins/{bulletin}")


async def bring(desk: OpenDesk, bulletin: str) -> None:
    """What it says, kept at this desk; once it is here nothing is signed again.

    Raises:
        SaphanError: of the line, the node (such as `bulletin_recalled`), the disk.
    """
    async with desk.alone(f"open {bulletin}"):
        if await desk.work(lambda own: Inbox(own).opened(bulletin)) is None:
            await _sign_and_keep(desk, bulletin)


async def _sign_and_keep(desk: OpenDesk, bulletin: str) -> None:
    async def read(own: Desk, line: DeskLine) -> None:
        box = Inbox(own)
        content = await box.read(line, bytes.fromhex(bulletin))
        await in_thread(box.keep, content)
        await box.status(line, bulletin)

    await desk.ask(read)
    await desk.work(desk.rows.load)
    desk.topics.publish("inbox")
    desk.topics.publish(topic_of(bulletin))
