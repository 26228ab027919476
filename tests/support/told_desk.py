"""A desk without a line to which a node has told things, good or bad; nothing is judged here."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from saphan.desk.desk import Desk, number_name, open_desk
from saphan.desk.folder import DeskFolder
from saphan.desk.inbox import Opened
from saphan.desk.inviting import invite
from saphan.desk.kept import KeptDays
from saphan.desk.start import start_desk
from saphan.desk.store import Shelf
from saphan_schemas.codec import encode
from saphan_schemas.limits import DAY_MS
from saphan_schemas.samples import sample, schema_of

from support.bridge import CHEAP, KH, LA, SECRET, Bridge
from support.page_world import PageDesk

Json = dict[str, Any]
NOWHERE: Final = "127.0.0.1:9"
"""Nobody answers there."""


@dataclass(frozen=True, slots=True)
class Told:
    """A bulletin as a node tells it: its row in the list, and what a reading gives."""

    row: Json
    content: Json

    @property
    def id(self) -> str:
        found: str = self.row["id"]
        return found


def told(seq: int, kind: str, now: int | None = None, **row: Any) -> Told:
    """A sample from la.ospp that has been opened here; `row` replaces fields of its header."""
    at = now_ms() if now is None else now
    bulletin = hashlib.sha256(f"told {seq}".encode()).hexdigest()
    header = {
        "sender": LA, "recipients": [KH], "schema": schema_of(kind),
        "marking": {"tlp": "amber", "codes": []}, "urgency": "routine", "exercise": True,
        "created": at - 3_600_000, "expires": at + 30 * DAY_MS, "answer_by": None,
        "retain_until": at // DAY_MS + 400,
    } | {name: value for name, value in row.items() if name not in OF_ROW}  # fmt: skip
    content = {
        "id": bulletin, "header": header, "author": "khamla", "content": sample(kind),
        "attachments": [], "authors": [{"handle": "khamla"}], "languages": ["en", "lo", "km"],
    }  # fmt: skip
    shown = header | {
        "seq": seq, "id": bulletin, "author": "khamla", "received": at, "read": True,
        "recalled": None, "erased": None, "suppressed": False, "replaced_by": [],
    }  # fmt: skip
    return Told(shown | {name: row[name] for name in row if name in OF_ROW}, content)


OF_ROW: Final = frozenset({"author", "read", "recalled", "erased", "suppressed", "replaced_by"})


def told_desk(bridge: Bridge, folder: Path, bulletins: Iterable[Told]) -> PageDesk:
    """A desk of kh.gpo that keeps these, opened; its node is never there. Blocking."""
    desk, now = DeskFolder(folder), now_ms()
    invitation = invite(bridge.offices[KH], NOWHERE, now)
    start_desk(desk, invitation, SECRET, now=now, handle="dara", cost=CHEAP)
    with open_desk(desk, SECRET, now_ms) as opened, opened.store.transaction():
        newest = 0
        for one in bulletins:
            _keep(opened, one)
            newest = max(newest, one.row["seq"])
        opened.store.put(Shelf.STATE, b"next of the inbox", number_name(newest))
        opened.store.put(Shelf.STATE, b"heard", number_name(now))
    return PageDesk(KH, "dara", desk)


def _keep(desk: Desk, one: Told) -> None:
    name = bytes.fromhex(one.id)
    day = KeptDays(desk).day_of(name, one.row["retain_until"])
    kept = Opened(msgspec.json.encode(one.content), one.row["received"])
    desk.store.put(Shelf.INBOX, number_name(one.row["seq"]), msgspec.json.encode(one.row), day)
    desk.store.put(Shelf.OPENED, name, encode(kept), day)


def now_ms() -> int:
    """The clock on the wall, ms UTC."""
    return time.time_ns() // 1_000_000
