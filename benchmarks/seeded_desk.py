"""A desk that has listed and opened thousands of bulletins, through the store it works on."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from saphan.desk.desk import Desk, number_name, open_desk
from saphan.desk.folder import DeskFolder
from saphan.desk.inbox import Opened
from saphan.desk.inviting import invite
from saphan.desk.keeping import sweep
from saphan.desk.kept import KeptDays
from saphan.desk.searchable import of_opened
from saphan.desk.start import start_desk
from saphan.desk.store import Shelf
from saphan.keys.keyfiles import DEFAULT_COST
from saphan.node.config import system_clock
from saphan_schemas.codec import encode
from saphan_schemas.limits import DAY_MS
from saphan_schemas.samples import SAMPLES, sample, schema_of

from benchmarks.world import RECIPIENT, SECRET, SENDER, World

Json = dict[str, Any]
NOWHERE: Final = "127.0.0.1:9"
"""The node of this desk does not answer: what is measured is the desk alone."""
DAYS: Final = 600
"""Bulletins are to go on so many different days, each with a key file of its own."""
HOUR_MS: Final = 3_600_000
PLACES: Final = ("ວຽງຈັນ", "ປາກເຊ", "ສະຫວັນນະເຂດ", "ភ្នំពេញ", "បាត់ដំបង", "ស្ទឹងត្រែង", "Khong", "Poipet")
PEOPLE: Final = ("Somsak", "Bounmy", "Khamla", "Sokha", "Dara", "Chantha", "Vanna", "Phoumi")
KINDS: Final = tuple(name for name in SAMPLES if not name.endswith("_large"))


def seed(world: World, folder: Path, count: int) -> DeskFolder:
    """A new desk with so many opened bulletins; its passphrase is `SECRET`, at the usual cost."""
    desk, now = DeskFolder(folder), system_clock()
    invitation = invite(world.office(RECIPIENT), NOWHERE, now)
    start_desk(desk, invitation, SECRET, now=now, handle="dara", cost=DEFAULT_COST)
    with open_desk(desk, SECRET, system_clock) as opened:
        sweep(opened)  # as at its first day: else the next one takes it for an older release's desk
        # In parts: a transaction of years would hold its journal in memory.
        made = list(bulletins(count, now))
        for at in range(0, count, 1_000):
            with opened.store.transaction():
                for row, content in made[at : at + 1_000]:
                    _keep(opened, row, content)
        opened.store.put(Shelf.STATE, b"next of the inbox", number_name(count))
        opened.store.put(Shelf.STATE, b"heard", number_name(now))
    return desk


def bulletins(count: int, now: int) -> Iterator[tuple[Json, Json]]:
    """(row of the list, content) of different bulletins, the same at every run."""
    chance = random.Random(9)
    for seq in range(1, count + 1):
        kind = KINDS[seq % len(KINDS)]
        yield _bulletin(seq, kind, now - (count - seq) * HOUR_MS // 2, chance, now)


def _bulletin(
    seq: int, kind: str, created: int, chance: random.Random, now: int
) -> tuple[Json, Json]:
    bulletin = hashlib.sha256(f"bulletin {seq}".encode()).hexdigest()
    header = {
        "sender": SENDER,
        "recipients": [RECIPIENT],
        "schema": schema_of(kind),
        "marking": {"tlp": "amber", "codes": []},
        "urgency": chance.choice(("routine", "routine", "routine", "priority", "immediate")),
        "exercise": True,
        "created": created,
        "expires": created + 30 * DAY_MS,
        "answer_by": created + 3 * DAY_MS if seq % 7 == 0 else None,
        "retain_until": now // DAY_MS + 60 + seq % DAYS,
    }
    row = header | {
        "seq": seq, "id": bulletin, "author": "khamla", "received": created + 60_000, "read": True,
        "recalled": None, "erased": None, "suppressed": False, "replaced_by": [],
    }  # fmt: skip
    content = {
        "id": bulletin,
        "header": header,
        "author": "khamla",
        "content": _told(sample(kind), seq, chance),
        "attachments": [],
        "authors": [{"handle": "khamla"}],
        "languages": ["en", "lo", "km"],
    }
    return row, content


def _told(content: Json, seq: int, chance: random.Random) -> Json:
    """The sample with words of its own, so that a search tells one from another."""
    place, person = chance.choice(PLACES), chance.choice(PEOPLE)
    about = content["about"]
    about["reference"] = f"LA-OSPP-2026-BM-{seq:05d}"
    for lang, text in about["title"].items():
        about["title"][lang] = f"{text} {place} {person} {seq:05d}"
    copied: Json = json.loads(json.dumps(content))
    return copied


def _keep(desk: Desk, row: Json, content: Json) -> None:
    """As a page of the list, and a reading, are kept."""
    name = bytes.fromhex(row["id"])
    day = KeptDays(desk).day_of(name, row["retain_until"])
    desk.store.put(Shelf.INBOX, number_name(row["seq"]), msgspec.json.encode(row), day)
    kept = Opened(msgspec.json.encode(content), row["received"])
    desk.store.put(Shelf.OPENED, name, encode(kept), day)
    desk.store.put(Shelf.SEARCH, name, encode(of_opened(content)), day)
