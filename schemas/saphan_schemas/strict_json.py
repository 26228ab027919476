"""JSON files that people carry, read in one way only: no member twice, no unknown member."""

from __future__ import annotations

import json
from typing import TypeVar

from saphan_schemas.decoders import json_decoder

T = TypeVar("T")


def parse_json(kind: type[T], data: bytes) -> T:
    """Parse JSON into a struct that forbids unknown fields.

    A member that stands twice is refused: two readers could take two different ones.

    Args:
        data: already bounded by the caller.

    Raises:
        ValueError: whatever is wrong; its text may quote the data.
    """
    try:
        # As text: from bytes `json` would guess UTF-16 and UTF-32 too, and complain of those.
        text = data.decode("utf-8")
        # The type before the names: what fits no type is never built as plain objects, which are
        # thirty times as long as it.
        found = json_decoder(kind).decode(data)
        json.loads(text, object_pairs_hook=_check_names)
        return found
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _check_names(pairs: list[tuple[str, object]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("a name stands twice in one object")
