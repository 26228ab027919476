"""Rules run over content: one walk that goes only where content is, and an exact second look.

The rules of a type meet in one tree of their paths. The walk enters a branch only if content has
it, so absent fields cost nothing, and it says only whether every rule holds. If one does not, the
rules are run one by one, in their order, to name the first: what both ends agree on.
"""

from __future__ import annotations

from typing import Any

from saphan_schemas.errors import InvalidInput
from saphan_schemas.faults import Fault
from saphan_schemas.rules.checks import Check, Rule
from saphan_schemas.rules.compiling import Compiled, compile_rule
from saphan_schemas.rules.paths import Root, places, pointer_at


class _Branch:
    """Checks at one path, and the paths that go on from there."""

    __slots__ = ("checks", "items", "steps")

    def __init__(self) -> None:
        self.checks: list[Check] = []
        self.steps: dict[str, _Branch] = {}
        self.items: _Branch | None = None

    def grown(self, each: str) -> _Branch:
        """The branch at a path below this one, made where it is new."""
        branch = self
        for step in each.split("/")[1:]:
            if step == "*":
                branch.items = branch.items or _Branch()
                branch = branch.items
            else:
                branch = branch.steps.setdefault(step, _Branch())
        return branch


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
        self._top = _Branch()
        for rule in self._rules:
            self._top.grown(rule.each).checks.append(rule.check)

    def check(self, root: Root) -> None:
        """Run every rule over schema-valid content.

        Args:
            root: the content map and, under `header`, the header's facts.

        Raises:
            InvalidInput: `rule_broken`, with the pointer of the offending value and its `fault`.
        """
        if not _holds(self._top, root, root):
            raise self._first_broken(root)

    def _first_broken(self, root: Root) -> InvalidInput:
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
                        fault=Fault(rule.name, pointer, broken.expected),
                    )
        raise RuntimeError("the walk found a broken rule that no rule owns to")


def _holds(branch: _Branch, value: Any, root: Root) -> bool:
    for check in branch.checks:
        if check(value, root) is not None:
            return False
    if type(value) is dict:
        for step, inner in branch.steps.items():
            if step in value and not _holds(inner, value[step], root):
                return False
    elif branch.items is not None and type(value) is list:
        for item in value:
            if not _holds(branch.items, item, root):
                return False
    return True
