"""Folding again what is kept here: of what was opened or queued before there was a folding, and of
what an older release folded in another way."""

from __future__ import annotations

from typing import Final

from saphan_schemas.codec import decode, encode
from saphan_schemas.strict_json import parse_json

from saphan.desk.desk import Desk
from saphan.desk.inbox import Opened
from saphan.desk.kept import KeptDays
from saphan.desk.outbox import Queued, of_queued
from saphan.desk.searchable import of_opened
from saphan.desk.store import ROW_BYTES, Shelf

SOURCES: Final = (Shelf.OPENED, Shelf.OUTBOX)
"""Shelves whose rows have one on the shelf of what is searched in, of the same name."""


def index_again(desk: Desk, shelf: Shelf, place: bytes) -> bool:
    """Fold the row at a place of a source; whether there is one. Inside a transaction.

    Raises:
        OperatorError: the disk, `desk_store_damaged`.
    """
    row = desk.store.at(shelf, place)
    if row is None:
        return False
    name, value = row
    days = KeptDays(desk)
    if shelf is Shelf.OPENED:
        found = parse_json(dict, decode(Opened, value, ROW_BYTES, "opened").value)
        made, day = of_opened(found), days.day_of(name, found["header"]["retain_until"])
    else:
        one = decode(Queued, value, ROW_BYTES, "queued")
        made, day = of_queued(one), one.shown.retain_until
        if one.bulletin is not None:
            day = days.day_of(one.bulletin, day)
    desk.store.put(Shelf.SEARCH, name, encode(made), day)
    return True
