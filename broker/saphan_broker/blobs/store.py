"""Attachments in files: staging and final files behind the event loop, file work on its threads.

Order of effects for an attachment: its bytes are appended in staging; whole, its digest is checked,
it is synced and gets its whole name; the submission that names it is marked as not logged, then
links it to its final place and syncs the folders; only then is the submission queued for a commit;
once that is logged the staged name and the marker go. Whatever is cut off in between is brought
again or linked again, from what is held, by this process or another one on the same folder.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from saphan_schemas.errors import Unavailable
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Blob, Blobs

from saphan_broker.blobs.base import ORPHAN_MS as ORPHAN_MS
from saphan_broker.blobs.base import PAGE, Known, charge, disk_fails
from saphan_broker.blobs.base import not_here as not_here
from saphan_broker.blobs.files import LOCKS, BlobFiles
from saphan_broker.blobs.locks import Busy, Locks
from saphan_broker.blobs.staging import Staging
from saphan_broker.blobs.unlogged import Unlogged
from saphan_broker.clock import Clock

T = TypeVar("T")

THREADS: Final = 2
"""Hashing and file work release the interpreter; the disk is one."""
FOLDER: Final = "blobs"
FIRST_PAUSE: Final = 0.002
LAST_PAUSE: Final = 0.1
"""Seconds between two looks at a lock that another process has."""
_FAR: Final = 2**62


class BlobStore:
    """Implements `Attachments` under `place`; nothing is made before the first is brought.

    Args:
        shared: other processes may have the same place.
    """

    def __init__(
        self,
        place: Path,
        clock: Clock,
        *,
        staged_bytes: int = LIMITS.staged_bytes,
        shared: bool = False,
    ) -> None:
        self._process = Locks(place / LOCKS)
        self._staging = Staging(place / "staging", staged_bytes)
        self._files = BlobFiles(place, self._process)
        self._unlogged = Unlogged(place / "unlogged", staged_bytes)
        self._clock = clock
        self._shared = shared
        self._threads = ThreadPoolExecutor(THREADS, "blobs")
        self._locks: dict[str, asyncio.Lock] = {}

    async def held(self, agency: str, blobs: Blobs) -> tuple[int, ...]:
        """See `Attachments.held`."""
        now = self._clock()
        return await self._locked(
            agency, lambda: tuple(self._staging.held(agency, blob, now) for blob in blobs)
        )

    async def append(self, agency: str, blob: Blob, offset: int, data: bytes) -> int:
        """See `Attachments.append`."""
        now = self._clock()
        return await self._locked(
            agency, lambda: self._staging.append(agency, blob, offset, data, now)
        )

    async def settle(self, agency: str, bulletin: bytes, blobs: Blobs) -> None:
        """See `Attachments.settle`."""
        await self._locked(agency, lambda: self._settle(agency, bulletin, blobs))

    def _settle(self, agency: str, bulletin: bytes, blobs: Blobs) -> None:
        now = self._clock()
        with self._process.linking():
            fresh = self._unlogged.add(agency, bulletin, charge(blobs), now)
            sources = []
            for place in self._files.missing(bulletin, blobs):
                staged = self._staging.whole(agency, blobs[place])
                if staged is None:
                    if fresh:
                        self._unlogged.remove(agency, bulletin)
                    raise not_here(place)
                sources.append((place, staged))
            self._files.link(bulletin, sources, now)

    async def forget(self, agency: str, bulletin: bytes, blobs: Blobs) -> None:
        """See `Attachments.forget`."""

        def work() -> None:
            self._staging.forget(agency, blobs)
            self._unlogged.remove(agency, bulletin)

        await self._locked(agency, work)

    async def doom(self, agency: str, bulletin: bytes) -> None:
        """See `Attachments.doom`."""
        now = self._clock()
        # It counts nothing: what its agency submits meanwhile must not wait for it.
        await self._locked(agency, lambda: self._unlogged.mark(agency, bulletin, 0, now))

    async def destroy(self, agency: str, bulletin: bytes, blobs: Blobs) -> None:
        """See `Attachments.destroy`."""

        def work() -> None:
            self._staging.forget(agency, blobs)
            self._files.destroy(bulletin)
            # A crash here leaves the marker: the next sweep finds nothing to remove.
            self._unlogged.remove(agency, bulletin)

        await self._locked(agency, work)

    async def read(self, bulletin: bytes, place: int, offset: int, length: int) -> bytes:
        """See `Attachments.read`."""
        return await self._run(lambda: self._files.read(bulletin, place, offset, length))

    async def age_out(self) -> int:
        """See `Attachments.age_out`."""
        before = self._clock() - LIMITS.staged_ms
        gone = 0
        for agency in await self._run(self._staging.agencies):
            gone += await self._locked(
                agency,
                lambda: self._staging.age_out(agency, before),  # noqa: B023 - awaited here
            )
        return gone

    async def sweep(self, known: Known, *, any_age: bool = False) -> int:
        """See `Attachments.sweep`."""
        before = self._clock() - ORPHAN_MS
        gone = 0
        if any_age and not self._shared:
            before = _FAR
            gone = await self._sweep_unmarked(known)
        marked = self._unlogged.old(before)
        while page := await self._run(lambda: list(islice(marked, PAGE))):
            logged = await known([one.bulletin for one in page])
            for one in page:
                if one.bulletin not in logged:
                    gone += await self._run(lambda: self._files.remove(one.bulletin, before))  # noqa: B023
                await self._locked(
                    one.agency,
                    lambda: self._unlogged.remove(one.agency, one.bulletin, before),  # noqa: B023
                )
        return gone

    async def _sweep_unmarked(self, known: Known) -> int:
        """Whatever has files here: an older release, or a damaged disk, has left no markers."""
        found: Iterator[tuple[bytes, int]] = self._files.ids()
        gone = 0
        while page := await self._run(lambda: [one for one, _linked in islice(found, PAGE)]):
            logged = await known(page)
            for bulletin in page:
                if bulletin not in logged:
                    gone += await self._run(lambda: self._files.remove(bulletin, _FAR))  # noqa: B023
        return gone

    def close(self) -> None:
        """See `Attachments.close`."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _locked(self, agency: str, work: Callable[[], T]) -> T:
        """One call at a time for an agency: two of its sessions may bring the same attachment."""

        def alone() -> T:
            with self._process.agency(agency) as ours:
                if not ours:
                    self._staging.reread(agency)
                    self._unlogged.reread(agency)
                return work()

        async with self._locks.setdefault(agency, asyncio.Lock()):
            return await self._run(alone)

    async def _run(self, work: Callable[[], T]) -> T:
        """On a thread; again and again while another process has the lock."""
        loop = asyncio.get_running_loop()
        end, pause = loop.time() + LIMITS.blob_lock_ms / 1000, FIRST_PAUSE
        while True:
            try:
                return await self._once(work)
            except Busy:
                if loop.time() > end:
                    raise _held_up() from None
            await asyncio.sleep(pause)
            pause = min(2 * pause, LAST_PAUSE)

    async def _once(self, work: Callable[[], T]) -> T:
        job = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            await asyncio.wait([job])  # what has begun ends before the agency's next call
            raise
        except OSError as error:
            raise disk_fails(error) from None


def _held_up() -> Unavailable:
    return Unavailable(
        "attachments_wait",
        "another process of the broker keeps this agency's attachments locked",
        field="attachments",
        hint="the broker's operator looks for a process that is stopped; the node tries again",
        retry_after_ms=LIMITS.blob_lock_ms,
    )
