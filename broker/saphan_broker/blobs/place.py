"""Which attachments a broker has: files under a folder, objects in a bucket."""

from __future__ import annotations

from pathlib import Path

from saphan_broker.blobs.base import Attachments
from saphan_broker.blobs.in_objects import ObjectAttachments
from saphan_broker.blobs.store import BlobStore
from saphan_broker.clock import Clock
from saphan_broker.objects.base import Objects
from saphan_broker.objects.place import S3


def attachments_at(
    where: str, objects: Objects | None, clock: Clock, *, shared: bool
) -> Attachments:
    """The attachments of a broker.

    Args:
        where: a folder, or s3://bucket/prefix; then `objects` reaches it.
        shared: other processes may serve the same broker.
    """
    if where.startswith(S3):
        assert objects is not None
        return ObjectAttachments(objects, clock)
    return BlobStore(Path(where), clock, shared=shared)
