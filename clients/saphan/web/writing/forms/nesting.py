"""Answers by pointer as one nested value, and back: what stands below what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from saphan.form.question import ASKS, Answers

MOST_ENTRIES: Final = 1_024
"""Of one list; a number beyond is no place in any type's list."""


def nested(answers: Answers) -> dict[str, Any]:
    """What was answered, part in part; a part or an entry that was begun is there, though empty.

    An entry of a list that nobody answered is None: numbers of entries stay what they are.
    """
    whole: dict[str, Any] = {}
    for pointer, answer in answers.items():
        if answer is None or (answer is False and pointer.endswith(ASKS)):
            continue
        begun = pointer.endswith(ASKS)
        _put(whole, pointer.removesuffix(ASKS).split("/")[1:], None if begun else answer)
    return whole


def lengths(pointer: str, answers: Answers) -> int:
    """How many entries a list has; those that are begun count."""
    start = f"{pointer}/"
    numbers = [_entry(given[len(start) :]) for given in answers if given.startswith(start)]
    return max(numbers, default=-1) + 1


def below(pointer: str, answers: Answers) -> Iterator[str]:
    """The pointers of answers at a place and under it, that of its beginning too."""
    start = f"{pointer}/"
    for given in answers:
        if given == pointer or given == pointer + ASKS or given.startswith(start):
            yield given


def _entry(rest: str) -> int:
    step = rest.partition("/")[0].removesuffix(ASKS)
    return int(step) if is_entry(step) else -1


def is_entry(step: str) -> bool:
    """Whether a step of a pointer is the number of an entry."""
    return step.isascii() and step.isdigit() and len(step) <= 4 and int(step) < MOST_ENTRIES


def _put(whole: dict[str, Any], steps: list[str], answer: object) -> None:
    """Set an answer at a path; None begins a part there and changes nothing that stands in it."""
    if not steps:
        return  # the whole form is begun already
    at: Any = whole
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        fresh: Any = {} if answer is None else answer
        if after is not None:
            fresh = [] if is_entry(after) else {}
        at = _entered(at, step, fresh)
        if at is None:
            return  # one answer would stand in another one: no type has both


def _entered(at: Any, step: str, fresh: Any) -> Any:
    """What stands at one step; what is fresh where nothing did, or only a beginning."""
    if isinstance(at, dict):
        if at.get(step) in (None, {}):
            at[step] = fresh
        return at[step]
    if not isinstance(at, list) or not is_entry(step):
        return None
    at.extend([None] * (int(step) + 1 - len(at)))
    if at[int(step)] in (None, {}):
        at[int(step)] = fresh
    return at[int(step)]
