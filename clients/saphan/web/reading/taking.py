"""What leaves this desk as a file: attachments and evidence. The record first, then the bytes.

A browser saves such an answer and never shows it: it is an attachment of no type, in a sandbox.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web
from saphan_schemas.desk_frames import AskEvidence
from saphan_schemas.errors import InvalidInput, SaphanError
from saphan_schemas.records import Blob

from saphan.desk.answers import Evidence, checked_of
from saphan.desk.confirming import Confirming
from saphan.desk.desk import Desk
from saphan.desk.files import EVIDENCE, PARTS_AT_ONCE, Files, download_name
from saphan.desk.line import DeskLine
from saphan.web.open_desk import OpenDesk
from saphan.web.reading.found import File, look
from saphan.web.reading.opening import bring
from saphan.web.workplace import opened

Json = dict[str, Any]
SAFE: Final = {
    "Content-Type": "application/octet-stream",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
_telling: Final = set[asyncio.Task[None]]()


async def attachment(request: web.Request) -> web.StreamResponse:
    """POST: an attachment as a file; of a bulletin of our own it is opened first, if it was not."""
    desk, bulletin = opened(request), request.match_info["id"]
    number = int(request.match_info["number"])
    file = await _file(desk, bulletin, number)
    raw, name = bytes.fromhex(bulletin), download_name(bytes.fromhex(bulletin), number)
    if not await desk.work(lambda own: Files(own).has(name, file.blob)):

        async def fetch(own: Desk, line: DeskLine) -> None:
            await Files(own).fetch(line, raw, number, file.blob)

        await desk.ask(fetch)
    # Before the first byte: what a browser keeps of half a file is recorded, too.
    await desk.work(lambda own: Confirming(own).saved(raw, number))
    tell(desk)
    return await give(request, desk, name, file.blob, file.name)


async def evidence(request: web.Request) -> web.StreamResponse:
    """POST: the evidence as a file; the node has recorded the export before it made it."""
    desk, bulletin = opened(request), request.match_info["id"]
    raw, wanted = bytes.fromhex(bulletin), (await request.post()).get("attachments") == "yes"

    async def fetch(own: Desk, line: DeskLine) -> Blob:
        asked = AskEvidence(line.number(), raw, wanted)
        told = checked_of(Evidence, await line.ask(asked), bulletin)
        blob = Blob(told["length"], bytes.fromhex(told["sha256"]))
        await Files(own).fetch_evidence(line, raw, blob)
        return blob

    name = download_name(raw, EVIDENCE)
    async with desk.alone(f"evidence {bulletin}"):  # both would rest here under one name
        blob = await desk.ask(fetch)
        try:
            return await give(request, desk, name, blob, f"{bulletin[:16]}.evidence")
        finally:
            await asyncio.shield(desk.work(lambda own: Files(own).drop_evidence(raw)))


async def _file(desk: OpenDesk, bulletin: str, number: int) -> File:
    found = await desk.work(lambda own: look(own, bulletin, desk.rows.get(bulletin)))
    if found is not None and found.own and found.opened is None:
        await bring(desk, bulletin)
        found = await desk.work(lambda own: look(own, bulletin, None))
    files = () if found is None or found.opened is None else found.files
    for one in files:
        if one.number == number:
            return one
    raise InvalidInput(
        "attachment_unknown",
        f"the bulletin has {len(files)} attachments that this desk may save",
        field="number",
        hint="open the bulletin first; its attachments are listed there",
    )


async def give(
    request: web.Request, desk: OpenDesk, name: bytes, blob: Blob, called: str
) -> web.StreamResponse:
    """Answer with a file that is kept here under `name`; `called` is what a browser calls it."""
    answer = web.StreamResponse(headers=SAFE)
    answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(called, safe='')}"
    answer.content_length = blob.length
    pieces: list[Any] = [None]

    def some(own: Desk) -> bytes:
        if pieces[0] is None:
            pieces[0] = Files(own).pieces(name, blob)
        return b"".join(islice(pieces[0], PARTS_AT_ONCE))

    data = await desk.work(some)  # what is damaged is said by a page, before a file begins
    await answer.prepare(request)
    while data:
        await answer.write(data)
        data = await desk.work(some)
    await answer.write_eof()
    return answer


def tell(desk: OpenDesk) -> None:
    """Bring the record to the node beside the download; the next sync does, if this does not."""
    bringing = _quietly(desk, lambda own, line: Confirming(own).bring(line))
    task = asyncio.create_task(bringing)
    _telling.add(task)
    task.add_done_callback(_telling.discard)


async def _quietly(desk: OpenDesk, do: Callable[[Desk, DeskLine], Any]) -> None:
    with contextlib.suppress(SaphanError):
        await desk.ask(do)
