"""/drafts/{n}/files: attachments of a draft, added and taken off.

Both orders come with the whole form: what was typed a moment before is saved with them.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Final

from aiohttp import BodyPartReader, web
from multidict import MultiDict
from saphan_schemas.attachments import ROLES
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS

from saphan.attaching import LocalFile
from saphan.desk.desk import Desk
from saphan.desk.files import Files
from saphan.desk.form_drafts import FormDraft, FormDrafts
from saphan.desk.form_files import FormFiles
from saphan.desk.outbox import Outbox
from saphan.web.workplace import back, opened
from saphan.web.writing.editing import edited, keep
from saphan.web.writing.files_taken import PIECE, in_memory
from saphan.web.writing.sheets import NUMBER, number_of

_NAME: Final = re.compile(r';\s*name="([^"]{0,400})"')
FORM_BYTES: Final = 2 * LIMITS.form_draft_bytes
"""Of the fields before the files, all together."""


async def add(request: web.Request) -> web.Response:
    """POST /drafts/{n}/files: the form, `role`, then one `file` or several."""
    place, number = opened(request), number_of(request)
    given: MultiDict[Any] = MultiDict()
    kept, room = False, FORM_BYTES
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        name = _name(part)
        if name != "file":
            value, room = await _field(part, room)
            given.add(name, value)
            continue
        if not kept:
            kept = True
            answer = await keep(request, await edited(request, given))
            if isinstance(answer, web.Response):
                return answer
        if part.filename:
            async with in_memory(part, _role(given)) as file:
                await place.work(partial(_attach, number=number, file=file))
    place.topics.publish("drafts")
    raise back(request, f"/drafts/{number}#files")


async def remove(request: web.Request) -> web.Response:
    """POST /drafts/{n}/files/{digest}/remove with the form."""
    place, number = opened(request), number_of(request)
    answer = await keep(request, await edited(request, await request.post()))
    if isinstance(answer, web.Response):
        return answer
    digest = bytes.fromhex(request.match_info["digest"])
    await place.work(partial(_detach, number=number, digest=digest))
    place.topics.publish("drafts")
    raise back(request, f"/drafts/{number}#files")


# --- inside ---------------------------------------------------------------------------------------


def _name(part: BodyPartReader) -> str:
    """As the browser wrote it; `part.name` takes the first slash of a pointer away."""
    found = _NAME.search(part.headers.get("Content-Disposition", ""))
    return "" if found is None else found[1].replace("%22", '"')


async def _field(part: BodyPartReader, room: int) -> tuple[str, int]:
    """A field of the form, and how many bytes of fields may still come."""
    data = b""
    while piece := await part.read_chunk(PIECE):
        data += piece
        if len(data) > room:
            raise InvalidInput(
                "too_large",
                f"the form has more than {FORM_BYTES} bytes",
                field="answers",
                hint="shorten it, or attach the long part as a file",
            )
    return data.decode("utf-8", "replace"), room - len(data)


def _role(given: MultiDict[Any]) -> str:
    role = str(given.get("role", "other"))
    return role if role in ROLES else "other"


def _attach(desk: Desk, number: int, file: LocalFile) -> FormDraft:
    with desk.store.transaction():  # what the form does not take is not kept, either
        return FormFiles(desk).attach(number, Files(desk).attach([file]))


def _detach(desk: Desk, number: int, digest: bytes) -> None:
    with desk.store.transaction():
        before = FormDrafts(desk).get(number)
        FormFiles(desk).detach(number, digest)
        Outbox(desk).drop_files(before.attachments)


ROUTES: Final = (
    web.post(f"/drafts/{NUMBER}/files", add),
    web.post(f"/drafts/{NUMBER}/files/{{digest:[0-9a-f]{{64}}}}/remove", remove),
)
