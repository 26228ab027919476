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
    at: Any = whole
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        if after is not None:
            fresh: Any = [] if is_entry(after) else {}
        else:
            fresh = {} if answer is None else answer
        inner = _entered(at, step, fresh)
        if inner is None:
            return  # two answers of which one would stand in the other: no type has both
        at = inner


def _entered(at: Any, step: str, fresh: Any) -> Any:
    if isinstance(at, dict):
        return at.setdefault(step, fresh)
    if not isinstance(at, list) or not is_entry(step):
        return None
    number = int(step)
    at.extend([None] * (number + 1 - len(at)))
    if at[number] is None:
        at[number] = fresh
    return at[number]
