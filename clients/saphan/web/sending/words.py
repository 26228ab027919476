"""Words that pages about writing and sending share: types, roles, states and reasons."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from saphan_schemas.codes import code_label, codes
from saphan_schemas.errors import InvalidInput
from saphan_schemas.messages import error_title, has_text, text

from saphan.desk.form_drafts import FormDraft
from saphan.form.sheet import languages_from
from saphan.web.seeking.words import type_words

TONES: Final = {
    "read": "good",
    "accepted": "good",
    "rejected": "bad",
    "refused": "bad",
    "expired": "bad",
    "unanswered": "warn",
    "recalled": "warn",
    "unopened": "warn",
}
"""How states of a delivery are marked; others are under way."""
RECALL_TONES: Final = {
    "obeyed": "good",
    "stopped": "good",
    "unsent": "good",
    "declined": "bad",
    "silent": "bad",
    "refused": "bad",
    "waiting": "warn",
}
"""How a recipient of a recall stands."""
_TITLE: Final = "/about/title/"


async def words(lang: str) -> dict[str, Any]:
    """Functions for templates: each gives a text in `lang`."""
    roles = await asyncio.to_thread(_roles, lang)  # code lists are read from their file once
    named: dict[str, Callable[..., Any]] = {
        "type_words": partial(type_words, lang=lang),
        "role_words": lambda role: roles.get(role, role),
        "state_words": partial(state_words, lang=lang),
        "error_words": partial(error_words, lang=lang),
        "reason_words": partial(_known, "recall_reason", lang=lang),
        "decline_words": partial(_known, "decline_reason", lang=lang),
        "titles": partial(draft_title, lang=lang),
        "title_of": partial(title_of, lang=lang),
        "has_text": has_text,
    }
    return {**named, "tones": TONES, "recall_tones": RECALL_TONES}


def _roles(lang: str) -> dict[str, str]:
    """What an attachment is to its bulletin."""
    return {role: code_label("attachment_role", role, lang) for role in codes("attachment_role")}


def state_words(state: str, lang: str) -> str:
    """Where a delivery stands; a newer node's own word as it is."""
    event = "handover" if state == "handed_over" else state
    key = f"state.{state}" if has_text(f"state.{state}") else f"event.{event}"
    return text(key, lang) if has_text(key) else state


def error_words(code: str, lang: str) -> str:
    """The title of an error."""
    return error_title(InvalidInput(code, code), lang)


def draft_title(form: FormDraft, lang: str) -> tuple[str, str] | None:
    """(title, its language) of a draft, the officer's language first; None while it has none."""
    return title_of({one: form.answers.get(_TITLE + one) for one in languages_from(lang)}, lang)


def title_of(texts: Mapping[str, object], lang: str) -> tuple[str, str] | None:
    """(text, its language) of a text by language, the officer's first; None: there is none."""
    for one in (*languages_from(lang), *texts):
        found = texts.get(one)
        if isinstance(found, str) and found.strip():
            return found, one
    return None


def _known(area: str, code: str | None, *, lang: str) -> str:
    if code is None:
        return "–"
    return text(f"{area}.{code}", lang) if has_text(f"{area}.{code}") else code
