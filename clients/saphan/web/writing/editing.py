"""What a window sends of a draft: the whole form, saved where no other window was faster."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final
from weakref import WeakKeyDictionary

import msgspec
from aiohttp import web
from saphan_schemas.attachments import ROLES
from saphan_schemas.errors import SaphanError

from saphan.desk.desk import Desk
from saphan.desk.form_drafts import CONFLICT, FormDraft, FormDrafts
from saphan.desk.form_files import FormFiles
from saphan.form.question import Answers
from saphan.web.open_desk import OpenDesk
from saphan.web.workplace import opened, workplace
from saphan.web.writing.deadlines import deadline, zone_of
from saphan.web.writing.forms import model
from saphan.web.writing.forms.taking import taken
from saphan.web.writing.sheets import Sheet, draft_page, number_of, sheet_of

ELSEWHERE: Final = frozenset({CONFLICT, "draft_queued"})
"""Why a save is refused: another window has saved the draft since, or sent it."""


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


async def edited(request: web.Request, given: Any) -> Edit:
    """The draft of the address as its form stands in the browser, right or wrong.

    Raises:
        InvalidInput: as `sheet_of`.
    """
    place, lang, number = opened(request), workplace(request).lang, number_of(request)
    sheet = await place.work(partial(sheet_of, number=number, queued=True))
    before = sheet.form.answers
    zone = model.zone_of(before, lang)
    answers: Answers = await asyncio.to_thread(taken, given, before, sheet.kind, zone)
    to, answer_by = sheet.form.to, sheet.form.answer_by
    if "recipients" in given:  # the page's own part was there
        to = tuple(dict.fromkeys(str(one)[:64] for one in given.getall("recipient", [])))
        answer_by = _deadline(given, to, answer_by)
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


# --- inside ---------------------------------------------------------------------------------------


def _deadline(given: Mapping[str, Any], to: Sequence[str], before: int | None) -> int | None:
    try:
        return deadline(str(given.get("answer_by", "")), zone_of(to))
    except (ValueError, OverflowError):
        return before  # half-typed where a browser has no calendar, or the last day of all


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
