"""Which attachments a broker has: files under a folder, objects in a bucket."""

from __future__ import annotations

from pathlib import Path

from saphan_broker.blobs.base import Attachments
from saphan_broker.blobs.in_objects import ObjectAttachments
from saphan_broker.blobs.store import FOLDER, BlobStore
from saphan_broker.clock import Clock
from saphan_broker.objects.base import Objects
from saphan_broker.objects.place import S3


def attachments_at(
    data: Path, where: str | None, objects: Objects | None, clock: Clock, *, shared: bool
) -> Attachments:
    """The attachments of a broker.

    Args:
        data: its data directory; they are in DATA/blobs if `where` is None.
        where: a folder, or s3://bucket/prefix; then `objects` reaches it.
        shared: other processes may serve the same broker.
    """
    if where is not None and where.startswith(S3):
        assert objects is not None
        return ObjectAttachments(objects, clock)
    place = data / FOLDER if where is None else Path(where)
    return BlobStore(place, clock, shared=shared)
