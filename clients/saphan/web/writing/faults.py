"""Why a draft came back, in the officer's words, and at which of its fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from saphan_schemas.errors import InvalidInput, SaphanError
from saphan_schemas.explaining import explain
from saphan_schemas.faults import Fault
from saphan_schemas.messages import error_title

from saphan.desk.form_drafts import FormDraft
from saphan.web.rendering.hints import page_hint
from saphan.web.writing.forms.dressing import id_of

_BESIDE: Final = {
    "header.recipients": "recipients",
    "to": "recipients",
    "header.marking": id_of("/marking"),
    "header.urgency": id_of("/urgency"),
    "header.answer_by": "answer_by",
    "attachments": "files",
}
"""Elements of the page by the fields of errors that are about the header, or beside it."""


@dataclass(frozen=True, slots=True)
class Words:
    """An error for people: a title, what exactly, what next; `at` is the element to jump to."""

    code: str
    title: str
    message: str
    hint: str
    at: str | None


def words_of(error: SaphanError, lang: str) -> Words:
    """An error of this desk."""
    message = explain(error, lang) or error.message
    title, hint = error_title(error, lang), page_hint(error, lang)
    return Words(error.code, title, message, hint, _at(error.field))


def refusal_words(form: FormDraft, lang: str) -> Words | None:
    """Why the node refused it; None: it did not."""
    if form.code is None:
        return None
    return words_of(InvalidInput(form.code, form.message or "", field=form.field), lang)


def refusal_of(form: FormDraft) -> list[Fault]:
    """The node's refusal as a fault at its field, if it is about one."""
    if form.code is None or form.field is None or not form.field.startswith("/"):
        return []
    return [Fault(form.code, form.field, schema=form.schema)]


def _at(field: str | None) -> str | None:
    if field is None:
        return None
    if field.startswith("/"):
        return id_of(field)
    return _BESIDE.get(field)
