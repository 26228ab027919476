"""What an officer of kh.gpo writes in tests, and what their node has of it."""

from __future__ import annotations

import json
from typing import Any

from saphan.desk.drafts import Written

from support.bridge import KH, wish
from support.desks import DeskBridge


def letter(to: str, **fields: Any) -> Written:
    """A bulletin as an officer writes it down."""
    one = wish(name="drug_seizure")
    value = {"schema": one.schema, "about": one.about, "body": one.body, "exercise": True}
    return Written(json.dumps(value | fields, ensure_ascii=False).encode(), (to,))


def kept_here(world: DeskBridge) -> list[bytes]:
    """What kh.gpo's node has taken from its own officers."""
    rows = world.kh.db.rows("SELECT id FROM bulletins WHERE sender = ? ORDER BY seq", (KH,))
    return [bulletin for (bulletin,) in rows]
