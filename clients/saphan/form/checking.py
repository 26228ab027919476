"""Is what was filled in so far right: asked after every answer, by the schema of the recipient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from saphan_schemas.body_types import BodyType
from saphan_schemas.bundling import with_codes
from saphan_schemas.errors import InvalidInput
from saphan_schemas.explaining import explain_fault
from saphan_schemas.faults import Fault
from saphan_schemas.fields import Schema
from saphan_schemas.text import check_text

from saphan.form.question import Answers, Scalar

UNFINISHED: Final = frozenset(
    ("required", "minItems", "minProperties", "dependentRequired", "anyOf", "oneOf", "contains")
)
"""Keywords that a bulletin breaks only as long as it is not filled in."""

MOST_FAULTS: Final = 100
"""That are listed of one file: who sees so many has another file in his hands than he thinks."""


class Checker:
    """Checks wishes of one type.

    Args:
        name: the type; sheet: the schema of its whole wish.
    """

    def __init__(self, name: str, sheet: Schema) -> None:
        import jsonschema_rs

        self._name, self._sheet = name, sheet
        self._validator = jsonschema_rs.Draft202012Validator(
            with_codes(sheet),
            validate_formats=True,
            pattern_options=jsonschema_rs.RegexOptions(),
            offline=True,
        )

    def text(self, pointer: str, value: Scalar, lang: str) -> str | None:
        """What is wrong with the characters of one answer, or None."""
        try:
            if isinstance(value, str):
                check_text(value, pointer)
        except InvalidInput as error:
            return self.sentence(Fault("text_forbidden", pointer), lang) or error.message
        return None

    def so_far(self, wish: dict[str, Any], answers: Answers) -> Fault | None:
        """What the latest answer has made wrong: nothing was before it."""
        for found in self.faults(wish):
            if found.rule not in UNFINISHED and is_about(found, answers):
                return found
        return None

    def sentence(self, fault: Fault, lang: str) -> str:
        """A fault in the officer's language."""
        return explain_fault(replace(fault, schema=self._name), lang, self._sheet)

    def faults(self, wish: dict[str, Any]) -> Iterator[Fault]:
        """Everything in which the schema finds fault, what is still missing too."""
        if not self._validator.is_valid(wish):
            yield from map(_fault, self._validator.iter_errors(wish))


def is_about(fault: Fault, answers: Answers) -> bool:
    """Whether a fault lies in what was answered, and not in what is still to be asked."""
    below = f"{fault.pointer}/"
    return fault.pointer in answers or any(given.startswith(below) for given in answers)


def faults_of(kind: BodyType, content: dict[str, Any]) -> list[Fault]:
    """Everything in which a type's schema finds fault with content, not only the first thing."""
    import jsonschema_rs

    validator = jsonschema_rs.Draft202012Validator(
        kind.bundle["schema"],
        validate_formats=True,
        pattern_options=jsonschema_rs.RegexOptions(),
        offline=True,
    )
    found = map(_fault, islice(validator.iter_errors(content), MOST_FAULTS))
    return [replace(fault, schema=kind.name) for fault in found]


def _fault(error: Any) -> Fault:
    """An error of the validator: its keyword, the place, the codes that would be right."""
    steps = [str(step) for step in error.instance_path]
    if error.kind.name == "required":
        steps.append(str(error.kind.property))
    elif error.kind.name == "additionalProperties":
        steps.append(str(error.kind.unexpected[0]))
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
    allowed = {"allowed": error.kind.value} if error.kind.name == "enum" else {}
    return Fault(error.kind.name, pointer, allowed)
