"""Where a finished bulletin is: 8 bytes of its id, and of its nonce, lead to a pack's number.

x:<bucket>              hash   8 bytes -> number of a pack
packs:<number / 128>    hash   number -> due day (4 bytes), digest that names the pack (16)
archive                 hash   blocks, tiles/<level>, box/<agency>: how far each was moved;
                               packs, slots, buckets: how many there are
boxes:<agency>          zset   <first>-<last>, by last: archived stretches of a mailbox
objects                 string there is a store of objects, which all processes have to name

A log has those that it needs. Keyed hashes of an id and of a nonce, 8 bytes each, are its slots.
Both lie in the same buckets, of which there is one more for each 128 slots (linear hashing, in
`lua/archive_slots.lua`): Redis keeps such a small hash as one listpack, some 15 bytes a slot.
Of two that agree in 8 bytes the second one stays in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from saphan_broker.store.redis.keys import Keys

SLOT_BYTES: Final = 8
PACKS_IN_ONE: Final = 128
"""Packs in one hash, as in `lua/archive_finish.lua`."""


class Pack(NamedTuple):
    """A facts pack: its number, the day on which its bodies are due, what names its object."""

    number: int
    due_day: int
    digest: bytes


class Slots:
    """The slots of one store, which nobody outside it can choose to be alike.

    Args:
        store: random id of the store, the key of the hash.
    """

    def __init__(self, store: bytes) -> None:
        self._store: Final = store

    def of_id(self, id_: bytes) -> bytes:
        """Of a bulletin id."""
        return self._slot(b"id", id_)

    def of_nonce(self, sender: str, nonce: bytes) -> bytes:
        """Of a sender's nonce, which the sender chose."""
        return self._slot(b"nonce", sender.encode() + b"\0" + nonce)

    def _slot(self, kind: bytes, what: bytes) -> bytes:
        return blake2b(what, digest_size=SLOT_BYTES, key=self._store, person=kind).digest()


def moved(keys: Keys) -> bytes:
    """Key of the hash that counts what was moved."""
    return keys.prefix + b"archive"


def packs(keys: Keys, number: int) -> bytes:
    """Key of the hash that says where a pack is."""
    return b"%spacks:%d" % (keys.prefix, number // PACKS_IN_ONE)


def boxes(keys: Keys, agency: str) -> bytes:
    """Key of the sorted set of an agency's archived stretches, by their last index."""
    return b"%sboxes:%s" % (keys.prefix, agency.encode())


def meta(due_day: int, digest: bytes) -> bytes:
    """What `packs` says of one."""
    return due_day.to_bytes(4) + digest


def places(found: Sequence[Any]) -> dict[int, Pack]:
    """What `scripts.FIND` gave: place of a slot among those asked for -> pack."""
    rows = zip(found[::3], found[1::3], found[2::3], strict=True)
    return {at: Pack(int(pack), int.from_bytes(of[:4]), of[4:]) for at, pack, of in rows}
