"""Errors that travel between node and desk: family, code and words, nothing of the program."""

from __future__ import annotations

from typing import Final

from saphan_schemas.desk_frames import DeskClosing, DeskRefusal, Family
from saphan_schemas.errors import InvalidInput, OperatorError, Refused, SaphanError, Unavailable
from saphan_schemas.limits import LIMITS
from saphan_schemas.messages import error_hint

_FAMILIES: Final[dict[Family, type[SaphanError]]] = {
    "input": InvalidInput,
    "refused": Refused,
    "later": Unavailable,
    "operator": OperatorError,
}

NODE_ANSWER: Final = "node_answer"


def closing(error: SaphanError) -> DeskClosing:
    """The error as the last message of a session."""
    return DeskClosing(*_fields(error))


def refusal(request: int, error: SaphanError) -> DeskRefusal:
    """The error as the answer to a request."""
    return DeskRefusal(request, *_fields(error))


def told(frame: DeskClosing | DeskRefusal) -> SaphanError:
    """The error that the node has told, with its code and words."""
    kind = _FAMILIES[frame.family]
    if kind is Unavailable:
        return Unavailable(
            frame.code,
            frame.message,
            field=frame.field,
            hint=frame.hint,
            retry_after_ms=frame.retry_after_ms,
        )
    return kind(frame.code, frame.message, field=frame.field, hint=frame.hint)


def clock_differs(desk: int, node: int) -> OperatorError:
    """The desk's clock and the node's are more than 60 s apart; times in ms UTC."""
    ahead, seconds = desk > node, abs(desk - node) // 1000
    return OperatorError(
        "desk_clock",
        f"this computer's clock is {seconds} s {'ahead of' if ahead else 'behind'} the node's",
        field="clock",
        hint="set this computer's date and time; what was written here meanwhile is kept",
    )


def malformed(message: str) -> OperatorError:
    """The node said what no node says; nothing of it is kept."""
    return OperatorError(
        NODE_ANSWER,
        message,
        field="node",
        hint="nothing of it was kept; tell the node's keeper, and compare the versions of both",
    )


def _fields(error: SaphanError) -> tuple[Family, str, str, str | None, str | None, int]:
    (family,) = [name for name, kind in _FAMILIES.items() if isinstance(error, kind)]
    return (
        family,
        _cut(error.code),
        _cut(error.message),
        None if error.field is None else _cut(error.field),
        None if (hint := error_hint(error)) is None else _cut(hint),
        getattr(error, "retry_after_ms", 0),
    )


def _cut(text: str) -> str:
    return text[: LIMITS.desk_text_chars]
