"""Paths of rules: to places in content, and from a place to the values that a rule compares.

A path that begins with `/` leads from the top: from content's own keys, or `/header/...` for the
header's facts. Any other path leads from the place at which the rule stands; the empty one is that
place. `*` stands for every item of an array. A path that leads nowhere gives None, which content
never holds where a schema of ours has a field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

Root: TypeAlias = "dict[str, Any]"
"""The content map with one more key, `header`."""
Getter = Callable[[Any, Root], Any]


def getter(path: str) -> Getter:
    """A function (place, root) -> the value at a path without `*`, or None."""
    if path.startswith("/"):
        return _from_root(tuple(path.split("/")[1:]))
    if not path:
        return lambda place, _: place
    steps = tuple(path.split("/"))
    if len(steps) == 1:
        return _one_step(steps[0])
    return _steps(steps)


def _one_step(step: str) -> Getter:
    def get(place: Any, _: Root) -> Any:
        return place.get(step) if type(place) is dict else None

    return get


def _steps(steps: tuple[str, ...]) -> Getter:
    def get(place: Any, _: Root) -> Any:
        for step in steps:
            if type(place) is not dict:
                return None
            place = place.get(step)
        return place

    return get


def _from_root(steps: tuple[str, ...]) -> Getter:
    inner = _steps(steps)
    return lambda _, root: inner(root, root)


def finder(path: str) -> Callable[[Any, Root], list[Any]]:
    """A function (place, root) -> every value that a path with `*` leads to."""
    absolute = path.startswith("/")
    steps = tuple(path.removeprefix("/").split("/")) if path else ()

    def find(place: Any, root: Root) -> list[Any]:
        found = [root if absolute else place]
        for step in steps:
            if step == "*":
                found = [item for value in found if type(value) is list for item in value]
            else:
                found = [one[step] for one in found if type(one) is dict and step in one]
        return found

    return find


def places(root: Root, each: str) -> Iterator[tuple[str, Any]]:
    """Every place of a rule in document order: its JSON pointer, and the value there."""
    steps = tuple(each.split("/")[1:])
    for taken, value in _found(root, steps, ()):
        if value is not None:
            yield "".join(f"/{step}" for step in taken), value


def _found(
    value: Any, steps: tuple[str, ...], taken: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for number, step in enumerate(steps):
        if step == "*":
            if type(value) is list:
                for index, item in enumerate(value):
                    yield from _found(item, steps[number + 1 :], (*taken, str(index)))
            return
        if type(value) is not dict or step not in value:
            return
        value = value[step]
        taken = (*taken, step)
    yield taken, value


def pointer_at(place: str, path: str) -> str:
    """The JSON pointer of a path as seen from a place."""
    if path.startswith("/"):
        return path
    return f"{place}/{path}" if path else place
