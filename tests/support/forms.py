"""An officer who fills in a form with a bulletin in mind."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from saphan.form.filling import Filling
from saphan.form.question import ASKS, Question

MOST = 3_000
"""Questions of the longest sample, and room."""


def at(value: Any, pointer: str) -> Any:
    """The value at a pointer, or None."""
    for step in pointer.split("/")[1:]:
        if isinstance(value, list):
            value = value[int(step)] if int(step) < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def typed_for(question: Question, whole: dict[str, Any]) -> str:
    """What they type at a question; `whole` is the bulletin as it would be sent."""
    value = at(whole, question.place)
    if question.pointer.endswith(ASKS) or isinstance(value, bool):
        return "n" if value in (None, False) else "y"
    return "-" if value is None else str(value)


def filled(form: Filling, whole: dict[str, Any], enter: Collection[str] = ()) -> list[str]:
    """Answer everything; the lines that were typed.

    Args:
        enter: pointers at which Enter is pressed instead, for what the form proposes.
    """
    lines: list[str] = []
    while (question := form.question) is not None:
        assert len(lines) < MOST, "the form never ends"
        line = "" if question.pointer in enter else typed_for(question, whole)
        refused = form.give(line)
        assert refused is None, (question.pointer, line, refused)
        lines.append(line)
    return lines
