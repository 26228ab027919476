"""What a holder has told this agency about an erasure, for people and programs."""

from __future__ import annotations

from typing import Any

import msgspec
from saphan_schemas.records import ErasureDetail


def known_json(text: str | None) -> dict[str, Any] | None:
    """Exports by kind and desks that it knew of; None: it cannot be opened, or is no such text."""
    if text is None:
        return None
    try:
        found = msgspec.json.decode(text, type=ErasureDetail)
    except (msgspec.DecodeError, RecursionError):
        return None
    exports = {one.kind: one.count for one in found.exports}
    return {"exports": exports, "desks": {"erased": found.confirmed, "waiting": found.waiting}}
