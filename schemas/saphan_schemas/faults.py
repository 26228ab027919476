"""What exactly is wrong with a content: for whoever says it in the officer's own language."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """The cause of a refusal.

    Args:
        rule: a JSON Schema keyword, a kind of rule, or the error's code.
        pointer: JSON pointer of the offending or missing value.
        expected: what would be right, such as {"allowed": [...]} or {"sum": "6434"}; never the
            offending value, which may be a name.
        schema: the type whose content it is, where that is known.
        place: pointer of the place at which a rule was broken; its relative paths lead from there.
    """

    rule: str
    pointer: str
    expected: dict[str, Any] = field(default_factory=dict)
    schema: str = ""
    place: str = ""
