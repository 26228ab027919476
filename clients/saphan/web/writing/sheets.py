"""A draft with what its page needs, and that page."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from saphan_schemas.attachments import ROLES
from saphan_schemas.body_types import BodyType
from saphan_schemas.errors import SaphanError
from saphan_schemas.limits import LIMITS

from saphan.desk.desk import Desk
from saphan.desk.form_drafts import FormDraft, FormDrafts
from saphan.desk.form_files import FormFiles
from saphan.desk.inbox import Inbox
from saphan.desk.types import DeskTypes
from saphan.web.rendering.page import render
from saphan.web.sending.words import words
from saphan.web.workplace import back, opened, workplace
from saphan.web.writing.deadlines import day_of, usual_days, zone_of
from saphan.web.writing.faults import refusal_of, refusal_words, words_of
from saphan.web.writing.finishing import described
from saphan.web.writing.forms.model import form_of
from saphan.web.writing.originals import taken_back
from saphan.web.writing.partners import reachable

NUMBER: Final = r"{number:\d{1,15}}"
"""Of a draft, in an address."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A draft with what its page needs.

    Args:
        reached: agencies to which an agreement takes its type now.
    """

    form: FormDraft
    kind: BodyType
    reached: tuple[str, ...]
    lacking: tuple[str, ...]


def sheet_of(desk: Desk, number: int, *, queued: bool = False) -> Sheet:
    """A draft that can be changed, or with `queued` one that waits to be sent; blocking.

    Raises:
        InvalidInput: `draft_unknown`, `schema_unknown`; Refused: `draft_queued`.
    """
    form = FormDrafts(desk).get(number) if queued else FormDrafts(desk).editable(number)
    kind = DeskTypes(desk).all().get(form.schema)
    reached = reachable(Inbox(desk).corridors(), desk.me.agency, desk.clock())
    lacking = tuple(one.name for one in FormFiles(desk).lacking(form))
    return Sheet(form, kind, reached.get(form.schema, ()), lacking)


async def draft_page(
    request: web.Request,
    sheet: Sheet,
    *,
    status: int = 200,
    error: SaphanError | None = None,
    check: bool = False,
    version: int | None = None,
    tab: str = "",
) -> web.Response:
    """The page of a draft.

    Args:
        error: of what was just asked for; the draft's own refusal stands in it.
        check: what is missing counts, too.
        version: that what stands there began from, where another window has saved since.
        tab: of the window that shows it; a new one has a name of its own.
    """
    form, place = sheet.form, workplace(request)
    lang, where = place.lang, zone_of(form.to)
    check = check or form.code is not None
    model = await asyncio.to_thread(
        form_of,
        sheet.kind,
        form.answers,
        lang,
        shown=check,
        to=form.to,
        attachments=described(form),
        extra=refusal_of(form),
    )
    # What the list of faults says at its fields is not said above it once more.
    listed = error is not None and error.fault is not None and bool(model.faults)
    return await render(
        request,
        "writing/draft.html",
        status,
        draft=form,
        form=model,
        version=form.version if version is None else version,
        tab=tab or secrets.token_hex(8),
        recipients=sorted({*sheet.reached, *form.to}),
        reached=sheet.reached,
        lacking=sheet.lacking,
        refusal=refusal_words(form, lang),
        recalled=taken_back(opened(request), form.follows),
        error=None if error is None or listed else words_of(error, lang),
        conflict=version is not None,
        answer_day=None if form.answer_by is None else day_of(form.answer_by, where),
        usual_days=usual_days(place.clock(), where),
        roles=ROLES,
        most_bytes=LIMITS.attachment_bytes,
        **await words(lang),
    )


async def not_queued(request: web.Request) -> None:
    """What is signed, or was sent, is no draft any more: it is looked at where it is.

    Raises:
        HTTPSeeOther: to the list of what was sent.
    """
    number = number_of(request)
    if await opened(request).work(lambda desk: FormDrafts(desk).queued(number)):
        raise back(request, f"/sent#n{number}")


def number_of(request: web.Request) -> int:
    """Of the draft that the address names."""
    return int(request.match_info["number"])
