"""What is wrong with a bulletin that is being written, and at which of its fields.

While somebody writes, what is still empty is no fault. Once they want to send it, everything
counts: what the recipient's schema finds, and if that is nothing, every rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from saphan_schemas.errors import InvalidInput
from saphan_schemas.faults import Fault
from saphan_schemas.rules.paths import places, pointer_at
from saphan_schemas.text import check_text

from saphan.form.checking import MOST_FAULTS, UNFINISHED, is_about
from saphan.form.mending import BESIDE
from saphan.form.question import Answers
from saphan.web.writing.forms.kinds import FormKind
from saphan.web.writing.forms.standing import Standing


def faults_in(kind: FormKind, stands: Standing, answers: Answers, *, shown: bool) -> list[Fault]:
    """Every fault, by the order in which schema and rules find them; one for each place.

    Args:
        shown: what is missing counts too.
    """
    found: dict[str, Fault] = {}
    for fault in _all(kind, stands, answers, shown=shown):
        at = _entry_meant(BESIDE.get(fault.pointer, fault.pointer), stands)
        found.setdefault(at, replace(fault, pointer=at, schema=kind.name))
        if len(found) >= MOST_FAULTS:
            break
    return list(found.values())


def _all(kind: FormKind, stands: Standing, answers: Answers, *, shown: bool) -> Iterator[Fault]:
    yield from _characters(answers)
    unfinished = False
    for fault in kind.checker.faults(stands.wish):
        unfinished = unfinished or fault.pointer.startswith(("/body", "/about"))
        if shown or fault.rule not in UNFINISHED:
            yield fault
    if unfinished or not shown:
        # Rules that count or look elsewhere speak of whole bulletins only.
        faults = kind.rulings.broken(stands.facts)
        yield from (fault for fault in faults if is_about(fault, answers))
        return
    for rule in kind.compiled:
        for place, value in places(stands.facts, rule.each):
            broken = rule.check(value, stands.facts)
            if broken is not None:
                yield Fault(rule.name, pointer_at(place, broken.path), broken.expected, place=place)


def _characters(answers: Answers) -> Iterator[Fault]:
    for pointer, answer in answers.items():
        try:
            if isinstance(answer, str):
                check_text(answer, pointer)
        except InvalidInput:
            yield Fault("text_forbidden", pointer)


def _entry_meant(pointer: str, stands: Standing) -> str:
    """The place of the form that a pointer of the wish means: empty entries are not in it."""
    for above, numbers in stands.shifted.items():
        if pointer.startswith(f"{above}/"):
            first, _, rest = pointer[len(above) + 1 :].partition("/")
            if first.isdigit() and int(first) < len(numbers):
                moved = f"{above}/{numbers[int(first)]}"
                return f"{moved}/{rest}" if rest else moved
    return pointer
