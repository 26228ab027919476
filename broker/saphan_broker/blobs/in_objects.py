"""Attachments in a store of objects that all processes of a broker reach, such as an S3 bucket.

Order of effects for an attachment: its bytes are put in chunks; all there, they become one object
whose digest is checked before it is one; the submission that names it puts a marker, then copies it
to its final name, inside the store of objects; only then is the submission queued for a commit;
once that is logged marker and staged object go. The same steps as with files, without their locks.
"""

from __future__ import annotations

import asyncio
from typing import Final

from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Blob, Blobs

from saphan_broker.blobs.base import ORPHAN_MS, PAGE, Known
from saphan_broker.blobs.object_finals import Marker, ObjectFinals
from saphan_broker.blobs.object_staging import ObjectStaging
from saphan_broker.clock import Clock
from saphan_broker.objects.base import Objects

LOOKS: Final = 8
"""Attachments of one offer that are looked for at a time."""


class ObjectAttachments:
    """Implements `Attachments`; `objects` are closed by who made them."""

    def __init__(
        self, objects: Objects, clock: Clock, *, staged_bytes: int = LIMITS.staged_bytes
    ) -> None:
        self._staging = ObjectStaging(objects, staged_bytes)
        self._finals = ObjectFinals(objects, self._staging, staged_bytes)
        self._clock = clock
        self._locks: dict[str, asyncio.Lock] = {}

    async def held(self, agency: str, blobs: Blobs) -> tuple[int, ...]:
        """See `Attachments.held`."""
        now = self._clock()
        async with self._lock(agency):
            return tuple([await self._staging.held(agency, blob, now) for blob in blobs])

    async def append(self, agency: str, blob: Blob, offset: int, data: bytes) -> int:
        """See `Attachments.append`."""
        async with self._lock(agency):
            return await self._staging.append(agency, blob, offset, data)

    async def settle(self, agency: str, bulletin: bytes, blobs: Blobs) -> None:
        """See `Attachments.settle`."""
        async with self._lock(agency):
            await self._finals.settle(agency, bulletin, blobs, self._clock())

    async def forget(self, agency: str, bulletin: bytes, blobs: Blobs) -> None:
        """See `Attachments.forget`."""
        async with self._lock(agency):
            for blob in blobs:
                await self._staging.forget(agency, blob)
            await self._finals.logged(agency, bulletin)

    async def doom(self, agency: str, bulletin: bytes) -> None:
        """See `Attachments.doom`."""
        async with self._lock(agency):
            await self._finals.doom(agency, bulletin)

    async def destroy(self, agency: str, bulletin: bytes, blobs: Blobs) -> None:
        """See `Attachments.destroy`."""
        async with self._lock(agency):
            for blob in blobs:
                await self._staging.forget(agency, blob)
            await self._finals.destroy(agency, bulletin)

    async def read(self, bulletin: bytes, place: int, offset: int, length: int) -> bytes:
        """See `Attachments.read`."""
        return await self._finals.read(bulletin, place, offset, length)

    async def age_out(self) -> int:
        """See `Attachments.age_out`."""
        before = self._clock() - LIMITS.staged_ms
        gone = 0
        for agency in await self._staging.agencies():
            async with self._lock(agency):
                gone += await self._staging.age_out(agency, before)
        return gone

    async def sweep(self, known: Known, *, any_age: bool = False) -> int:
        """See `Attachments.sweep`; `any_age` means nothing here: other processes may be at work."""
        swept: set[bytes] = set()
        page: list[Marker] = []
        async for marker in self._finals.old(self._clock() - ORPHAN_MS):
            page.append(marker)
            if len(page) == PAGE:
                swept |= await self._sweep(page, known)
                page = []
        swept |= await self._sweep(page, known)
        return len(swept)

    async def _sweep(self, page: list[Marker], known: Known) -> set[bytes]:
        logged = await known([marker.bulletin for marker in page])
        for marker in page:
            if marker.bulletin in logged:
                await self._finals.unmark(marker)
            else:
                await self._finals.remove(marker)
        return {marker.bulletin for marker in page if marker.bulletin not in logged}

    def close(self) -> None:
        """See `Attachments.close`; what was gathered and is no object yet is brought again."""

    def _lock(self, agency: str) -> asyncio.Lock:
        """One call at a time for an agency: two of its sessions may bring the same attachment."""
        return self._locks.setdefault(agency, asyncio.Lock())
