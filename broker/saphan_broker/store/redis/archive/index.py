"""Where a finished bulletin is: 10 bytes of its id, and of its nonce, lead to a pack's number.

x:<2 bytes>      hash   8 bytes -> number of a pack; small enough to be a listpack, 13 bytes a field
packs:<number / 128>    hash  number -> due day (4 bytes), digest that names the pack (16)
archive          hash   blocks, tiles/<level>: how many were moved; packs: how many there are

Of both logs; only the evidence log has `x` and `packs`. The first 10 bytes of an id and of the hash
of a nonce share the buckets: 65,536 of them, so that at 16 million finished bulletins a bucket has
512 fields, the most that Redis keeps in a listpack by itself (`hash-max-listpack-entries`).
Somebody may make two ids that agree in 10 bytes (2**40 tries): the second one then stays in memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from saphan_broker.store.redis.keys import Keys

SLOT_BYTES: Final = 10
BUCKET_BYTES: Final = 2
PACKS_PER_HASH: Final = 128


class Pack(NamedTuple):
    """A facts pack: its number, the day on which its bodies are due, what names its object."""

    number: int
    due_day: int
    digest: bytes


def id_slot(id_: bytes) -> bytes:
    """Bucket and field of a bulletin id, which is a hash already."""
    return id_[:SLOT_BYTES]


def nonce_slot(sender: str, nonce: bytes) -> bytes:
    """Bucket and field of a sender's nonce, which its sender chose."""
    return hashlib.sha256(sender.encode() + b"\0" + nonce).digest()[:SLOT_BYTES]


def bucket(keys: Keys, slot: bytes) -> bytes:
    """Key of the hash that a slot lies in."""
    return keys.prefix + b"x:" + slot[:BUCKET_BYTES]


def packs(keys: Keys, number: int) -> bytes:
    """Key of the hash that names a pack."""
    return b"%spacks:%d" % (keys.prefix, number // PACKS_PER_HASH)


def moved(keys: Keys) -> bytes:
    """Key of the hash that counts what was moved."""
    return keys.prefix + b"archive"


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
