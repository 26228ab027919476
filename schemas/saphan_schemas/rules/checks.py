"""What a kind of rule is made of: its parameters, and the function that looks at one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from saphan_schemas.rules.paths import Root

Rule: TypeAlias = "dict[str, Any]"


class Broken(NamedTuple):
    """A rule that does not hold.

    Args:
        path: of the offending value, as seen from the place (absolute if it begins with `/`).
        says: what is wrong there, in English, without the value itself.
        expected: what would be right, for a message in the reader's language.
    """

    path: str
    says: str
    expected: dict[str, Any]


Check = Callable[[Any, Root], Broken | None]
"""(place, root) -> None where the rule holds. It meets only content, so it never raises."""

PATH: Final = "path"
PATHS: Final = "paths"
WORD: Final = "word"
WORDS: Final = "words"
TEXTS: Final = "texts"
COUNT: Final = "count"
PLACES: Final = "decimals"
TABLE: Final = "table"
TEXTS_BY: Final = "texts_by"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of rule.

    Args:
        make: compiles a rule whose parameters are known to be well-formed.
        needs, takes: parameters that must and that may stand in it, each with its form.
        waits: the parameter whose path must lead to a value, or the rule holds; "" if none.
    """

    make: Callable[[Rule], Check]
    needs: dict[str, str]
    takes: dict[str, str]
    waits: str = ""


COMMON: Final[dict[str, str]] = {"each": PATH, "when": PATH, "is": WORDS}
"""Parameters of every kind: where it looks, and at which of these places it applies."""
