"""The form as a page shows it: sections of fields with their words, controls, answers and faults.

Everything that the type allows stands there at once; a part or a list that may be left out is one
button until somebody begins it. The words of a field are the type's labels, its faults those of
the schema that the recipient will ask.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from saphan_schemas.body_types import BodyType
from saphan_schemas.explaining import explain_beside, place
from saphan_schemas.faults import Fault
from saphan_schemas.labels import owner_of, title
from saphan_schemas.messages import text

from saphan.form.checking import UNFINISHED
from saphan.form.filling import ZONE
from saphan.form.question import Answers
from saphan.form.sheet import ZONES
from saphan.web.writing.forms.dressing import Dresser, Node, id_of
from saphan.web.writing.forms.judging import faults_in
from saphan.web.writing.forms.kinds import FormKind, form_kind
from saphan.web.writing.forms.nesting import nested
from saphan.web.writing.forms.standing import Described, Standing, standing
from saphan.web.writing.forms.walking import Part
from saphan.zone import read_zone

RECIPIENTS: Final = "/to"
_CARRIAGE: Final = ("/urgency", "/exercise", "/marking")


@dataclass(frozen=True, slots=True)
class FormFault:
    """What is wrong: id of the element to jump to, the field in words, the sentence."""

    id: str
    place: str
    says: str

    @property
    def sentence(self) -> str:
        """The whole of it, for a list of faults."""
        return f"{self.place}: {self.says}"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the form with a heading of its own: how it goes, what happened, what all have."""

    id: str
    name: str
    inside: tuple[Node, ...]

    @property
    def open(self) -> tuple[Node, ...]:
        """What stands in it."""
        return tuple(node for node in self.inside if node.there)

    @property
    def addable(self) -> tuple[Node, ...]:
        """What may be begun in it."""
        return tuple(node for node in self.inside if not node.there)


@dataclass(frozen=True, slots=True)
class Form:
    """A form at one moment.

    Args:
        name: of the type; title: in words; lang: of the officer.
        sections: in the order of the page.
        faults: those that are shown; missing: how many more would be, if it were sent now.
        aside: answers, in words, that do not go with the others and will not be sent.
        ready: whether it may be sent as far as the type says.
        shown: whether what is missing counts as a fault.
    """

    name: str
    title: str
    lang: str
    sections: tuple[Section, ...]
    faults: tuple[FormFault, ...]
    missing: int
    aside: tuple[str, ...]
    ready: bool
    shown: bool


def form_of(
    kind: BodyType,
    answers: Answers,
    lang: str,
    *,
    shown: bool,
    to: Sequence[str] = (),
    attachments: Sequence[Described] = (),
    extra: Sequence[Fault] = (),
) -> Form:
    """The form of a type with answers, right and wrong ones.

    Args:
        answers: by pointer, as `taking.taken` gives them.
        lang: one of `messages.LANGUAGES`.
        shown: what is still missing is a fault too: the officer wants to send it.
        to: recipients, where the page asks for them itself; rules look at them.
        attachments: {media_type, name, role} of the files, in their order.
        extra: faults that somebody else has found, such as the recipient's refusal.
    """
    made = form_kind(kind)
    answers = with_recipients(answers, to)
    stands = standing(made, answers, attachments)
    every = _without_recipients(faults_in(made, stands, answers, shown=True))
    said = every if shown else [one for one in every if one.rule not in UNFINISHED]
    said = [*said, *extra]
    sections = _sections(made, stands, answers, lang, said, [one["name"] for one in attachments])
    ids = set(_ids(sections))
    return Form(
        name=kind.name,
        title=title(owner_of(kind.name), lang),
        lang=lang,
        sections=sections,
        faults=tuple(_listed(made, fault, lang, ids) for fault in said),
        missing=len(every) - len(said) if not shown else 0,
        aside=tuple(place(kind.name, pointer, lang, made.sheet) for pointer in stands.aside),
        ready=not every,
        shown=shown,
    )


def with_recipients(answers: Answers, to: Sequence[str]) -> Answers:
    """The answers with the recipients that were chosen beside the form."""
    return {**answers, **{f"{RECIPIENTS}/{at}": agency for at, agency in enumerate(to)}}


def zone_of(answers: Answers, lang: str) -> str:
    """The zone of the times in a form: the one it names, if there is such a one."""
    named = answers.get(ZONE)
    if isinstance(named, str) and read_zone(named) is not None:
        return named
    # Half-typed, or no zone at all: the field itself says so.
    return ZONES.get(lang, ZONES["lo"])


def _without_recipients(faults: list[Fault]) -> list[Fault]:
    return [one for one in faults if not f"{one.pointer}/".startswith(f"{RECIPIENTS}/")]


def _sections(
    kind: FormKind,
    stands: Standing,
    answers: Answers,
    lang: str,
    faults: Sequence[Fault],
    files: Sequence[str],
) -> tuple[Section, ...]:
    sentences: dict[str, tuple[str, ...]] = {}
    for fault in faults:
        said = explain_beside(fault, lang, kind.sheet)
        sentences[fault.pointer] = (*sentences.get(fault.pointer, ()), said)
    dresser = Dresser(kind, lang, zone_of(answers, lang), nested(answers), files, sentences)
    above = {one.pointer: one for one in stands.top.inside}
    carriage = tuple(dresser.node(above[pointer]) for pointer in _CARRIAGE)
    return (
        Section("carriage", text("page.writing.carriage", lang), carriage),
        Section("body", title(owner_of(kind.name), lang), _inside(dresser, above["/body"])),
        Section("about", text("page.writing.about", lang), _inside(dresser, above["/about"])),
    )


def _inside(dresser: Dresser, part: object) -> tuple[Node, ...]:
    assert isinstance(part, Part)
    return tuple(dresser.node(one) for one in part.inside)


def _ids(nodes: Sequence[Section | Node]) -> Iterator[str]:
    for node in nodes:
        yield node.id
        yield from _ids(node.inside)


def _listed(kind: FormKind, fault: Fault, lang: str, ids: set[str]) -> FormFault:
    """A fault in the list above the form; it leads to the nearest element that is there."""
    steps = fault.pointer.split("/")
    around = (id_of("/".join(steps[:end])) for end in range(len(steps), 1, -1))
    nearest = next((one for one in around if one in ids), steps[1] if len(steps) > 1 else "body")
    return FormFault(
        id=nearest,
        place=place(kind.name, fault.pointer, lang, kind.sheet),
        says=explain_beside(fault, lang, kind.sheet),
    )
