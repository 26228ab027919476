"""The attachments of bulletins as objects, and markers of those bulletins that are not logged.

<two digits>/<id>/<generation>-<place>               an attachment; without a generation: moved in
unlogged/<agency>/<id>-<bytes>-<generation>          empty; its time is that of the submission

What a crash means: a marker is there before the objects it stands for, and goes after them or after
its bulletin is logged. Nothing is locked between processes, and a process may be stopped between
any two steps for any time. So a sweep removes one generation, and only while its marker is old; and
a submission never relies on an old generation that has a marker: it makes a new one, of its own.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from saphan_schemas.errors import Unavailable
from saphan_schemas.limits import MINUTE_MS
from saphan_schemas.records import Blobs

from saphan_broker.blobs.base import charge, folder_name, not_here, too_much
from saphan_broker.blobs.object_staging import ObjectStaging
from saphan_broker.objects.base import Objects, unusable

UNLOGGED: Final = "unlogged"
RELIED_MS: Final = 30 * MINUTE_MS
"""A younger marker's objects may be relied on: a sweep takes none before twice this time."""
NAMES: Final = 4_096
"""Names of attachments that are remembered for the next part."""


class Marker(NamedTuple):
    """A generation of a bulletin that was not logged when it was made final.

    Attributes:
        since: ms, by the clock of whoever keeps the objects. Such a service takes no request that
            was signed by a clock far from its own (15 minutes), so it cannot mislead us by more.
    """

    agency: str
    bulletin: bytes
    size: int
    generation: str
    since: int

    @property
    def name(self) -> str:
        """Its object."""
        return f"{UNLOGGED}/{self.agency}/{self.bulletin.hex()}-{self.size}-{self.generation}"


