"""Drafts as they are searched in: in memory alone, as they change with every key."""

from __future__ import annotations

from typing import Any

from saphan_schemas.codec import decode
from saphan_schemas.errors import SaphanError
from saphan_schemas.strict_json import parse_json

from saphan.compose import URGENCIES
from saphan.desk.drafts import Draft
from saphan.desk.form_drafts import FormDraft
from saphan.desk.searchable import Searchable, searchable
from saphan.desk.store import ROW_BYTES

Json = dict[str, Any]


def folded_draft(agency: str, value: bytes) -> Searchable:
    """Of what was given in a file, or came back."""
    draft = decode(Draft, value, ROW_BYTES, "draft")
    said = draft_says(draft)
    names = [one.name for one in draft.written.attachments]
    to = said.get("to")
    others = tuple(to) if isinstance(to, list) and to else draft.written.to
    header = _header(agency, said, others, draft.kept)
    return searchable(header, said, names)


def folded_form(agency: str, value: bytes) -> Searchable:
    """Of a form, finished or not."""
    form = decode(FormDraft, value, ROW_BYTES, "form")
    names = [one.name for one in form.attachments]
    answered = {name: form.answers.get(f"/{name}") for name in ("urgency", "exercise")}
    header = _header(agency, {"schema": form.schema, **answered}, form.to, form.saved)
    return searchable(header, form_says(form), names)


def draft_says(draft: Draft) -> Json:
    """The map that was written; empty where it is none."""
    try:
        found: Json = parse_json(dict, draft.written.data)
    except SaphanError:
        return {}
    return found


def form_says(form: FormDraft) -> Json:
    """Answers in their order, under one name."""
    title = {
        pointer.rpartition("/")[2]: value
        for pointer, value in form.answers.items()
        if pointer.startswith("/about/title/")
    }
    return {"about": {"title": title}, "body": [*form.answers.values()]}


def urgency_of(said: Json) -> str:
    """As it was written; what is none, or not written yet, is routine."""
    found = said.get("urgency")
    return found if isinstance(found, str) and found in URGENCIES else URGENCIES[0]


def _header(agency: str, said: Json, to: tuple[str, ...], kept: int) -> Json:
    return {
        "schema": str(said.get("schema", "")),
        "sender": agency,
        "recipients": [str(one) for one in to],
        "created": kept,
        "urgency": urgency_of(said),
        "exercise": said.get("exercise") is True,
    }
