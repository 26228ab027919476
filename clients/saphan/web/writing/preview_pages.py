"""/drafts/{n}/preview: what the broker will see and what only the recipient will; and sending it.

What is signed is what was shown: the order to send names the digest of the draft on the page.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiohttp import web
from saphan_schemas.body_types import BodyType
from saphan_schemas.codec import decode_content
from saphan_schemas.errors import InvalidInput, SaphanError
from saphan_schemas.limits import LIMITS

from saphan.desk.desk import Desk
from saphan.desk.form_drafts import CONFLICT, FormDraft, FormDrafts, changed
from saphan.desk.inbox import Inbox
from saphan.desk.outbox import Outbox, Queued
from saphan.showing.document import document
from saphan.showing.items import Document
from saphan.web.rendering.page import render
from saphan.web.sending.bringing import bring
from saphan.web.sending.words import words
from saphan.web.workplace import back, opened, workplace
from saphan.web.writing.finishing import Seen, composed, seen, written
from saphan.web.writing.originals import taken_back
from saphan.web.writing.sheets import NUMBER, draft_page, not_queued, number_of, sheet_of

Json = dict[str, Any]
FAULTS: Final = frozenset({"schema_invalid", "rule_broken", "text_forbidden", "malformed",
                           "header_invalid", "recipients_missing", "attachment_name"})  # fmt: skip
"""Refusals that are about what stands in the form: it is shown, with the faults at their fields."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A draft composed: what each side will see."""

    form: FormDraft
    kind: BodyType
    seen: Seen
    content: Json
    content_bytes: int


async def preview(request: web.Request) -> web.Response:
    """GET /drafts/{n}/preview; a draft that is not finished is shown as a form, with its faults."""
    place, number = opened(request), number_of(request)
    await not_queued(request)
    try:
        shown = await place.work(partial(_shown, number=number))
    except InvalidInput as error:
        if error.code not in FAULTS:
            raise
        sheet = await place.work(partial(sheet_of, number=number))
        return await draft_page(request, sheet, status=400, error=error, check=True)
    lang = workplace(request).lang
    doc = await asyncio.to_thread(_document, shown, lang)
    return await render(
        request,
        "writing/preview.html",
        draft=shown.form,
        recalled=taken_back(place, shown.form.follows),
        header=shown.seen.header,
        seen=shown.seen,
        document=doc,
        attachments=shown.form.attachments,
        content_bytes=shown.content_bytes,
        key=place.me,
        **await words(lang),
    )


async def send(request: web.Request) -> web.Response:
    """POST /drafts/{n}/send with the `digest` that the preview showed: signed, queued, brought."""
    place, number, given = opened(request), number_of(request), await request.post()
    digest = str(given.get("digest", ""))
    try:
        queued = await place.work(partial(_queue, number=number, digest=digest))
    except SaphanError as error:
        await not_queued(request)  # clicked twice, or sent from another window
        if error.code not in FAULTS | {CONFLICT}:
            raise
        sheet = await place.work(partial(sheet_of, number=number))
        return await draft_page(request, sheet, status=409, error=error, check=True)
    place.topics.publish("drafts")
    await bring(place, [queued.number])
    again = await place.work(lambda desk: FormDrafts(desk).find(number))
    if again is not None and not await place.work(lambda desk: Outbox(desk).waits(number)):
        raise back(request, f"/drafts/{number}")  # the node refused it: a form again, with why
    raise back(request, f"/sent#n{number}")


# --- inside ---------------------------------------------------------------------------------------


def _shown(desk: Desk, number: int) -> Shown:
    sheet = sheet_of(desk, number)
    draft = composed(desk, sheet.form)
    content = decode_content(draft.content, LIMITS.content_bytes)
    return Shown(sheet.form, sheet.kind, seen(desk, draft), content, len(draft.content))


def _document(shown: Shown, lang: str) -> Document:
    name = shown.kind.name
    bundle = None if name.startswith("saphan/") else shown.kind.bundle
    return document(name, bundle, shown.content, lang, (lang,))


def _queue(desk: Desk, number: int, digest: str) -> Queued:
    sheet = sheet_of(desk, number)
    if sheet.form.digest != digest:
        raise changed(number)
    corridors = Inbox(desk).corridors()
    return Outbox(desk).queue(written(sheet.form, sheet.kind), corridors, form=sheet.form)


ROUTES: Final = (
    web.get(f"/drafts/{NUMBER}/preview", preview),
    web.post(f"/drafts/{NUMBER}/send", send),
)
