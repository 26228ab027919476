"""/drafts: the list, and one draft as a form that saves itself."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Final

import msgspec
from aiohttp import web
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import DAY_MS, LIMITS

from saphan.desk.desk import Desk
from saphan.desk.drafts import Drafts, draft_row
from saphan.desk.form_drafts import FormDraft, FormDrafts
from saphan.desk.outbox import Outbox
from saphan.web.rendering.page import render
from saphan.web.sending.words import words
from saphan.web.workplace import back, opened, workplace
from saphan.web.writing.beginning import answers_in
from saphan.web.writing.editing import edited, keep
from saphan.web.writing.forms.dressing import id_of
from saphan.web.writing.forms.moving import VERBS
from saphan.web.writing.sheets import NUMBER, draft_page, not_queued, number_of, sheet_of

Json = dict[str, Any]
AUTOSAVE: Final = "autosave"
_POINTER: Final = re.compile(r"(/[a-z0-9_]{1,64}){1,16}", re.ASCII)


async def listed(request: web.Request) -> web.Response:
    """GET /drafts."""
    place = opened(request)
    forms, files = await place.work(_all)
    known = await words(workplace(request).lang)
    days = LIMITS.desk_draft_ms // DAY_MS
    return await render(
        request, "writing/drafts.html", forms=forms, files=files, days_kept=days, **known
    )


async def show(request: web.Request) -> web.Response:
    """GET /drafts/{n}: the form; with `?check`, what is missing counts as well."""
    place, number = opened(request), number_of(request)
    await not_queued(request)
    sheet = await place.work(partial(sheet_of, number=number))
    return await draft_page(request, sheet, check="check" in request.query)


async def save(request: web.Request) -> web.Response:
    """POST /drafts/{n}: the whole form; `do` is what comes next: nothing, an order of the form,
    "preview", or "branch" (a draft of its own)."""
    given = await request.post()
    edit = await edited(request, given)
    place, do = opened(request), str(given.get("do", ""))
    if do == "branch":
        made = await place.work(partial(_branch, form=edit.form))
        place.topics.publish("drafts")
        raise back(request, f"/drafts/{made.number}")
    kept = await keep(request, edit)
    if isinstance(kept, web.Response):
        return kept
    if request.headers.get("X-Desk") == AUTOSAVE:
        return await draft_page(request, kept, tab=edit.tab, check="check" in given)
    raise back(request, f"/drafts/{kept.form.number}{_where(do)}")


async def remove(request: web.Request) -> web.Response:
    """POST /drafts/{n}/remove."""
    place, number = opened(request), number_of(request)
    try:
        await place.work(lambda desk: Outbox(desk).remove_form(number))
    except InvalidInput:  # clicked twice: it is gone, and maybe because it was sent
        await not_queued(request)
    place.topics.publish("drafts")
    raise back(request, "/drafts")


async def remove_file(request: web.Request) -> web.Response:
    """POST /drafts/files/{n}/remove: of a draft that came as a file, from the terminal."""
    place, number = opened(request), number_of(request)
    await place.work(lambda desk: Outbox(desk).remove_draft(number))
    place.topics.publish("drafts")
    raise back(request, "/drafts")


async def as_form(request: web.Request) -> web.Response:
    """POST /drafts/files/{n}/form: go on here with a draft that came as a file."""
    place, number, lang = opened(request), number_of(request), workplace(request).lang
    made = await place.work(partial(_as_form, number=number, lang=lang))
    place.topics.publish("drafts")
    raise back(request, f"/drafts/{made.number}")


# --- inside ---------------------------------------------------------------------------------------


def _all(desk: Desk) -> tuple[list[FormDraft], list[Json]]:
    files = [draft_row(one) for one in Drafts(desk).all()]
    return list(reversed(FormDrafts(desk).all())), list(reversed(files))


def _as_form(desk: Desk, number: int, lang: str) -> FormDraft:
    """A crash in between leaves both: nothing is lost."""
    forms, draft = FormDrafts(desk), Drafts(desk).get(number)
    wish = draft.written.wish()
    form = forms.begin(
        wish.schema,
        wish.to,
        lang,
        answers=answers_in(wish),
        attachments=draft.written.attachments,
        answer_by=wish.answer_by,
    )
    told = msgspec.structs.replace(form, code=draft.code, message=draft.message)
    Outbox(desk).remove_draft(number)
    return forms.change(told, version=0)


def _where(do: str) -> str:
    """Where it goes on after a save: the preview, or the place that an order was about."""
    verb, _, pointer = do.partition(" ")
    if do == "preview":
        return "/preview"
    return f"#{id_of(pointer)}" if verb in VERBS and _POINTER.fullmatch(pointer) else ""


def _branch(desk: Desk, form: FormDraft) -> FormDraft:
    return FormDrafts(desk).branch(form.number, form.answers, form.to, form.answer_by)


ROUTES: Final = (
    web.get("/drafts", listed),
    web.get(f"/drafts/{NUMBER}", show),
    web.post(f"/drafts/{NUMBER}", save),
    web.post(f"/drafts/{NUMBER}/remove", remove),
    web.post(f"/drafts/files/{NUMBER}/remove", remove_file),
    web.post(f"/drafts/files/{NUMBER}/form", as_form),
)
