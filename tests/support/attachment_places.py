"""Attachments of one broker wherever they may lie, and processes that share them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from saphan_broker.blobs.base import Attachments
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import KIB, LIMITS
from saphan_schemas.records import Blob

A, B = "la.ospp", "kh.gpo"
ID = b"\xab" * 32
DATA = (bytes(range(251)) * 800, b"report" * 100)
BLOBS = tuple(Blob(len(data), sha256(data).digest()) for data in DATA)
PART = 64 * KIB


@dataclass
class Place:
    """Where attachments are, and processes (as many as are asked for) that have them."""

    make: Callable[[Callable[[], int], int], Attachments]
    ahead: int = 0
    made: list[Attachments] = field(default_factory=list)

    def clock(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead

    def process(self, most: int = LIMITS.staged_bytes) -> Attachments:
        self.made.append(self.make(self.clock, most))
        return self.made[-1]


async def bring(
    store: Attachments, data: bytes, blob: Blob | None = None, part: int = PART, agency: str = A
) -> int:
    """All of it, from what is held; gives how many bytes were brought."""
    blob = blob or Blob(len(data), sha256(data).digest())
    (held,) = await store.held(agency, (blob,))
    brought = 0
    while held < blob.length:
        piece = data[held : held + part]
        brought += len(piece)
        held = await store.append(agency, blob, held, piece)
    return brought


async def bring_all(store: Attachments) -> None:
    for data in DATA:
        await bring(store, data)


async def whole(store: Attachments, bulletin: bytes, place: int, length: int) -> bytes:
    found = b""
    while piece := await store.read(bulletin, place, len(found), PART):
        found += piece
        assert len(found) <= length
    return found


async def check_final(store: Attachments, bulletin: bytes = ID) -> None:
    for at, data in enumerate(DATA):
        assert await whole(store, bulletin, at, len(data)) == data


async def lost(store: Attachments, bulletin: bytes = ID) -> bool:
    try:
        await store.read(bulletin, 0, 0, 1)
    except OperatorError as error:
        return error.code == "blobs_unusable"
    return False
