"""Records of what left an agency's keeping: who took what of a bulletin, when.

They stay in the node; a statement `exported` in the log commits to each under a salt. What is given
to a court with its key is a `Disclosure` (`bundles`), a record of its own.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from saphan_schemas.codec import Record
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import AgencyId, BulletinId, Handle, KeyId, Millis

BUNDLED: Final = "bundled"
DISCLOSED: Final = "disclosed"
PRINTED: Final = "printed"
SAVED: Final = "saved"

EXPORT_TYPE: Final = "saphan/export/1"
"""PAE type of an `Export`."""
DESK_ERASURE_TYPE: Final = "saphan/desk_erasure/1"
"""PAE type of a `DeskErasure`."""


class Export(Record, frozen=True):
    """Something of a bulletin left the node or the desk for a place that Saphan does not keep.

    Signed by the node; by the officer, where it left their desk.

    Args:
        kind: a code of `exported`: bundled (evidence), printed (a page of it), saved (an
            attachment).
        by: who took it, as records of the node name callers: `keeper`, `system:NAME`,
            `officer:HANDLE`, `desk:HANDLE`.
        number: of the attachment, from 1; None: it is none.
    """

    bulletin: BulletinId
    agency: AgencyId
    kind: Annotated[str, Meta(pattern=r"\A[a-z]{1,20}\Z")]
    by: Annotated[str, Meta(pattern=r"\A[a-z][ -~]{0,79}\Z")]
    number: Annotated[int, Meta(ge=1, le=LIMITS.attachments)] | None
    time: Millis


class DeskErasure(Record, frozen=True):
    """An officer's desk has erased what it kept of these bulletins; signed by the officer's key.

    Args:
        time: when it was signed, by the desk's clock; the erasure came before.
        bulletins: sorted, each once.
    """

    agency: AgencyId
    handle: Handle
    key: KeyId
    time: Millis
    bulletins: Annotated[
        tuple[BulletinId, ...], Meta(min_length=1, max_length=LIMITS.desk_page_items)
    ]