class ObjectFinals:
    """Final attachments.

    Args:
        most: bytes of an agency's bulletins that may wait for their entry, or for the sweep.
    """

    def __init__(self, objects: Objects, staging: ObjectStaging, most: int) -> None:
        self._objects = objects
        self._staging = staging
        self._most = most
        self._names: OrderedDict[tuple[bytes, int], str] = OrderedDict()

    async def settle(self, agency: str, bulletin: bytes, blobs: Blobs, now: int) -> None:
        """See `Attachments.settle`."""
        done, markers = await self._settled(agency, bulletin, blobs, now)
        if done:
            return
        others = {one.bulletin: one.size for one in markers if one.bulletin != bulletin}
        if sum(others.values()) + charge(blobs) > self._most:
            raise too_much()
        try:
            sources = [await self._source(agency, bulletin, at, blobs) for at in range(len(blobs))]
            await self._copy(agency, bulletin, blobs, sources, f"{now:x}{secrets.token_hex(4)}")
        except Unavailable:
            # Another process may have logged it meanwhile, and forgotten what was staged.
            done, _ = await self._settled(agency, bulletin, blobs, now)
            if not done:
                raise

    async def _settled(
        self, agency: str, bulletin: bytes, blobs: Blobs, now: int
    ) -> tuple[bool, list[Marker]]:
        """Whether a generation can be relied on, and the agency's markers.

        The markers are read first: a sweep removes its own last.
        """
        markers = [one async for one in self._markers(agency)]
        mine = {one.generation: one.since for one in markers if one.bulletin == bulletin}
        for generation, sizes in (await self._generations(bulletin)).items():
            safe = generation not in mine or mine[generation] > now - RELIED_MS
            if safe and all(sizes.get(at) == blob.length for at, blob in enumerate(blobs)):
                return True, markers
        return False, markers

    async def logged(self, agency: str, bulletin: bytes) -> None:
        """Its markers go: what has none is never removed."""
        async for one in self._markers(agency):
            if one.bulletin == bulletin:
                await self._objects.delete(one.name)

    async def doom(self, agency: str, bulletin: bytes) -> None:
        """See `Attachments.doom`; it counts nothing, so that nobody has to wait for it."""
        for generation in await self._generations(bulletin):
            marker = Marker(agency, bulletin, 0, generation, 0)
            await self._objects.put(marker.name, b"")

    async def destroy(self, agency: str, bulletin: bytes) -> None:
        """See `Attachments.destroy`."""
        names = [found.name async for found in self._objects.list(folder_name(bulletin))]
        for name in names:
            await self._objects.delete(name)
        # A crash here leaves markers: the next sweep finds nothing to remove.
        await self.logged(agency, bulletin)

    async def read(self, bulletin: bytes, place: int, offset: int, length: int) -> bytes:
        """See `Attachments.read`."""
        key = (bulletin, place)
        name = self._names.get(key)
        data = None if name is None else await self._objects.get_range(name, offset, length)
        if data is None:
            name = await find(self._objects, bulletin, place)
            data = None if name is None else await self._objects.get_range(name, offset, length)
        if name is None or data is None:
            self._names.pop(key, None)
            raise unusable(
                "an attachment is not in the store of objects",
                "look for what has removed it; a backup of the bucket may have it",
            )
        self._names[key] = name
        self._names.move_to_end(key)
        if len(self._names) > NAMES:
            self._names.popitem(last=False)
        return data

    async def old(self, before: int) -> AsyncIterator[Marker]:
        """Markers of all agencies that were set before a time (ms)."""
        async for one in self._markers(None):
            if one.since < before:
                yield one

    async def remove(self, marker: Marker) -> None:
        """Remove one generation, its marker last."""
        folder = folder_name(marker.bulletin)
        names = [found.name async for found in self._objects.list(folder)]
        for name in names:
            if _place(name)[0] == marker.generation:
                await self._objects.delete(name)
        await self.unmark(marker)

    async def unmark(self, marker: Marker) -> None:
        """The bulletin is logged: its objects stay."""
        await self._objects.delete(marker.name)

    # --- objects ----------------------------------------------------------------------------------

    async def _markers(self, agency: str | None) -> AsyncIterator[Marker]:
        folder = UNLOGGED if agency is None else f"{UNLOGGED}/{agency}"
        async for found in self._objects.list(folder):
            with suppress(ValueError):  # nothing of ours
                _, owner, name = found.name.split("/")
                bulletin, size, generation = name.split("-")
                yield Marker(owner, bytes.fromhex(bulletin), int(size), generation, found.changed)

    async def _generations(self, bulletin: bytes) -> dict[str, dict[int, int]]:
        """By generation the length of each attachment that is there."""
        found: defaultdict[str, dict[int, int]] = defaultdict(dict)
        async for one in self._objects.list(folder_name(bulletin)):
            with suppress(ValueError):
                generation, place = _place(one.name)
                found[generation][place] = one.size
        return found

    async def _source(self, agency: str, bulletin: bytes, place: int, blobs: Blobs) -> str:
        """Where an attachment can be copied from; raises `attachment_missing`."""
        name = await self._staging.whole(agency, blobs[place])
        if name is None:
            name = await find(self._objects, bulletin, place, blobs[place].length)
        if name is None:
            raise not_here(place)
        return name

    async def _copy(
        self, agency: str, bulletin: bytes, blobs: Blobs, sources: Sequence[str], generation: str
    ) -> None:
        """Marker, then copies; a source that went meanwhile leaves neither."""
        marker = Marker(agency, bulletin, charge(blobs), generation, 0)
        await self._objects.put(marker.name, b"")
        folder = folder_name(bulletin)
        copied = await asyncio.gather(
            *(
                self._objects.copy(source, f"{folder}/{generation}-{place}")
                for place, source in enumerate(sources)
            )
        )
        if not all(copied):
            await self.remove(marker)
            raise not_here(copied.index(False))


async def find(
    objects: Objects, bulletin: bytes, place: int, length: int | None = None
) -> str | None:
    """The name of a bulletin's attachment, of whichever generation; each is whole and right.

    Args:
        length: only one of so many bytes.
    """
    async for found in objects.list(folder_name(bulletin)):
        with suppress(ValueError):
            if _place(found.name)[1] == place and length in (None, found.size):
                return found.name
    return None


def _place(name: str) -> tuple[str, int]:
    """Generation and place in the name of an attachment; "" of one that was moved in."""
    generation, _, place = name.rpartition("/")[2].rpartition("-")
    return generation, int(place)
