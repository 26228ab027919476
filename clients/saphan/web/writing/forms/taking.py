"""What a browser posted, as answers: every field of the form as it stood there, and one order.

1. A field that was posted has the answer that stands in it; emptied, it has none. What was not
   posted stays as it was: a page that is older than the answers takes nothing away.
2. Codes are meant by their words, digits of any script are digits in fields of numbers and dates,
   times are on the clock of the zone that the form names. What cannot be read so is kept as typed.
3. Then the order is done, if one was given: `ORDER=VERB POINTER`.
4. What follows from the answers by a rule is filled in where nobody has answered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from saphan_schemas.body_types import BodyType
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.scripts import script_of

from saphan.form.question import ASKS, Answers, Scalar
from saphan.form.reading import ascii_digits, to_utc
from saphan.web.writing.forms.codes import meant
from saphan.web.writing.forms.kinds import FormKind, form_kind
from saphan.web.writing.forms.model import zone_of
from saphan.web.writing.forms.moving import VERBS, every_place, obeyed
from saphan.web.writing.forms.nesting import is_entry
from saphan.web.writing.forms.standing import proposed, standing
from saphan.web.writing.forms.walking import Boxes, Leaf, Part, Place, Texts
from saphan.web.writing.forms.widgets import choice_in

ORDER: Final = "do"
"""Name of the buttons that add, remove and move; their value is a verb and a pointer."""
BOX: Final = "="
"""Between the pointer of a list and the code of a box that is ticked in it."""
_LOCAL: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[ T]+(\d{1,2}:\d{2}(?::\d{2})?)", re.ASCII)
_WHOLE: Final = re.compile(r"-?[0-9]{1,15}", re.ASCII)
_PRECISIONS: Final = {4: "year", 7: "month", 10: "day"}


def taken(form_data: Mapping[str, object], answers: Answers, kind: BodyType, zone: str) -> Answers:
    """The answers after a page with the form was posted; the given ones are not changed.

    Args:
        form_data: names and values of its controls; names that are no pointers are passed over.
        answers: those with which the page was made, or later ones.
        zone: of times, where the form names none that there is.

    Raises:
        InvalidInput: `too_large`, and as `form_kind`.
    """
    made = form_kind(kind)
    found = dict(answers)
    posted = {name: _readable(value) for name, value in form_data.items() if isinstance(value, str)}
    reader = _Reader(made, posted, _zone(posted, found, zone), _after(posted))
    stands = standing(made, found)
    for _ in range(_LOOKS):
        left = len(reader.unread)
        for place in every_place(stands.top):
            reader.take(place, found)
        stands = standing(made, found, before=stands)
        # A code may open fields that were posted with it, by a page that knew of them.
        if len(reader.unread) in (0, left):
            break
    _keep_begun(stands.top, answers, found)
    verb, _, pointer = posted.get(ORDER, "").partition(" ")
    if verb in VERBS:
        found = obeyed(verb, pointer, found, stands.top)
        stands = standing(made, found, before=stands)
    found = proposed(found, stands)
    if len(found) > LIMITS.form_answers:
        raise InvalidInput(
            "too_large",
            f"the form has {len(found)} answers, at most {LIMITS.form_answers} are kept",
            field="answers",
            hint="send several bulletins, or long lists as an attachment",
        )
    return found


def _keep_begun(top: Place, before: Answers, answers: Answers) -> None:
    """A part whose last field was just emptied stays, until somebody removes it."""
    filled = {above for pointer in before for above in _around(pointer)}
    for part in (place for place in every_place(top) if isinstance(place, Part)):
        if not part.required and part.pointer in filled:
            answers.setdefault(part.pointer + ASKS, True)


def _around(pointer: str) -> Iterator[str]:
    above = pointer.rpartition("/")[0]
    while above:
        yield above
        above = above.rpartition("/")[0]


def _readable(value: str) -> str:
    """With U+FFFD for halves of characters, which no text can hold."""
    return (
        value
        if value.isascii()
        else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


def _after(posted: Mapping[str, str]) -> dict[str, list[str]]:
    """Of a text, its languages, of a list of boxes, its codes: what follows each beginning."""
    found: dict[str, list[str]] = {}
    for name in posted:
        for above, mark, last in (name.rpartition("/"), name.partition(BOX)):
            if mark:
                found.setdefault(above + mark, []).append(last)
    return found


def _zone(posted: Mapping[str, str], answers: Answers, zone: str) -> str:
    named = posted.get(_ZONE) or answers.get(_ZONE)
    known = zone_of({_ZONE: named}, "")
    return known if known == named else zone


_LOOKS: Final = 3
_SCRIPTS: Final = {
    "Lao": "Laoo", "Khmer": "Khmr", "Latin": "Latn", "Thai": "Thai", "Han": "Hans",
    "Myanmar": "Mymr",
}  # fmt: skip
"""ISO 15924 codes of the scripts in which names are written here."""
_ZONE: Final = "/about/local_time_zone"


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads what was posted for one place after the other."""

    kind: FormKind
    posted: dict[str, str]
    zone: str
    after: dict[str, list[str]]
    done: set[str] = field(default_factory=set)

    @property
    def unread(self) -> set[str]:
        """Names of controls that no place has read yet."""
        return {name for name in self.posted if name.startswith("/")} - self.done

    def take(self, place: Place, answers: Answers) -> None:
        """Put what was posted for a place into the answers."""
        match place:
            case Leaf():
                self._one(place, answers, stays=is_entry(place.pointer.rpartition("/")[2]))
            case Texts():
                for lang in self._languages(place):
                    pointer = f"{place.pointer}/{lang}"
                    text = Leaf(pointer, place.text, None, False, None)
                    self._one(text, answers, stays=True)
            case Boxes():
                self._boxes(place, answers)
            case _:
                pass

    def _languages(self, place: Texts) -> list[str]:
        return self.after.get(f"{place.pointer}/", [])

    def _one(self, leaf: Leaf, answers: Answers, *, stays: bool) -> None:
        """One control; an entry of a list or a language that was emptied `stays`."""
        typed = self.posted.get(leaf.pointer)
        if typed is None or leaf.pointer in self.done:
            return
        self.done.add(leaf.pointer)
        answer = read(leaf, typed, self.zone)
        if answer is None:
            emptied = answers.pop(leaf.pointer, None) is not None
            if emptied and stays:
                answers[leaf.pointer + ASKS] = True
            return
        before = answers.get(leaf.pointer)
        answers[leaf.pointer] = answer
        if answer != before and leaf.pointer.endswith("/value"):
            self._precision(leaf.pointer, str(before or ""), str(answer), answers)
        if answer != before and leaf.pointer.endswith("/full"):
            self._script(leaf.pointer, str(answer), answers)

    def _precision(self, pointer: str, before: str, value: str, answers: Answers) -> None:
        """How exact a date is follows from how much of it was typed, unless somebody said else."""
        beside = pointer.removesuffix("value") + "precision"
        said = self.posted.get(beside, answers.get(beside))
        told = said not in (None, "", _PRECISIONS.get(len(before)))
        if beside in self.posted and not told and len(value) in _PRECISIONS and value[:4].isdigit():
            self.posted[beside] = _PRECISIONS[len(value)]

    def _script(self, pointer: str, name: str, answers: Answers) -> None:
        """The script of a name follows from its letters, unless somebody has said one."""
        beside = pointer.removesuffix("full") + "script"
        if beside in self.posted and answers.get(beside) is None:
            found = (_SCRIPTS.get(script_of(letter) or "") for letter in name)
            script = next(filter(None, found), None)
            if script is not None:
                answers[beside] = script

    def _boxes(self, place: Boxes, answers: Answers) -> None:
        """The codes that are ticked, those that were there before first and in their order."""
        start = f"{place.pointer}{BOX}"
        if start not in self.posted or start in self.done:
            return
        ticked = self.after.get(start, [])
        self.done.update((start, *(start + code for code in ticked)))
        now = [code for code in ticked if code]
        kept = [code for code in place.answers if code in now]
        for given in list(answers):
            if given.rpartition("/")[0] == place.pointer:
                del answers[given]
        for at, code in enumerate(dict.fromkeys((*kept, *now))):
            answers[f"{place.pointer}/{at}"] = code


