"""A finished bulletin on its way into a pack: what the server has, over what the archive has of it.

What is destroyed goes into no pack: a stanza with an empty field over it, and everything that opens
or is a bulletin's text once no delivery needs it.
"""

from __future__ import annotations

from typing import NamedTuple

from saphan_broker.store.base import DeliveryRow
from saphan_broker.store.redis import packing
from saphan_broker.store.redis.archive import index
from saphan_broker.store.redis.archive.formats import NO_DAY, BodyRef, Fields, Finished, pack_name
from saphan_broker.store.redis.before import place

Archived = tuple[index.Pack, Finished]


class Read(NamedTuple):
    """A finished bulletin as the server has it, and what the archive has of it from before."""

    id: bytes
    fields: dict[bytes, bytes]
    before: Archived | None
    body: Fields | None
    """To be written; None: there is none, or it stays where it is."""
    forgotten: int = 0
    """Entries of the log; what was first said in one of them was never said."""

    @property
    def facts(self) -> dict[bytes, bytes]:
        """Fields without the body; an archived statement's index stays, it was the first."""
        facts = {name: value for name, value in self.fields.items() if not is_body(name)}
        if self.before is not None:
            archived = self.before[1].fields
            first = {
                name: value
                for name, value in archived.items()
                if name[:1] == b"s" and int(value) >= self.forgotten
            }
            facts = {**archived, **facts, **first}
        if self.is_bodiless:
            facts.pop(packing.OBJECT, None)
        return facts

    @property
    def is_bodiless(self) -> bool:
        """Whether its ciphertext is destroyed, and every stanza."""
        return packing.BODILESS in self.fields or (
            self.before is not None and packing.BODILESS in self.before[1].fields
        )

    @property
    def label(self) -> int:
        """The day that its pack is for: its due-day, or the last one a hold has wrapped it under.

        As it is now: what was only refused may have been admitted since it was chosen.
        """
        return label_of(self.id, self.facts)

    @property
    def is_open(self) -> bool:
        """Whether a deadline is waited for."""
        return int(self.fields.get(packing.WAITING, 0)) > 0

    @property
    def size(self) -> int:
        """Bytes that it adds to its pack."""
        items = [*self.facts.items(), *(self.body or {}).items()]
        return sum(len(name) + len(value) for name, value in items)

    @property
    def body_before(self) -> str:
        """Name of the object that its archived body is in; empty: there is none."""
        return "" if self.before is None else object_of(*self.before)

    @property
    def object_gone(self) -> str:
        """Name of the object of its destroyed ciphertext, which the archive named until now."""
        if not self.is_bodiless or self.before is None:
            return ""
        return self.before[1].fields.get(packing.OBJECT, b"").decode()

    @property
    def destroyable(self) -> list[DeliveryRow]:
        """Deliveries that nothing keeps."""
        rows = [
            packing.read_delivery(self.id, name[1:].decode(), value)
            for name, value in self.facts.items()
            if name[:1] == b"d"
        ]
        return [row for row in rows if place(row) == "free"]

    def finished(self, body: BodyRef | None) -> Finished:
        """Its place in a facts pack, `body` being what was written for it."""
        if body is None and self.before is not None and not self.is_bodiless:
            body = self.before[1].body
        facts = self.facts
        if packing.FACTS not in facts:
            return Finished(self.id, "", b"", facts, None)
        of = packing.read_facts(self.id, facts[packing.FACTS])
        return Finished(self.id, of.sender, of.nonce, facts, body)


def is_body(field: bytes) -> bool:
    """Whether a field of a bulletin is read with its ciphertext only."""
    return field == packing.CIPHERTEXT or field[:1] == b"z"


def label_of(id_: bytes, facts: Fields) -> int:
    """The day that names the folder of a bulletin's pack."""
    packed = facts.get(packing.FACTS)
    if packed is None:
        return NO_DAY
    wrapped = (int(value) for name, value in facts.items() if name[:1] == b"y")
    return max([packing.read_facts(id_, packed).due_day, *wrapped])


def object_of(pack: index.Pack, row: Finished) -> str:
    """Name of the object that holds a bulletin's body; empty: there is none."""
    return "" if row.body is None else pack_name(pack.due_day, row.body.pack)
