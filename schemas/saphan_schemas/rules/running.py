"""Rules run over content: one walk that goes only where content is, and an exact second look.

The walk (`tree.py`) says only whether every rule holds. If one does not, the rules are run one by
one, in their order, to name the first: what both ends agree on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from saphan_schemas.errors import InvalidInput
from saphan_schemas.faults import Fault
from saphan_schemas.rules.checks import Rule
from saphan_schemas.rules.compiling import Compiled, compile_rule
from saphan_schemas.rules.paths import Root, places, pointer_at
from saphan_schemas.rules.tree import plant

_HEADER: Final = "header"


class RuleSet:
    """The rules of one type, compiled.

    Args:
        rules: the `rules` of a bundle.

    Raises:
        InvalidInput: `rule_malformed`.
    """

    def __init__(self, rules: list[Rule]) -> None:
        self._rules: list[Compiled] = [
            compile_rule(rule, number) for number, rule in enumerate(rules)
        ]
        self._walk = plant(self._rules)
        self.header_facts: frozenset[str] = frozenset(_named(rules))
        """Names that stand behind `/header/` in paths of these rules; "" if all are looked at."""

    def check(self, root: Root) -> None:
        """Run every rule over schema-valid content.

        Args:
            root: the content map and, under `header`, the header's facts.

        Raises:
            InvalidInput: `rule_broken`, with the pointer of the offending value and its `fault`.
        """
        if not self.hold(root):
            error = self.first_broken(root)
            if error is not None:
                raise error

    def hold(self, root: Root) -> bool:
        """Whether the one walk finds every rule to hold."""
        return self._walk(root, root)

    def first_broken(self, root: Root) -> InvalidInput | None:
        """The error of the first rule that does not hold, the rules taken one by one."""
        for rule in self._rules:
            for place, value in places(root, rule.each):
                broken = rule.check(value, root)
                if broken is not None:
                    pointer = pointer_at(place, broken.path)
                    return InvalidInput(
                        "rule_broken",
                        f"{pointer} {broken.says}",
                        field=pointer,
                        hint="correct the value and sign again; the schema alone cannot see this",
                        fault=Fault(rule.name, pointer, broken.expected, place=place),
                    )
        return None


def _named(rules: list[Rule]) -> Iterator[str]:
    for rule in rules:
        for value in rule.values():
            for path in value if isinstance(value, list) else (value,):
                if isinstance(path, str):
                    first, _, fact = path.removeprefix("/").partition("/")
                    if first == _HEADER:
                        yield fact.split("/")[0]
