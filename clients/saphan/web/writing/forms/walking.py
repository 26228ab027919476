"""Every place of a form at once: what stands there, what may, and the bulletin that it makes.

One walk over the type's schema with all answers, down to parts that nobody has begun. Which fields
may be there follows from conditions (`form/conditions.py`) and rules (`form/rulings.py`); what was
answered and may not be there any more is set aside and named, so that nothing leaves in silence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from saphan_schemas.fields import Choice, Field, Schema, overlaid

from saphan.form.asking import LEFT_OUT, MOST_ITEMS
from saphan.form.conditions import Held
from saphan.form.question import Scalar
from saphan.web.writing.forms.kinds import FormKind, Shape

ROUNDS: Final = 4
"""In which one condition bars what another one looked at; the last one stands."""
MOST_BOXES: Final = 16
"""Codes of a list that are shown as boxes to tick; of longer ones each entry is searched for."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value. `answer` is what was given, right or wrong."""

    pointer: str
    field: Field
    choice: Choice | None
    required: bool
    answer: Scalar | None


@dataclass(frozen=True, slots=True)
class Texts:
    """One text in languages: those that are there, and those that were begun."""

    pointer: str
    field: Field
    text: Field
    required: bool
    answers: Mapping[str, Scalar | None]


@dataclass(frozen=True, slots=True)
class Boxes:
    """A short list of codes of which several hold."""

    pointer: str
    field: Field
    choice: Choice
    required: bool
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entries:
    """A list; `most` entries may be there."""

    pointer: str
    field: Field
    required: bool
    least: int
    most: int
    inside: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """Fields that belong together; `there` unless it may be left out and nobody has begun it."""

    pointer: str
    field: Field
    required: bool
    there: bool
    inside: tuple[Place, ...]


Place = Leaf | Texts | Boxes | Entries | Part