def read(leaf: Leaf, typed: str, zone: str) -> Scalar | None:
    """What stands in one control, as an answer; None if nothing does."""
    typed = typed.replace("\r\n", "\n").replace("\r", "\n")
    if not typed.strip():
        return None
    kind, only = leaf.field.node.get("type"), leaf.field.node.get("const")
    if isinstance(only, str | int) and ascii_digits(typed.strip()).lower() == str(only).lower():
        return only
    if kind == "boolean" and typed in ("true", "false"):
        return typed == "true"
    if kind == "integer":
        digits = ascii_digits(typed.strip())
        return int(digits) if _WHOLE.fullmatch(digits) else typed
    choice = choice_in(leaf)
    if choice is not None:
        return _of_choice(leaf, meant(choice[0], typed, free=choice[1]), typed)
    pattern = str(leaf.field.node.get("pattern", ""))
    if not pattern.startswith("^") or pattern.startswith("^[^"):
        return typed
    if leaf.field.shared == "time":
        return _time(typed, zone)
    return ascii_digits(typed.strip())


def _of_choice(leaf: Leaf, code: str | None, typed: str) -> Scalar:
    """The code as the schema writes it: an own type may list numbers too."""
    if code is None:
        return typed.strip()
    words = leaf.field.node.get("enum", ())
    return next((word for word in words if str(word) == code), code)


def _time(typed: str, zone: str) -> str:
    written = ascii_digits(typed.strip())
    local = _LOCAL.fullmatch(written)
    if local is None:
        return written
    at = to_utc(f"{local[1]} {local[2]:0>5}", zone)
    return at if isinstance(at, str) else written
