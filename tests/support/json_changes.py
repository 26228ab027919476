"""Changes that a vector's case makes to a JSON value."""

from __future__ import annotations

import copy
from typing import Any


def changed(value: Any, changes: list[list[Any]]) -> Any:
    """A copy with each change made: [pointer, value], or [pointer] to take the member away."""
    whole = copy.deepcopy(value)
    for at, *put in changes:
        *steps, last = at.split("/")[1:]
        box = whole
        for step in steps:
            box = box[int(step)] if isinstance(box, list) else box[step]
        key = int(last) if isinstance(box, list) else last
        if put:
            box[key] = put[0]
        else:
            del box[key]
    return whole
