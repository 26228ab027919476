"""Records that officers sign for their own node, and that never leave it."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from saphan_schemas.codec import Record
from saphan_schemas.records import AgencyId, Digest, Handle, KeyId, Millis


class OfficerRefusal(Record, frozen=True):
    """An officer will not sign a colleague's bulletin second, or takes back their own.

    `draft` is the identity of its header; the record stays in the node.
    """

    draft: Digest
    agency: AgencyId
    handle: Handle
    key: KeyId
    time: Millis
    reason: Annotated[str, Meta(min_length=1, max_length=400)] | None


REFUSAL_TYPE: Final = "saphan/officer_refusal/1"
"""Its PAE type."""
