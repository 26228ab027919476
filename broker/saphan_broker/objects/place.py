"""Where the objects of a broker are: a directory, or a bucket."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

from saphan_schemas.errors import OperatorError

from saphan_broker.objects.base import Objects, unusable
from saphan_broker.objects.directory import DirectoryObjects

S3: Final = "s3://"
CHECK: Final = "check"


def objects_from(
    place: str,
    *,
    credentials: Path | None = None,
    endpoint: str | None = None,
    region: str | None = None,
    ca_file: Path | None = None,
) -> Objects:
    """The store of objects at `DIR` or `s3://bucket/prefix`; nothing is made or asked yet.

    Args:
        credentials, endpoint, region, ca_file: of S3 only, see `objects.s3.open_s3`.

    Raises:
        OperatorError: `s3_not_installed`, and those of `open_s3`.
    """
    if not place.startswith(S3):
        return DirectoryObjects(Path(place))
    try:
        from saphan_broker.objects.s3 import open_s3  # the only part that needs obstore
    except ImportError:
        raise OperatorError(
            "s3_not_installed",
            "the package that reaches S3 is not installed",
            field="blobs",
            hint="pip install 'saphan[s3]'",
        ) from None
    return open_s3(
        place, credentials=credentials, endpoint=endpoint, region=region, ca_file=ca_file
    )


async def check_objects(objects: Objects) -> None:
    """Put, get and delete one small object, so that a start fails where the first use would.

    Raises:
        OperatorError: `blobs_unusable`.
        Unavailable: `blobs_unreachable`.
    """
    data = secrets.token_bytes(32)
    name = f"{CHECK}/{data[:16].hex()}"
    await objects.put(name, data)
    found = await objects.get(name)
    await objects.delete(name)
    if found != data:
        raise unusable(
            "the store of objects does not give back what was put",
            "a cache or a replica answers reads: the broker needs one that reads its own writes",
        )
