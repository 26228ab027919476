"""Open requests, as a node tells them to a desk."""

from __future__ import annotations

from typing import Any

import msgspec
from saphan.desk.desk import Desk
from saphan.desk.owed import OpenRequest
from saphan.desk.store import Shelf

from support.bare_desk import row
from support.bridge import KH, LA

Json = dict[str, Any]
HOUR_MS = 3_600_000
SINCE = 1_790_000_000_000


def owed_by(replier: str, until: int | None, **fields: object) -> Json:
    """How one of those who were asked stands."""
    return {
        "replier": replier, "delivery": "accepted", "what": "reply", "since": SINCE,
        "state": "waiting", "accepted": SINCE, "read": None, "due": until, "until": until,
        "expected": None, "reason": None, "transferred_to": None, "late": False,
        "questions": [{"no": "1", "state": "waiting", "reply": None, "at": None}], "replies": [],
        "clock": {"count": 8, "unit": "hours", "lengthened": False, "zone": "Asia/Phnom_Penh",
                  "zone_known": True, "holiday_file_missing": False},
        **fields,
    }  # fmt: skip


def open_request(seq: int, *owed: Json, **fields: object) -> Json:
    """A request that kh.gpo was sent, unless `direction` says otherwise."""
    made = row(seq, schema="saphan/info_request/1", **fields)
    shown = ("sender", "recipients", "schema", "marking", "urgency", "exercise", "created",
             "expires", "answer_by", "retain_until")  # fmt: skip
    direction = "received" if made["sender"] == LA else "sent"
    return {
        "seq": seq,
        "id": made["id"],
        "direction": direction,
        "author": made["author"],
        "header": {name: made[name] for name in shown},
        "owed": list(owed) or [owed_by(KH, SINCE + HOUR_MS)],
    }


def keep_open(desk: Desk, *requests: Json) -> None:
    """Put them where `OwedHere` keeps them; blocking."""
    with desk.store.transaction():
        for one in requests:
            value = msgspec.json.encode(msgspec.convert(one, OpenRequest))
            name, day = bytes.fromhex(one["id"]), one["header"]["retain_until"]
            desk.store.put(Shelf.OWED, name, value, day)
