"""/drafts: the list, and one draft as a form that saves itself."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final
from weakref import WeakKeyDictionary

import msgspec
from aiohttp import web
from saphan_schemas.attachments import ROLES
from saphan_schemas.body_types import BodyType
from saphan_schemas.errors import SaphanError
from saphan_schemas.limits import LIMITS

from saphan.desk.desk import Desk
from saphan.desk.drafts import Drafts, draft_row
from saphan.desk.form_drafts import CONFLICT, FormDraft, FormDrafts
from saphan.desk.form_files import FormFiles
from saphan.desk.inbox import Inbox
from saphan.desk.outbox import Outbox
from saphan.desk.types import DeskTypes
from saphan.form.question import Answers
from saphan.web.open_desk import OpenDesk
from saphan.web.rendering.page import render
from saphan.web.sending.words import words
from saphan.web.workplace import back, opened, workplace
from saphan.web.writing.beginning import day_before, deadline
from saphan.web.writing.faults import refusal_of, refusal_words, words_of
from saphan.web.writing.finishing import described
from saphan.web.writing.forms.dressing import id_of
from saphan.web.writing.forms.model import form_of, zone_of
from saphan.web.writing.forms.moving import VERBS
from saphan.web.writing.forms.taking import taken
from saphan.web.writing.partners import reachable

Json = dict[str, Any]
ELSEWHERE: Final = frozenset({CONFLICT, "draft_queued"})
"""Why a save is refused: another window has saved the draft since, or sent it."""
AUTOSAVE: Final = "autosave"
_POINTER: Final = re.compile(r"(/[a-z0-9_]{1,64}){1,16}", re.ASCII)
NUMBER: Final = r"{number:\d{1,15}}"


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


@dataclass(frozen=True, slots=True)
class Edit:
    """What a window has sent of a draft.

    Args:
        tab: names the window; version: that its answers began from.
    """

    sheet: Sheet
    tab: str
    version: int

    @property
    def form(self) -> FormDraft:
        """The draft as it stands there."""
        return self.sheet.form


_tabs: Final[WeakKeyDictionary[OpenDesk, dict[int, str]]] = WeakKeyDictionary()
"""The window that has saved each draft last: what it sends twice at once is no conflict."""


async def listed(request: web.Request) -> web.Response:
    """GET /drafts."""
    place = opened(request)
    forms, files = await place.work(_all)
    known = await words(workplace(request).lang)
    return await render(request, "writing/drafts.html", forms=forms, files=files, **known)


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
    await place.work(lambda desk: Outbox(desk).remove_form(number))
    place.topics.publish("drafts")
    raise back(request, "/drafts")


async def remove_file(request: web.Request) -> web.Response:
    """POST /drafts/files/{n}/remove: of a draft that came as a file, from the terminal."""
    place, number = opened(request), number_of(request)
    await place.work(lambda desk: Outbox(desk).remove_draft(number))
    place.topics.publish("drafts")
    raise back(request, "/drafts")


# --- for the pages beside this one ----------------------------------------------------------------


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


async def edited(request: web.Request, given: Any) -> Edit:
    """The draft of the address as its form stands in the browser, right or wrong.

    Raises:
        InvalidInput: as `sheet_of`.
    """
    place, lang, number = opened(request), workplace(request).lang, number_of(request)
    sheet = await place.work(partial(sheet_of, number=number, queued=True))
    before = sheet.form.answers
    zone = zone_of(before, lang)
    answers: Answers = await asyncio.to_thread(taken, given, before, sheet.kind, zone)
    to, answer_by = sheet.form.to, sheet.form.answer_by
    if "recipients" in given:  # the page's own part was there
        to = tuple(dict.fromkeys(str(one)[:64] for one in given.getall("recipient", [])))
        answer_by = _deadline(given, answer_by)
    files = tuple(
        msgspec.structs.replace(one, role=role) if role in ROLES else one
        for one in sheet.form.attachments
        for role in (given.get(f"role:{one.blob.digest.hex()}"),)
    )
    form = msgspec.structs.replace(
        sheet.form, answers=answers, to=to, answer_by=answer_by, attachments=files
    )
    tab, version = str(given.get("tab", ""))[:64], _version(given)
    known = _tabs.setdefault(place, {})
    if tab and known.get(number) == tab:
        version = sheet.form.version  # this very window has saved it last, a moment ago
    return Edit(replace(sheet, form=form), tab, version)


async def keep(request: web.Request, edit: Edit) -> Sheet | web.Response:
    """Save it; or the page that says why not, such as that another window was faster: nothing typed
    is lost, it stands on that page and can be kept from there."""
    place = opened(request)
    try:
        kept = await place.work(partial(_save, form=edit.form, version=edit.version))
    except SaphanError as error:
        elsewhere = error.code in ELSEWHERE
        return await draft_page(
            request,
            edit.sheet,
            status=409 if elsewhere else error.http_status,
            error=error,
            version=edit.version if elsewhere else None,
            tab=edit.tab,
        )
    if edit.tab:
        _tabs.setdefault(place, {})[kept.number] = edit.tab
    place.topics.publish("drafts")
    return replace(edit.sheet, form=kept)


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
    form, lang = sheet.form, workplace(request).lang
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
        error=None if error is None or listed else words_of(error, lang),
        conflict=version is not None,
        answer_day=None if form.answer_by is None else day_before(form.answer_by),
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


# --- inside ---------------------------------------------------------------------------------------


def _all(desk: Desk) -> tuple[list[FormDraft], list[Json]]:
    files = [draft_row(one) for one in Drafts(desk).all()]
    return list(reversed(FormDrafts(desk).all())), list(reversed(files))


def _where(do: str) -> str:
    """Where it goes on after a save: the preview, or the place that an order was about."""
    verb, _, pointer = do.partition(" ")
    if do == "preview":
        return "/preview"
    return f"#{id_of(pointer)}" if verb in VERBS and _POINTER.fullmatch(pointer) else ""


def _deadline(given: Mapping[str, Any], before: int | None) -> int | None:
    try:
        return deadline(str(given.get("answer_by", "")))
    except ValueError:
        return before  # half-typed, where a browser has no calendar


def _version(given: Mapping[str, Any]) -> int:
    text = str(given.get("version", ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _save(desk: Desk, form: FormDraft, version: int) -> FormDraft:
    kept = FormDrafts(desk).save(form.number, version, form.answers, form.to, form.answer_by)
    for one in form.attachments:
        digest = one.blob.digest
        there = next((it for it in kept.attachments if it.blob.digest == digest), None)
        if there is not None and there.role != one.role:
            kept = FormFiles(desk).set_role(form.number, digest, one.role)
    return kept


def _branch(desk: Desk, form: FormDraft) -> FormDraft:
    return FormDrafts(desk).branch(form.number, form.answers, form.to, form.answer_by)


ROUTES: Final = (
    web.get("/drafts", listed),
    web.get(f"/drafts/{NUMBER}", show),
    web.post(f"/drafts/{NUMBER}", save),
    web.post(f"/drafts/{NUMBER}/remove", remove),
    web.post(f"/drafts/files/{NUMBER}/remove", remove_file),
)
