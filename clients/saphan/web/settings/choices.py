"""What the officer chose for their page; sealed at the desk like everything else."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta
from saphan_schemas.limits import MINUTE_MS
from saphan_schemas.strict_json import parse_json

from saphan.desk.desk import Desk
from saphan.desk.store import Shelf

LOCK_MINUTES: Final = (1, 2, 5, 10, 15, 30, 60)
"""Times without a person after which a page may lock; there is no "never"."""
_NAME: Final = b"page choices"


class Choices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Language of the pages (None: none chosen yet), and minutes until they lock."""

    lang: Literal["en", "lo", "km"] | None = None
    lock_minutes: Annotated[int, Meta(ge=1, le=60)] = 10

    @property
    def lock_after_ms(self) -> int:
        return self.lock_minutes * MINUTE_MS


def read_choices(desk: Desk) -> Choices:
    """What was chosen; blocking. What an older program cannot read is chosen anew."""
    kept = desk.store.get(Shelf.STATE, _NAME)
    if kept is None:
        return Choices()
    try:
        return parse_json(Choices, kept)
    except ValueError:
        return Choices()


def keep_choices(desk: Desk, choices: Choices) -> None:
    """Keep them; blocking.

    Raises:
        OperatorError: `desk_disk_full`, `desk_store_damaged`.
    """
    desk.store.put(Shelf.STATE, _NAME, msgspec.json.encode(choices))
