"""The attachments of one store's bulletins, from one store of objects to another, digest checked.

What is destroyed is not brought. What is there with its whole length is not brought again: an
object has its name only when it is whole and durable. What the source has lost, or has as other
bytes, is left out and told: one unreadable file must not keep everything else from being moved or
kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from typing import Final

from saphan_schemas.limits import MIB
from saphan_schemas.records import Blob

from saphan_broker.blobs.base import plain_name
from saphan_broker.blobs.object_finals import find
from saphan_broker.moving.copying import BLOCK, Progress
from saphan_broker.moving.holding import is_destroyed
from saphan_broker.moving.house import House
from saphan_broker.moving.outliving import FAR, HELD
from saphan_broker.objects.base import Objects
from saphan_broker.store.base import Store

READ_BYTES: Final = MIB
TOLD: Final = 16
"""Lost attachments that are named; the rest is counted."""


@dataclass(slots=True)
class Brought:
    """What came of it: attachments that are in the target now, and those that nobody has."""

    there: int = 0
    bytes: int = 0
    lost: int = 0
    named: list[str] = field(default_factory=list)
    """The first lost ones, as BULLETIN/PLACE."""

    def lose(self, name: str) -> None:
        """Count one that the source does not have."""
        self.lost += 1
        if len(self.named) < TOLD:
            self.named.append(name)


class _OtherBytesError(Exception):
    """The source has none, or other bytes than those of the digest; never leaves this module."""


async def copy_attachments(store: Store, old: House, new: House, progress: Progress) -> Brought:
    """Bring every attachment that a bulletin of `store` names from `old` to `new`.

    Args:
        old, new: a folder that is a backup is a house too: one on SQLite.

    Raises:
        OperatorError: `blobs_unusable`; Unavailable: `blobs_unreachable`.
    """
    async with old.objects() as source, new.objects() as target:
        return await _bring_all(store, source, target, progress)


async def _bring_all(store: Store, source: Objects, target: Objects, progress: Progress) -> Brought:
    brought = Brought()
    size = (await store.state("evidence")).head.size
    late = {row.bulletin for row in await store.stanzas_due(FAR, HELD)}
    for start in range(0, size, BLOCK):
        stop = min(size, start + BLOCK)
        rows = await store.entries(start, stop)
        ids = {row.bulletin: row.index for row in rows if row.event == "submitted" and row.bulletin}
        found = await store.deliveries_of(ids)
        kept = [id_ for id_ in ids if not is_destroyed(found.get(id_, []))]
        await _bring_of(store, kept, source, target, brought)
        late.difference_update(ids)
        progress("attachments", stop, size)
    # What is held may have no entry any more.
    await _bring_of(store, late, source, target, brought)
    return brought


async def _bring_of(
    store: Store, ids: Collection[bytes], source: Objects, target: Objects, brought: Brought
) -> None:
    for facts in (await store.bulletins(ids)).values():
        for place, blob in enumerate(facts.attachments):
            await _bring(facts.id, place, blob, source, target, brought)


async def _bring(
    bulletin: bytes, place: int, blob: Blob, source: Objects, target: Objects, brought: Brought
) -> None:
    if await find(target, bulletin, place, blob.length) is None:
        name = await find(source, bulletin, place, blob.length)
        try:
            if name is None:
                raise _OtherBytesError
            await target.put_parts(plain_name(bulletin, place), _checked(source, name, blob))
        except _OtherBytesError:
            brought.lose(f"{bulletin.hex()}/{place}")
            return
    brought.there += 1
    brought.bytes += blob.length


async def _checked(source: Objects, name: str, blob: Blob) -> AsyncIterator[bytes]:
    """The bytes of an attachment; raises before the end if they are not those of the digest."""
    found = hashlib.sha256()
    offset = 0
    while offset < blob.length:
        part = await source.get_range(name, offset, min(READ_BYTES, blob.length - offset))
        if not part:
            raise _OtherBytesError
        found.update(part)
        offset += len(part)
        if offset == blob.length and found.digest() != blob.digest:
            raise _OtherBytesError
        yield part
