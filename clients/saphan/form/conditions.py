"""What a schema wants or forbids because of other answers: `if`/`then` and `dependentRequired`."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from saphan_schemas.bundling import with_codes
from saphan_schemas.fields import Schema, overlaid


@dataclass(frozen=True, slots=True)
class Held:
    """What the conditions of one object say now.

    Args:
        branches: `then` or `else` of every condition that is decided.
    """

    node: Schema
    built: dict[str, Any]
    branches: list[Schema]

    @property
    def required(self) -> set[str]:
        """Properties that it needs."""
        found = set(self.node.get("required", ()))
        for name, others in self.node.get("dependentRequired", {}).items():
            if name in self.built:
                found.update(others)
        for branch in self.branches:
            found.update(branch.get("required", ()))
        return found

    def bars(self, name: str) -> bool:
        """Whether a property may not be there."""
        return any(
            branch.get("properties", {}).get(name) is False
            or name in branch.get("not", {}).get("required", ())
            for branch in self.branches
        )

    def narrowed(self, name: str) -> Schema:
        """What is said of a property besides its own schema."""
        found: Schema = {}
        for branch in self.branches:
            below = branch.get("properties", {}).get(name)
            if isinstance(below, dict):
                found = overlaid(found, below)
        return found


class Conditions:
    """The conditional parts of one type's schemas.

    Args:
        root: with the `$defs` that conditions may refer to.
    """

    def __init__(self, root: Schema) -> None:
        self._defs = root["$defs"]
        self._validators: dict[int, Any] = {}
        self._kept: list[Schema] = []

    def required(self, node: Schema, built: dict[str, Any], asked: Collection[str]) -> set[str]:
        """Properties that an object needs, as far as it is known by now.

        Args:
            built: what it has; asked: what was asked, whether it is there or was left out.
        """
        return self.held(node, built, asked).required

    def barred(
        self, node: Schema, name: str, built: dict[str, Any], asked: Collection[str]
    ) -> bool:
        """Whether a property may not be there, given what stands there already."""
        return self.held(node, built, asked).bars(name)

    def narrowed(
        self, node: Schema, name: str, built: dict[str, Any], asked: Collection[str]
    ) -> Schema:
        """What is said of a property besides its own schema, given what stands there already."""
        return self.held(node, built, asked).narrowed(name)

    def held(self, node: Schema, built: dict[str, Any], asked: Collection[str]) -> Held:
        """All that the conditions of an object say by now; arguments as of `required`."""
        return Held(node, built, list(self._branches(node, built, asked)))

    def _branches(
        self, node: Schema, built: dict[str, Any], asked: Collection[str]
    ) -> Iterator[Schema]:
        """`then` or `else` of every condition that can be decided now."""
        for part in (node, *node.get("allOf", ())):
            condition = part.get("if")
            if not isinstance(condition, dict):
                continue
            # An `if` about a property that nobody was asked for yet would hold of its absence.
            if not set(condition.get("properties", ())) <= set(asked):
                continue
            holds = self._validator(condition).is_valid(built)
            branch = part.get("then" if holds else "else")
            if isinstance(branch, dict):
                yield branch

    def _validator(self, condition: Schema) -> Any:
        import jsonschema_rs

        found = self._validators.get(id(condition))
        if found is None:
            self._kept.append(condition)  # as long as it is kept, no other has its id
            whole = {**with_codes(condition), "$defs": with_codes(self._defs)}
            found = jsonschema_rs.Draft202012Validator(whole, validate_formats=True, offline=True)
            self._validators[id(condition)] = found
        return found
