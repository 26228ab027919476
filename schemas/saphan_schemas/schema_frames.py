"""Messages of a session about agencies' own schemas; `frames` has all the others.

The directory log says name and digest. The bundle itself, up to 512 KiB, travels beside it: its
agency brings it with the registration, everybody else asks for it, in parts, when it is needed.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from saphan_schemas.codec import Record
from saphan_schemas.limits import LIMITS
from saphan_schemas.proof_frames import RequestId
from saphan_schemas.records import Index, SchemaName


class AskSchema(Record, frozen=True, tag=30):
    """Node: bytes of the registered bundle of an agency's own schema."""

    request: RequestId
    name: SchemaName
    offset: Index
    length: Annotated[int, Meta(ge=1, le=LIMITS.part_bytes)]


class SchemaBundle(Record, frozen=True, tag=31):
    """Broker's answer to `AskSchema`: fewer bytes than asked for are the last ones.

    None: `code` says why: `schema_unregistered` (not under the head shown), `schema_missing` (the
    broker has lost it).
    """

    request: RequestId
    data: Annotated[bytes, Meta(max_length=LIMITS.part_bytes)] | None
    code: str | None
