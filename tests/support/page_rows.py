"""Rows of an inbox, kept at a desk as a node would have listed them."""

from __future__ import annotations

from typing import Any

import msgspec
from saphan.desk.desk import Desk, number_name
from saphan.desk.store import Shelf

from support.bare_desk import row

Json = dict[str, Any]


def keep_rows(desk: Desk, *rows: Json) -> None:
    """Put them there; blocking."""
    with desk.store.transaction():
        for one in rows:
            name, value = number_name(one["seq"]), msgspec.json.encode(one)
            desk.store.put(Shelf.INBOX, name, value, one["retain_until"])


def rows_of(count: int, **fields: Any) -> list[Json]:
    """So many, of different types and senders, the newest last."""
    types = ("saphan/case_statistics/1", "saphan/drug_seizure/1", "saphan/info_request/1")
    return [
        row(
            seq,
            schema=types[seq % len(types)],
            sender=("la.ospp", "vn.vks")[seq % 2],
            urgency=("routine", "routine", "priority", "immediate")[seq % 4],
            exercise=seq % 10 == 0,
            received=1_790_000_000_000 + seq * 60_000,
            **fields,
        )
        for seq in range(1, count + 1)
    ]
