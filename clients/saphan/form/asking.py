"""What is asked next: one walk over a type's schema with the answers that there are.

The walk is a generator that yields questions and is sent answers, and returns what they make
together. Nothing is kept between two walks: going back, changing an answer and going on from a
draft are all the same walk with other answers.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from saphan_schemas.fields import Field, Schema, choice_of, field_of, in_languages, overlaid

from saphan.form.conditions import Conditions
from saphan.form.question import ASKS, Answers, Kind, Question, Scalar

Asking = Generator[Question, "Scalar | None", Any]

LEFT_OUT: Final = object()
"""What a part that was left out makes."""


class Asker:
    """Walks one sheet.

    Args:
        root: schema of the whole wish, with `$defs`.
        languages: of texts by language, in the order in which they are asked.
    """

    def __init__(self, root: Schema, languages: Sequence[str]) -> None:
        self._root = root
        self._languages = languages
        self._conditions = Conditions(root)
        self._answers: Answers = {}
        self._needed: Collection[str] = ()
        self._barred: Collection[str] = ()

    def walk(
        self, answers: Answers, needed: Collection[str] = (), barred: Collection[str] = ()
    ) -> Walk:
        """A new walk, up to the first question that is not answered.

        Args:
            needed, barred: pointers of what rules want there, or not there.
        """
        self._answers, self._needed, self._barred = answers, needed, barred
        return Walk(self._part("", field_of(self._root, self._root)), answers)

    def _value(self, pointer: str, schema: Schema, *, required: bool) -> Asking:
        """Ask for whatever a schema is; returns its value, or LEFT_OUT."""
        field = field_of(self._root, schema)
        required = required or pointer in self._needed
        if in_languages(field.node) is not None:
            return (yield from self._languages_of(pointer, field, required=required))
        if "properties" in field.node:
            return (yield from self._maybe_part(pointer, field, required=required))
        if field.node.get("type") == "array":
            return (yield from self._list(pointer, field, required=required))
        answer = yield self._scalar(pointer, field, required=required)
        return LEFT_OUT if answer is None else answer

    def _scalar(self, pointer: str, field: Field, *, required: bool) -> Question:
        choice = choice_of(field.node)
        kind: Kind = "choice" if choice else _KINDS.get(field.node.get("type", ""), "text")
        return Question(
            pointer=pointer,
            kind=kind,
            node=field.node,
            shared=field.shared,
            required=required,
            choice=choice,
        )

    def _maybe_part(self, pointer: str, field: Field, *, required: bool) -> Asking:
        if not required:
            wanted = yield self._whether("part", pointer, field)
            if not wanted:
                return LEFT_OUT
        return (yield from self._part(pointer, field))

    def _whether(self, kind: Kind, pointer: str, field: Field) -> Question:
        return Question(pointer=pointer + ASKS, kind=kind, node=field.node, shared=field.shared)

    def _part(self, pointer: str, field: Field) -> Asking:
        """An object, property by property; then what later answers have made necessary."""
        node, built, asked = field.node, dict[str, Any](), set[str]()
        properties: dict[str, Any] = node["properties"]  # false bars one
        for name, below in properties.items():
            here = f"{pointer}/{name}"
            if (
                below is False
                or here in self._barred
                or self._conditions.barred(node, name, built, asked)
            ):
                continue
            needed = self._conditions.required(node, built, asked)
            below = overlaid(below, self._conditions.narrowed(node, name, built, asked))
            value = yield from self._value(here, below, required=name in needed)
            asked.add(name)
            if value is not LEFT_OUT:
                built[name] = value
        late = self._conditions.required(node, built, set(properties))
        for name in [name for name in properties if name in late and name not in built]:
            built[name] = yield from self._value(
                f"{pointer}/{name}", properties[name], required=True
            )
        return built

    def _languages_of(self, pointer: str, field: Field, *, required: bool) -> Asking:
        """A text in the officer's language, then in the others; one of them will do."""
        text = field_of(self._root, in_languages(field.node) or {})
        built: dict[str, Any] = {}
        places = [f"{pointer}/{lang}" for lang in self._languages]
        # Left out in every language, and something else has made it necessary since.
        insist = all(self._answers.get(place, LEFT_OUT) is None for place in places)
        for at, (lang, here) in enumerate(zip(self._languages, places, strict=True)):
            rest = tuple(places[at + 1 :])
            needed = required and not built
            answer = yield replace(
                self._scalar(here, text, required=needed),
                passes=needed and bool(rest) and not insist,
                also=() if needed or built else rest,
            )
            if answer is not None:
                built[lang] = answer
        return built or LEFT_OUT

    def _list(self, pointer: str, field: Field, *, required: bool) -> Asking:
        """Entries, until there are as many as the schema allows or no more are wanted."""
        node, built = field.node, list[Any]()
        least = node.get("minItems", 0) if required else 0
        if pointer in self._needed:
            least = max(least, 1)
        while len(built) < node.get("maxItems", MOST_ITEMS):
            here = f"{pointer}/{len(built)}"
            value = yield from self._entry(here, node["items"], required=len(built) < least)
            if value is LEFT_OUT:
                break
            built.append(value)
        return built if built or required else LEFT_OUT

    def _entry(self, pointer: str, schema: Schema, *, required: bool) -> Asking:
        field = field_of(self._root, schema)
        if "properties" not in field.node:
            return (yield from self._value(pointer, schema, required=required))
        if not required:
            wanted = yield self._whether("more", pointer, field)
            if not wanted:
                return LEFT_OUT
        return (yield from self._part(pointer, field))


class Walk:
    """Where a walk stands.

    Args:
        answers: those there are; it is looked at whenever a question is met.
    """

    def __init__(self, asking: Asking, answers: Answers) -> None:
        self._asking, self._answers = asking, answers
        self.answered: list[Question] = []
        self.question: Question | None = None
        self.made: Any = None
        """What all answers make together, at the end."""
        self._on(None)

    def on(self) -> None:
        """Go on: the question has its answer now."""
        if self.question is not None:
            self.answered.append(self.question)
            self._on(self._answers[self.question.pointer])

    def _on(self, answer: Scalar | None) -> None:
        try:
            question = self._asking.send(answer)
            while _is_answered(question, self._answers):
                self.answered.append(question)
                question = self._asking.send(self._answers[question.pointer])
            self.question = question
        except StopIteration as end:
            self.question, self.made = None, end.value


MOST_ITEMS: Final = 64
"""Of a list whose schema has no bound; every list of this package has one."""

_KINDS: Final[dict[str, Kind]] = {"integer": "whole", "boolean": "yes_no"}


def _is_answered(question: Question, answers: Answers) -> bool:
    """A field that was left out is asked again once something has made it necessary."""
    if question.pointer not in answers:
        return False
    return answers[question.pointer] is not None or not question.required or question.passes


def pointers_of(value: Any, pointer: str = "") -> Iterator[tuple[str, Scalar]]:
    """What a written value would have answered, question by question: a start for the next one."""
    if isinstance(value, dict):
        if pointer:
            yield pointer + ASKS, True
        for name, below in value.items():
            yield from pointers_of(below, f"{pointer}/{name}")
    elif isinstance(value, list):
        for at, below in enumerate(value):
            yield from pointers_of(below, f"{pointer}/{at}")
    elif isinstance(value, str | int | bool):
        yield pointer, value
