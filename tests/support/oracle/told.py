"""What record packs tell of one evidence log: its entries, and the life of every delivery.

Read by rules of its own and not by the product's tables: what both get wrong in the same way
would be found by nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec
from saphan_protocol.evidence import MAX_ENTRY_BYTES
from saphan_schemas.codec import decode
from saphan_schemas.packs import PackEntry, PackItem, PackNote
from saphan_schemas.records import Entry

OUTCOMES: Final = frozenset({"accepted", "rejected", "expired"})
"""What ends a delivery wherever it stands; a recall does so only before the key is released."""


class Told(NamedTuple):
    """One entry: its corridor, its number in it, and what it says about which bulletin."""

    sender: str
    recipient: str
    number: int
    event: str
    bulletin: str


@dataclass
class Story:
    """What the packs of one log tell together.

    Attributes:
        entries: by leaf.
        notes: heads that the packs show.
    """

    entries: dict[int, Told] = field(default_factory=dict)
    notes: list[bytes] = field(default_factory=list)

    def read(self, items: Iterable[PackItem]) -> None:
        """Take one pack in."""
        for item in items:
            if isinstance(item, PackNote):
                self.notes.append(item.note)
            elif isinstance(item, PackEntry):
                self.entries[item.index] = _told(item)

    def gaps(self) -> list[str]:
        """Corridors of which a number is missing, or there twice."""
        numbers: dict[tuple[str, str], list[int]] = defaultdict(list)
        for one in self.entries.values():
            numbers[one.sender, one.recipient].append(one.number)
        return [
            f"{sender} to {recipient} has the numbers {sorted(found)}"
            for (sender, recipient), found in sorted(numbers.items())
            if sorted(found) != list(range(1, len(found) + 1))
        ]

    def lives(self) -> dict[tuple[str, str], list[str]]:
        """Events of every (bulletin, recipient), in the order of the log."""
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        for _, one in sorted(self.entries.items()):
            if one.sender != one.recipient:  # what concerns one agency alone is no delivery
                found[one.bulletin, one.recipient].append(one.event)
        return found


def outcomes(events: list[str]) -> list[str]:
    """Terminal outcomes among a delivery's events."""
    found: list[str] = []
    released = False
    for event in events:
        if event == "handover":
            released = True
        elif event == "unopened":
            released = False
        if event in OUTCOMES or (event == "recalled" and not released and not found):
            found.append(event)
    return found


def _told(item: PackEntry) -> Told:
    entry = decode(Entry, item.entry, MAX_ENTRY_BYTES, "entry")
    # Consignments and statements both begin with the bulletin's id.
    bulletin: bytes = msgspec.msgpack.decode(item.statement)[0]
    event = entry.type.split("/")[1]
    return Told(entry.sender, entry.recipient, entry.number, event, bulletin.hex())
