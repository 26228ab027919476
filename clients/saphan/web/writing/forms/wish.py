"""What a filled-in form says, as `compose` takes it."""

from __future__ import annotations

from typing import Any, Final

from saphan_schemas.body_types import BodyType

from saphan.form.question import Answers
from saphan.web.writing.forms.kinds import form_kind
from saphan.web.writing.forms.standing import standing

_BESIDE: Final = ("answer_by", "expires", "retain_until")
"""Times of the header, which the page of the draft asks for itself."""


def wish_of(kind: BodyType, answers: Answers) -> dict[str, Any]:
    """The bulletin that the answers make: {schema, to?, urgency, exercise, marking, about, body}.

    What may not be there with the other answers is left out; what is missing or wrong stays so,
    for whoever composes it to refuse.

    Args:
        answers: by pointer; "/answer_by", "/expires" and "/retain_until" are taken as they are.
    """
    made = standing(form_kind(kind), answers).wish
    if not made.get("to"):
        made.pop("to", None)
    beside = {name: answers[f"/{name}"] for name in _BESIDE if answers.get(f"/{name}") is not None}
    return {"schema": kind.name, **made, **beside}
