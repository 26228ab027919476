"""The blob store: staging and final files behind the event loop, all file work on its threads.

Order of effects for an attachment: its bytes are appended in staging; whole, its digest is checked,
it is synced and gets its whole name; the submission that names it links it to its final place and
syncs the folders; only then is the submission queued for a commit; once that is logged the staged
name goes. Whatever is cut off in between is brought again or linked again, from what is held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from saphan_schemas.errors import OperatorError, SaphanError, Unavailable
from saphan_schemas.limits import HOUR_MS, LIMITS
from saphan_schemas.records import Blob, Blobs

from saphan_broker.blobs.files import BlobFiles
from saphan_broker.blobs.staging import Staging
from saphan_broker.clock import Clock

T = TypeVar("T")
Known = Callable[[list[bytes]], Awaitable[Collection[bytes]]]
"""Which of these bulletins are logged."""

THREADS: Final = 2
"""Hashing and file work release the interpreter; the disk is one."""
PAGE: Final = 256
FOLDER: Final = "blobs"
ORPHAN_MS: Final = HOUR_MS
"""From the last submission to the sweep of a bulletin that was not logged; none waits so long."""
_FAR: Final = 2**62


class BlobStore:
    """All attachments of one broker, under `place`; nothing is made before the first is brought.

    Every method raises OperatorError `blobs_unusable` when the disk fails; nothing is half done
    then that the same call again would not finish.
    """

    def __init__(
        self, place: Path, clock: Clock, *, staged_bytes: int = LIMITS.staged_bytes
    ) -> None:
        self._staging = Staging(place / "staging", staged_bytes)
        self._files = BlobFiles(place)
        self._clock = clock
        self._threads = ThreadPoolExecutor(THREADS, "blobs")
        self._locks: dict[str, asyncio.Lock] = {}
        self._most = staged_bytes
        self._unlogged: dict[str, dict[bytes, int]] = {}
        """By agency: bytes of bulletins whose files are final, since the last sweep, and that were
        not logged by now."""

    async def held(self, agency: str, blobs: Blobs) -> tuple[int, ...]:
        """How many bytes of each blob this agency has brought."""
        now = self._clock()
        return await self._locked(
            agency, lambda: tuple(self._staging.held(agency, blob, now) for blob in blobs)
        )

    async def append(self, agency: str, blob: Blob, offset: int, data: bytes) -> int:
        """Add bytes of a blob; gives what is held now (`Staging.append`).

        Raises:
            InvalidInput: `attachment_length`, `attachment_digest`.
        """
        now = self._clock()
        return await self._locked(
            agency, lambda: self._staging.append(agency, blob, offset, data, now)
        )

    async def settle(self, agency: str, bulletin: bytes, blobs: Blobs) -> None:
        """Make the files of a bulletin final and durable, before the commit that names it.

        Raises:
            Unavailable: `attachment_missing`: the agency has to bring it first; `attachments_wait`:
                too much of what it has submitted was never logged.
        """
        mine = self._unlogged.setdefault(agency, {})
        size = sum(blob.length for blob in blobs)
        if bulletin not in mine and sum(mine.values()) + size > self._most:
            raise _too_much()
        mine[bulletin] = size
        try:
            await self._locked(agency, lambda: self._settle(agency, bulletin, blobs))
        except SaphanError:
            mine.pop(bulletin, None)
            raise

    def _settle(self, agency: str, bulletin: bytes, blobs: Blobs) -> None:
        with self._files.sweeping:
            sources = []
            for place in self._files.missing(bulletin, blobs):
                staged = self._staging.whole(agency, blobs[place])
                if staged is None:
                    raise not_here(place)
                sources.append((place, staged))
            self._files.link(bulletin, sources, self._clock())

    async def forget(self, agency: str, bulletin: bytes, blobs: Blobs) -> None:
        """A bulletin that names them is logged: nothing is staged for it any more."""
        self._unlogged.get(agency, {}).pop(bulletin, None)
        await self._locked(agency, lambda: self._staging.forget(agency, blobs))

    async def read(self, bulletin: bytes, place: int, offset: int, length: int) -> bytes:
        """Bytes of a bulletin's attachment `place` (from 0); empty at the end."""
        return await self._run(lambda: self._files.read(bulletin, place, offset, length))

    async def age_out(self) -> int:
        """Remove what was brought and never named by a submission; gives how many files."""
        before = self._clock() - LIMITS.staged_ms
        gone = 0
        for agency in await self._run(self._staging.agencies):
            gone += await self._locked(
                agency,
                lambda: self._staging.age_out(agency, before),  # noqa: B023 - awaited here
            )
        return gone

    async def sweep(self, known: Known, *, any_age: bool = False) -> int:
        """Remove files of bulletins that are not logged; gives how many bulletins.

        Args:
            any_age: also what was linked a moment ago; only while no session is open.
        """
        before = _FAR if any_age else self._clock() - ORPHAN_MS
        found = self._files.ids()
        gone = 0
        while page := await self._run(lambda: list(islice(found, PAGE))):
            old = [bulletin for bulletin, linked in page if linked < before]
            logged = await known(old)
            orphans = [bulletin for bulletin in old if bulletin not in logged]
            for bulletin in orphans:
                await self._run(lambda: self._files.remove(bulletin, before))  # noqa: B023
            gone += len(orphans)
        self._unlogged.clear()
        return gone

    def close(self) -> None:
        """Free the threads; idempotent."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _locked(self, agency: str, work: Callable[[], T]) -> T:
        """One call at a time for an agency: two of its sessions may bring the same attachment."""
        async with self._locks.setdefault(agency, asyncio.Lock()):
            return await self._run(work)

    async def _run(self, work: Callable[[], T]) -> T:
        job = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            await asyncio.wait([job])  # what has begun ends before the agency's next call
            raise
        except OSError as error:
            raise OperatorError(
                "blobs_unusable",
                f"attachments cannot be kept or read: {error.strerror or error}",
                field="data",
                hint="look at the disk of --data: is it full, is it readable?",
            ) from None


def not_here(place: int) -> Unavailable:
    """An attachment (from 0) has to be brought first."""
    return Unavailable(
        "attachment_missing",
        f"the broker does not hold attachment {place} whole",
        field=f"attachments.{place}",
        hint="the node brings it, and submits again, by itself",
        retry_after_ms=0,
    )


def _too_much() -> Unavailable:
    return Unavailable(
        "attachments_wait",
        "too many bulletins with attachments of this agency were refused within the hour",
        field="attachments",
        hint="look at why they were refused; the node tries again by itself",
        retry_after_ms=HOUR_MS // 6,
    )
