"""What has to be asked again when the finished bulletin has a fault.

A rule names the place in which it is broken; the answer that mends it may stand elsewhere: a role
belongs into the list of roles, one of two parties has to go, a total follows from what it adds up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from saphan_schemas.faults import Fault

from saphan.form.checking import is_about
from saphan.form.question import ASKS, Answers, Scalar

BESIDE: Final = {
    "/header/tlp": "/marking/tlp",
    "/header/codes": "/marking/codes",
    "/header/urgency": "/urgency",
    "/header/exercise": "/exercise",
    "/header/recipients": "/to",
}
"""Facts of the header, and where the form asks for them."""
RELATIONS: Final = "/about/relations"
_FOLLOWS: Final = ("sum", "value")
"""Names under which a fault says what a number would have to be."""
_LACKS_AN_ENTRY: Final = frozenset({"holds", "lacks"})


@dataclass(frozen=True, slots=True)
class Mending:
    """What the form does then.

    Args:
        forget: places that are asked again; open: lists that may have one more entry.
        demand: pointers that must be there now; propose: what Enter takes, by pointer.
    """

    forget: tuple[str, ...] = ()
    open: str | None = None
    demand: frozenset[str] = frozenset()
    propose: dict[str, Scalar] = field(default_factory=dict)


def mending_of(fault: Fault, answers: Answers) -> Mending:
    """What to ask again because of one fault."""
    pointer = BESIDE.get(fault.pointer, fault.pointer)
    if fault.rule == "one_of_given":
        return Mending(forget=tuple(_alternatives(fault)))
    if fault.rule == "related":
        return Mending(forget=(RELATIONS,), demand=frozenset({RELATIONS}))
    listed = fault.expected.get("list")
    if fault.rule == "listed" and isinstance(listed, str) and _is_place(listed):
        return Mending(forget=(listed,), demand=frozenset(prefixes(listed)))
    if not is_about(Fault("", pointer), answers) or fault.rule in ("given_when", "required"):
        return Mending(forget=(pointer,), demand=frozenset(prefixes(pointer)))
    if fault.expected.keys() & _LACKS_AN_ENTRY:
        return Mending(open=pointer)
    return Mending(forget=(pointer,), propose=_following(fault, pointer))


def prefixes(pointer: str) -> list[str]:
    """The pointer and those of the parts that it stands in, below about or body."""
    steps = pointer.split("/")
    return ["/".join(steps[:end]) for end in range(3, len(steps) + 1)]


def answered_around(pointer: str, answers: Answers) -> str:
    """The nearest place at or above a pointer that holds an answer; "" if there is none."""
    while pointer and not is_about(Fault("", pointer), answers) and pointer + ASKS not in answers:
        pointer = pointer.rpartition("/")[0]
    return pointer


def _alternatives(fault: Fault) -> list[str]:
    """Places of which some, and not too many, are given."""
    paths = [str(path) for path in fault.expected.get("of", ())] or [fault.pointer]
    return [path if path.startswith("/") else f"{fault.place}/{path}" for path in paths]


def _following(fault: Fault, pointer: str) -> dict[str, Scalar]:
    found = [fault.expected[name] for name in _FOLLOWS if name in fault.expected]
    return {pointer: found[0]} if found and isinstance(found[0], str) else {}


def _is_place(path: str) -> bool:
    return path.startswith("/") and "*" not in path
