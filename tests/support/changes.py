"""A sample with something changed in it, said by path: what tests of types are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from saphan_schemas.samples import sample

Content = dict[str, Any]
Change = Callable[[Content], object]


def at(content: Any, path: str) -> Any:
    """The value at a path such as "body/items/0"."""
    for step in path.split("/") if path else ():
        content = content[int(step) if step.isdecimal() else step]
    return content


def put(path: str, value: Any) -> Change:
    """A change that sets the value at a path."""
    above, _, last = path.rpartition("/")

    def change(content: Content) -> None:
        place = at(content, above)
        place[int(last) if last.isdecimal() else last] = value

    return change


def drop(*paths: str) -> Change:
    """A change that takes values away."""

    def change(content: Content) -> None:
        for path in paths:
            above, _, last = path.rpartition("/")
            del at(content, above)[last]

    return change


def both(*changes: Change) -> Change:
    """Several changes, one after the other."""

    def change(content: Content) -> None:
        for one in changes:
            one(content)

    return change


def changed(name: str, change: Change) -> Content:
    """A sample after a change."""
    content = sample(name)
    change(content)
    return content
