"""Parts and entries that come, go and change places.

An order names a place of the form; one that the form has not, or not any more, changes nothing: it
was given on an older page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from saphan.form.question import ASKS, Answers
from saphan.web.writing.forms.nesting import below, is_entry, lengths
from saphan.web.writing.forms.walking import Entries, Part, Place, Texts

VERBS: Final = ("add", "remove", "up", "down")


def obeyed(verb: str, pointer: str, answers: Answers, top: Part) -> Answers:
    """The answers after one order.

    Args:
        verb: one of `VERBS`; another one changes nothing.
        pointer: add: a part, a list, or a text and a language ("/about/title/km"); remove: a part
            or an entry; up and down: an entry.
        top: every place of the form.
    """
    above, _, last = pointer.rpartition("/")
    places = {place.pointer: place for place in every_place(top)}
    if verb == "add":
        return _added(places.get(pointer), places.get(above), pointer, answers)
    holder = places.get(above)
    if isinstance(holder, Entries) and is_entry(last):
        if verb == "remove":
            return _without_entry(above, int(last), answers)
        step = {"up": -1, "down": 1}.get(verb, 0)
        return _swapped(above, int(last), int(last) + step, answers)
    place = places.get(pointer)
    if verb == "remove" and isinstance(place, Part) and not place.required:
        gone = set(below(pointer, answers))
        return {given: answer for given, answer in answers.items() if given not in gone}
    return answers


def every_place(place: Place) -> Iterator[Place]:
    """A place and all that stand in it."""
    yield place
    if isinstance(place, Part | Entries):
        for inner in place.inside:
            yield from every_place(inner)


def _added(place: Place | None, holder: Place | None, pointer: str, answers: Answers) -> Answers:
    if isinstance(place, Entries):
        at = max(lengths(pointer, answers), len(place.inside))
        fresh = f"{pointer}/{at}" if at < place.most else None
    elif isinstance(holder, Texts) or (isinstance(place, Part) and not place.there):
        fresh = pointer
    else:
        fresh = None
    return answers if fresh is None else {**answers, fresh + ASKS: True}


def _without_entry(pointer: str, gone: int, answers: Answers) -> Answers:
    """The entries behind it move up by one."""
    return _renumbered(pointer, answers, lambda at: None if at == gone else at - (at > gone))


def _swapped(pointer: str, one: int, other: int, answers: Answers) -> Answers:
    if not 0 <= other < lengths(pointer, answers):
        return answers
    places = {one: other, other: one}
    return _renumbered(pointer, answers, lambda at: places.get(at, at))


def _renumbered(pointer: str, answers: Answers, moved: Callable[[int], int | None]) -> Answers:
    """The answers with the entries of one list at other places; None is nowhere."""
    start = f"{pointer}/"
    found: Answers = {}
    for given, answer in answers.items():
        step, slash, rest = given.removeprefix(start).partition("/")
        number = step.removesuffix(ASKS)
        if not given.startswith(start) or not is_entry(number):
            found[given] = answer
            continue
        at = moved(int(number))
        if at is not None:
            found[f"{start}{at}{step[len(number) :]}{slash}{rest}"] = answer
    return found
