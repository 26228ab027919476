"""A half-filled form on the disk: written after every answer, so that nothing typed is lost.

It may hold what the bulletin will say, so it is a private file beside the one that is to be.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.strict_json import parse_json

from saphan.durable import read_bounded, replace_file
from saphan.form.question import Answers

ENDING: Final = ".draft"


class FormDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answers so far, in the order in which they were given."""

    form: Literal[1]
    schema: str
    answers: Annotated[dict[str, str | int | bool | None], Meta(max_length=LIMITS.form_answers)]


def draft_path(out: Path) -> Path:
    """Where the draft of a bulletin lies that is to be written to `out`."""
    return out.with_name(out.name + ENDING)


def read_draft(path: Path, schema: str) -> Answers | None:
    """The answers that a draft keeps, or None if there is no draft.

    Raises:
        InvalidInput: `form_draft`: it is damaged, or of another type; `too_large`.
        OperatorError: `file_unreadable`.
    """
    if not path.exists():
        return None
    data = read_bounded(path, LIMITS.form_draft_bytes, "draft")
    try:
        found = parse_json(FormDraft, data)
    except ValueError:
        raise _refused(f"{path} is no draft of a form") from None
    if found.schema != schema:
        raise _refused(f"{path} is a draft of {found.schema[:80]!r}")
    return dict(found.answers)


def write_draft(path: Path, schema: str, answers: Answers) -> None:
    """Keep the answers, readable by their owner only.

    Raises:
        OperatorError: `file_unwritable`.
    """
    value = {"form": 1, "schema": schema, "answers": answers}
    replace_file(path, json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def _refused(what: str) -> InvalidInput:
    return InvalidInput(
        "form_draft",
        what,
        field="out",
        hint="name another file with --out, or remove the draft if it is not needed any more",
    )
