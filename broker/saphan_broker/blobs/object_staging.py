"""What agencies bring in pieces, kept as objects that every process can go on with.

Pieces of a slow line are gathered here until they are worth an object; what is gathered counts as
held and is brought again if this process ends. One call at a time for each agency in a process;
between processes nothing is locked (`chunks`).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field
from typing import Final

from saphan_schemas.errors import InvalidInput, Unavailable
from saphan_schemas.limits import DAY_MS, KIB
from saphan_schemas.records import Blob

from saphan_broker.blobs import chunks
from saphan_broker.blobs.chunks import Chunk, MissingBytes, Staged, WrongBytes
from saphan_broker.objects.base import Found, Objects

CHUNK_BYTES: Final = 128 * KIB
"""From here on what was gathered becomes an object; one call may add 1 MiB to it."""
GATHERED: Final = 4
"""Attachments of one agency that are gathered at a time."""
LEAST_BYTES: Final = 64 * KIB
"""A shorter attachment counts as so much: 2,048 of them at most, however little is in them."""
COUNT_SECONDS: Final = 10
"""After so long what other processes have brought is counted again."""
ASKED_MS: Final = DAY_MS
ASSEMBLING: Final = 2
"""Attachments that become one object at a time: each has two parts of 5 MiB in memory."""
TRIES: Final = 4
"""Of that, while other processes do the same."""


@dataclass(slots=True)
class _Upload:
    """An attachment on its way: what is in objects, and what was gathered behind it."""

    chunks: list[Chunk]
    gathered: bytearray = field(default_factory=bytearray)

    @property
    def kept(self) -> int:
        last = self.chunks[-1] if self.chunks else None
        return last.offset + last.size if last else 0

    @property
    def end(self) -> int:
        return self.kept + len(self.gathered)


@dataclass(slots=True)
class _Count:
    """Bytes of an agency, and when they were counted."""

    bytes: int
    counted: float


class ObjectStaging:
    """The staged attachments of all agencies.

    Args:
        most: bytes that one agency may have there; the oldest attachments make room. Several
            processes may pass it by what comes in while they do not count.
    """

    def __init__(self, objects: Objects, most: int) -> None:
        self._objects = objects
        self._most = most
        self._uploads: defaultdict[str, OrderedDict[Blob, _Upload]] = defaultdict(OrderedDict)
        self._used: dict[str, _Count] = {}
        self._assembling = asyncio.Semaphore(ASSEMBLING)

    async def held(self, agency: str, blob: Blob, now: int) -> int:
        """See `Attachments.held`; what other processes have is looked at anew."""
        upload = self._uploads[agency].get(blob)
        if upload is not None:
            await self._keep(agency, blob, upload)
        folder = chunks.blob_folder(agency, blob)
        found = await chunks.look(self._objects, folder)
        if found.names and found.touched < now - ASKED_MS:
            await self._objects.put(f"{folder}/{chunks.ASKED}", b"")
        if found.whole:
            self._uploads[agency].pop(blob, None)
            return blob.length
        upload = await self._remember(agency, blob, _Upload(list(found.chunks)))
        if upload.end < blob.length:
            return upload.end
        # A crash came between the last byte and the whole.
        try:
            return await self._finish(agency, blob, upload)
        except InvalidInput:
            return 0

    async def append(self, agency: str, blob: Blob, offset: int, data: bytes) -> int:
        """See `Attachments.append`."""
        upload = self._uploads[agency].get(blob)
        if upload is None:
            found = await chunks.look(self._objects, chunks.blob_folder(agency, blob))
            if found.whole:
                return blob.length
            upload = await self._remember(agency, blob, _Upload(list(found.chunks)))
        if upload.end >= blob.length:  # a crash came between the last byte and the whole
            return await self._finish(agency, blob, upload)
        if offset != upload.end:
            return upload.end
        if offset + len(data) > blob.length:
            raise InvalidInput(
                "attachment_length",
                f"the attachment has more than the {blob.length} bytes that were declared",
                field="part.data",
            )
        upload.gathered += data
        if len(upload.gathered) < CHUNK_BYTES and upload.end < blob.length:
            return upload.end
        try:
            await self._keep(agency, blob, upload)
        except BaseException:
            del upload.gathered[len(upload.gathered) - len(data) :]
            raise
        return await self._finish(agency, blob, upload) if upload.end == blob.length else upload.end

    async def whole(self, agency: str, blob: Blob) -> str | None:
        """The object of all bytes of an attachment, if it is there."""
        name = chunks.whole_name(agency, blob)
        return name if await self._objects.size(name) == blob.length else None

    async def forget(self, agency: str, blob: Blob) -> None:
        """What is staged goes; its bulletin has objects of its own."""
        self._uploads[agency].pop(blob, None)
        found = await chunks.look(self._objects, chunks.blob_folder(agency, blob))
        await self._remove(agency, found)

    async def agencies(self) -> dict[str, int]:
        """Who has something here, and when (ms) it was touched last."""
        ages: dict[str, int] = {}
        async for one in self._objects.list(chunks.STAGING):
            agency = one.name.split("/")[1]
            ages[agency] = max(ages.get(agency, 0), one.changed)
        return ages

    async def age_out(self, agency: str, before: int) -> int:
        """Remove what was not touched since `before` (ms); gives how many attachments."""
        old = [found for _, found in await self._all(agency) if found.touched < before]
        for found in old:
            await self._remove(agency, found)
        return len(old)

    # --- objects ----------------------------------------------------------------------------------

    async def _remember(self, agency: str, blob: Blob, upload: _Upload) -> _Upload:
        """Go on with an attachment; the one not touched for the longest time becomes an object."""
        mine = self._uploads[agency]
        mine.pop(blob, None)
        while len(mine) >= GATHERED:
            oldest, given_up = next(iter(mine.items()))
            await self._keep(agency, oldest, given_up)
            del mine[oldest]
        mine[blob] = upload
        return upload

    async def _keep(self, agency: str, blob: Blob, upload: _Upload) -> None:
        """Make an object of what was gathered."""
        if not upload.gathered:
            return
        folder = chunks.blob_folder(agency, blob)
        data, offset = bytes(upload.gathered), upload.kept
        await self._make_room(agency, folder, offset, len(data))
        await chunks.put_chunk(self._objects, folder, offset, data)
        upload.chunks.append(Chunk(offset, len(data), f"{folder}/{offset}-{len(data)}"))
        upload.gathered.clear()

    async def _finish(self, agency: str, blob: Blob, upload: _Upload) -> int:
        """All bytes are in objects: make them one.

        Raises:
            InvalidInput: `attachment_digest`; what was there is not any more.
        """
        self._uploads[agency].pop(blob, None)
        try:
            end = await self._assemble(agency, blob, upload)
        except WrongBytes:
            folder = chunks.blob_folder(agency, blob)
            await self._remove(agency, await chunks.look(self._objects, folder))
            raise InvalidInput(
                "attachment_digest",
                "the bytes are not those of the declared digest",
                field="offer.blobs",
                hint="the sender's copy has changed since it was sealed; send a new bulletin",
            ) from None
        if end == blob.length:
            for chunk in upload.chunks:
                await self._objects.delete(chunk.name)
        return end

    async def _assemble(self, agency: str, blob: Blob, upload: _Upload) -> int:
        """Gives what is held; less than all when another process has removed some meanwhile."""
        for _ in range(TRIES):
            try:
                async with self._assembling:
                    await chunks.assemble(self._objects, agency, blob, upload.chunks)
                return blob.length
            except MissingBytes:
                found = await chunks.look(self._objects, chunks.blob_folder(agency, blob))
            if found.whole or found.end < blob.length:
                return blob.length if found.whole else found.end
            upload.chunks = list(found.chunks)
        raise Unavailable(
            "attachments_wait",
            "another process of the broker works on the same attachment",
            hint="the node tries again by itself",
        )

    async def _make_room(self, agency: str, folder: str, kept: int, more: int) -> None:
        """The attachments not touched for the longest time go; they are brought again."""
        wanted = max(LEAST_BYTES, kept + more) - (max(LEAST_BYTES, kept) if kept else 0)
        clock = asyncio.get_running_loop().time()
        count = self._used.get(agency)
        if count and clock - count.counted < COUNT_SECONDS and count.bytes + wanted <= self._most:
            count.bytes += wanted
            return
        everything = await self._all(agency)
        used = sum(_charge(found) for _, found in everything) + wanted
        for name, found in sorted(everything, key=lambda pair: pair[1].touched):
            if used <= self._most:
                break
            if name != folder:
                await self._remove(agency, found)
                used -= _charge(found)
        self._used[agency] = _Count(used, clock)

    async def _all(self, agency: str) -> list[tuple[str, Staged]]:
        """Every attachment of an agency, by its folder."""
        folders: defaultdict[str, list[Found]] = defaultdict(list)
        async for one in self._objects.list(f"{chunks.STAGING}/{agency}"):
            folders[one.name.rpartition("/")[0]].append(one)
        return [(folder, chunks.staged(found)) for folder, found in folders.items()]

    async def _remove(self, agency: str, found: Staged) -> None:
        """The whole first: a crash must not leave one that is said to be there and no chunks."""
        for name in sorted(found.names, reverse=True):
            await self._objects.delete(name)
        self._used.pop(agency, None)


def _charge(found: Staged) -> int:
    return max(LEAST_BYTES, found.size)