@dataclass(slots=True)
class Walk:
    """One walk and what it found.

    Args:
        kind: the form of the type.
        needed, barred: pointers that rules want there, or not there.
        aside: pointers of answers that may not be there with the others.
    """

    kind: FormKind
    needed: Collection[str] = ()
    barred: Collection[str] = ()
    aside: list[str] = field(default_factory=list)
    shifted: dict[str, list[int]] = field(default_factory=dict)
    """Of lists with entries that are still empty: which entry each one of the wish is."""

    def whole(self, answers: dict[str, Any]) -> tuple[Part, dict[str, Any]]:
        """The form's top part, and the wish as far as it goes.

        Args:
            answers: nested (`nesting.nested`).
        """
        return self._part("", self.kind.field(self.kind.sheet), answers, required=True)

    def _place(
        self, pointer: str, schema: Schema, given: Any, *, required: bool
    ) -> tuple[Place, Any]:
        """What stands at a pointer, and its value or LEFT_OUT."""
        shape = self.kind.shape(schema)
        found = shape.field
        required = required or pointer in self.needed
        if shape.text is not None:
            return self._texts(pointer, shape, given, required=required)
        if "properties" in found.node:
            return self._maybe_part(pointer, found, given, required=required)
        if found.node.get("type") == "array" and isinstance(found.node.get("items"), dict):
            return self._list(pointer, found, given, required=required)
        answer = given if isinstance(given, str | int | bool) else None
        leaf = Leaf(pointer, found, shape.choice, required, answer)
        return leaf, LEFT_OUT if answer is None else answer

    def _texts(
        self, pointer: str, shape: Shape, given: Any, *, required: bool
    ) -> tuple[Place, Any]:
        assert shape.text is not None
        answers = given if isinstance(given, dict) else {}
        # A language that was begun and has no text yet is an empty part.
        shown = {lang: None if isinstance(one, dict) else one for lang, one in answers.items()}
        made = {lang: one for lang, one in shown.items() if one is not None}
        return Texts(pointer, shape.field, shape.text, required, shown), made or LEFT_OUT

    def _maybe_part(
        self, pointer: str, found: Field, given: Any, *, required: bool
    ) -> tuple[Part, Any]:
        if not required and not isinstance(given, dict):
            return Part(pointer, found, False, False, ()), LEFT_OUT
        return self._part(pointer, found, given, required=required)

    def _part(
        self, pointer: str, found: Field, given: Any, *, required: bool
    ) -> tuple[Part, dict[str, Any]]:
        given = given if isinstance(given, dict) else {}
        node = found.node
        open_names, held = self._possible(pointer, node, given)
        needed = held.required
        inside: list[Place] = []
        made: dict[str, Any] = {}
        for name in open_names:
            schema = node["properties"][name]
            beside = held.narrowed(name)
            if beside:
                schema = overlaid(schema, beside)
            if schema.get("maxItems") == 0 and not given.get(name):
                continue
            place, value = self._place(
                f"{pointer}/{name}", schema, given.get(name), required=name in needed
            )
            inside.append(place)
            if value is not LEFT_OUT:
                made[name] = value
        return Part(pointer, found, required, True, tuple(inside)), made

    def _possible(
        self, pointer: str, node: Schema, given: dict[str, Any]
    ) -> tuple[list[str], Held]:
        """(names of the fields that may be there, what conditions say of them)."""
        properties = node["properties"]
        names = [
            name
            for name, below in properties.items()
            if below is not False and f"{pointer}/{name}" not in self.barred
        ]
        always = node.get("required", ())
        found, rounds = names, 0
        while True:
            built = {name: given[name] for name in found if _says(given.get(name))}
            # Of a field that is needed and still empty nobody knows what it will say.
            asked = {name for name in properties if name in built or name not in always}
            held = self.kind.conditions.held(node, built, asked)
            still = [name for name in names if not held.bars(name)] if held.branches else names
            rounds += 1
            if still == found or rounds == ROUNDS:
                break
            found = still
        gone = [name for name in given if name in properties and name not in found]
        self.aside += [f"{pointer}/{name}" for name in gone if given[name] not in (None, [], {})]
        return found, held

    def _list(self, pointer: str, found: Field, given: Any, *, required: bool) -> tuple[Place, Any]:
        node, items = found.node, given if isinstance(given, list) else []
        choice = self.kind.shape(node["items"]).choice
        if choice is not None and node.get("uniqueItems") and len(choice.codes) <= MOST_BOXES:
            return self._boxes(pointer, found, choice, items, required=required)
        least = max(node.get("minItems", 0), 1 if pointer in self.needed else 0) if required else 0
        most = node.get("maxItems", MOST_ITEMS)
        inside: list[Place] = []
        made: list[Any] = []
        numbers: list[int] = []
        for at in range(max(len(items), least)):
            one = items[at] if at < len(items) else None
            place, value = self._place(f"{pointer}/{at}", node["items"], one, required=True)
            inside.append(place)
            if value is not LEFT_OUT:
                made.append(value)
                numbers.append(at)
        if len(made) != len(inside):
            self.shifted[pointer] = numbers
        return (
            Entries(pointer, found, required, least, most, tuple(inside)),
            made if made or required else LEFT_OUT,
        )

    def _boxes(
        self, pointer: str, found: Field, choice: Choice, items: list[Any], *, required: bool
    ) -> tuple[Place, Any]:
        ticked = tuple(dict.fromkeys(str(one) for one in items if isinstance(one, str | int)))
        words = self.kind.shape(found.node["items"]).field.node.get("enum", ())
        meant = {str(word): word for word in words}  # an own type may list numbers too
        made = [meant.get(one, one) for one in ticked] if ticked or required else LEFT_OUT
        return Boxes(pointer, found, choice, required, ticked), made


def _says(given: Any) -> bool:
    """Whether something stands there; a text that was only begun in a language is none yet."""
    begun = isinstance(given, dict) and bool(given) and all(one == {} for one in given.values())
    return not begun and given not in (None, [])
