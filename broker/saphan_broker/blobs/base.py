"""What sessions ask of a broker's attachments, wherever these lie, and how they are named."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Final, Protocol

from saphan_schemas.errors import OperatorError, Unavailable
from saphan_schemas.limits import HOUR_MS, KIB
from saphan_schemas.records import Blob, Blobs

Known = Callable[[list[bytes]], Awaitable[Collection[bytes]]]
"""Which of these bulletins are logged, and not destroyed since."""

ORPHAN_MS: Final = HOUR_MS
"""From the last submission to the sweep of a bulletin that was not logged; none waits so long."""
PAGE: Final = 256
"""Bulletins asked for in one call of `Known`."""
LEAST_BYTES: Final = 4 * KIB
"""An unlogged bulletin counts as so much: 32,768 of an agency at most, however short they are."""


class Attachments(Protocol):
    """All attachments of one broker; several processes may have the same ones.

    Every method raises OperatorError `blobs_unusable` when disk or service fail and Unavailable
    `blobs_unreachable` or `attachments_wait` when they do not answer; nothing is half done then
    that the same call again, in any process, would not finish.
    """

    async def held(self, agency: str, blobs: Blobs) -> tuple[int, ...]:
        """How many bytes of each blob this agency has brought."""
        ...

    async def append(self, agency: str, blob: Blob, offset: int, data: bytes) -> int:
        """Add bytes of a blob at `offset`, which must be what is held: else nothing is written.

        Returns:
            What is held now; `blob.length` once it is whole, durable and its digest is right. It
            may be less than before when a process was killed: it is brought again from there.

        Raises:
            InvalidInput: `attachment_length`, `attachment_digest` (nothing is held any more).
        """
        ...

    async def settle(self, agency: str, bulletin: bytes, blobs: Blobs) -> None:
        """Make the attachments of a bulletin final and durable, before the commit that names it.

        Raises:
            Unavailable: `attachment_missing`: the agency has to bring it first; `attachments_wait`:
                too much of what it has submitted was never logged.
        """
        ...

    async def forget(self, agency: str, bulletin: bytes, blobs: Blobs) -> None:
        """A bulletin that names them is logged: nothing is staged for it any more."""
        ...

    async def doom(self, agency: str, bulletin: bytes) -> None:
        """A logged bulletin may be destroyed by the next commit: mark it, durably.

        Idempotent. Whatever happens then, `destroy` or a later `sweep` finds it: its attachments
        go once it is not known any more, and stay, without the marker, while it is.
        """
        ...

    async def destroy(self, agency: str, bulletin: bytes, blobs: Blobs) -> None:
        """Remove the attachments of a destroyed bulletin, then its marker; idempotent."""
        ...

    async def read(self, bulletin: bytes, place: int, offset: int, length: int) -> bytes:
        """Bytes of a bulletin's attachment `place` (from 0); empty at the end.

        Raises:
            OperatorError: `blobs_unusable`: also when it is not there.
        """
        ...

    async def age_out(self) -> int:
        """Remove what was brought and never named by a submission; gives how many."""
        ...

    async def sweep(self, known: Known, *, any_age: bool = False) -> int:
        """Remove attachments of bulletins that are not known; gives how many bulletins.

        Only the process that sequences calls this: what it finds not logged is not about to be.

        Args:
            any_age: also what was made final a moment ago, and what no marker names; only while
                no session is open. Where other processes share the place it means nothing.
        """
        ...

    def close(self) -> None:
        """Free threads; idempotent. The objects under it are their owner's to close."""
        ...


def plain_name(bulletin: bytes, place: int) -> str:
    """Where a bulletin's attachment lies: `<first two digits of the id>/<id>/<place>`."""
    return f"{folder_name(bulletin)}/{place}"


def folder_name(bulletin: bytes) -> str:
    """The folder of a bulletin's attachments."""
    name = bulletin.hex()
    return f"{name[:2]}/{name}"


def charge(blobs: Blobs) -> int:
    """What a bulletin that is not logged counts towards its agency's bytes."""
    return max(LEAST_BYTES, sum(blob.length for blob in blobs))


def not_here(place: int) -> Unavailable:
    """An attachment (from 0) has to be brought first."""
    return Unavailable(
        "attachment_missing",
        f"the broker does not hold attachment {place} whole",
        field=f"attachments.{place}",
        hint="the node brings it, and submits again, by itself",
        retry_after_ms=0,
    )


def too_much() -> Unavailable:
    """An agency's bulletins that were not logged have used up its bytes."""
    return Unavailable(
        "attachments_wait",
        "too many bulletins with attachments of this agency were refused within the hour",
        field="attachments",
        hint="look at why they were refused; the node tries again by itself",
        retry_after_ms=HOUR_MS // 6,
    )


def disk_fails(error: OSError) -> OperatorError:
    """What an operator is told about a disk of attachments."""
    return OperatorError(
        "blobs_unusable",
        f"attachments cannot be kept or read: {error.strerror or error}",
        field="data",
        hint="look at the disk of --data or --blobs: is it full, is it readable?",
    )
