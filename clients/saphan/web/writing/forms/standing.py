"""Where a bulletin that is being written stands: its places, what it says so far, what rules want.

Rules look at what is there, and what is there depends on rules: the walk is made again while they
want something else, as the form of the terminal does it (`form/filling.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from saphan.form.question import Answers, Scalar
from saphan.form.rulings import Wanted
from saphan.form.sheet import facts_of
from saphan.web.writing.forms.kinds import FormKind
from saphan.web.writing.forms.nesting import nested
from saphan.web.writing.forms.walking import Part, Walk

ROUNDS: Final = 4
"""Walks at most; rules that want and bar in turn are settled when the bulletin is sent."""

Described = dict[str, str]
"""{media_type, name, role} of a file that goes with the bulletin."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One look at a bulletin.

    Args:
        top: every place of the form; wish: what it makes so far.
        facts: the same as rules see it; wanted: what they want.
        aside: pointers of answers that may not be there with the others.
        shifted: of lists with empty entries, which entry each one of the wish is.
    """

    top: Part
    wish: dict[str, Any]
    facts: dict[str, Any]
    wanted: Wanted
    aside: tuple[str, ...]
    shifted: dict[str, list[int]]


def standing(
    kind: FormKind,
    answers: Answers,
    attachments: Sequence[Described] = (),
    before: Standing | None = None,
) -> Standing:
    """Look at all answers.

    Args:
        answers: by pointer; wrong ones too.
        attachments: of the files that will go with it, in their order.
        before: a look at answers that were much the same; what rules wanted then is tried first.
    """
    given = nested(answers)
    real: Answers = {pointer: answer for pointer, answer in answers.items() if answer is not None}
    rounds, wanted = 0, Wanted() if before is None else before.wanted
    while True:
        walk = Walk(kind, frozenset(wanted.needed), frozenset(wanted.barred))
        top, wish = walk.whole(given)
        facts = facts_of(wish, attachments)
        last, wanted = wanted, kind.rulings.wanted(facts, real)
        rounds += 1
        settled = (wanted.needed, wanted.barred) == (last.needed, last.barred)
        if settled or rounds == ROUNDS:
            break
    return Standing(top, wish, facts, wanted, tuple(walk.aside), walk.shifted)


def proposed(answers: Answers, stands: Standing) -> Answers:
    """The answers, and those that follow from them where nobody has said anything else.

    A word that a list has to hold is added to it. That there are no such entries as a field asks
    for is said by a person: there may be some soon.
    """
    found = dict(answers)
    for pointer, value in stands.wanted.proposed.items():
        above, _, last = pointer.rpartition("/")
        if "*" in pointer or value is False or pointer.startswith("/header"):
            continue
        if last.isdigit():
            _listed(found, above, value)
        elif found.get(pointer) is None:
            found[pointer] = value
    return found


def _listed(answers: Answers, pointer: str, value: Scalar) -> None:
    known = [at for at in answers if at.rpartition("/")[0] == pointer]
    if value not in (answers[at] for at in known):
        free = 1 + max((int(at.rpartition("/")[2]) for at in known if at[-1].isdigit()), default=-1)
        answers[f"{pointer}/{free}"] = value
