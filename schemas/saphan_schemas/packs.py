"""A record pack: what a broker or a node hands an auditor, as a stream of MessagePack arrays.

The log commits to entries with salts and shows nothing of them; a pack opens the commitments of
the leaves that its maker may show. It holds no key and no content. First a `PackHead`, last a
`PackEnd` whose counts must agree: a pack that was cut is noticed.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from saphan_schemas.codec import Record
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import (
    BatchSignature,
    Blob,
    Blobs,
    Index,
    Issuer,
    Millis,
    Origin,
    Salt,
    SignatureItem,
)

PACK_FORMAT: Final = "saphan/pack/1"
Count = Annotated[int, Meta(ge=0, le=2**53)]


class PackHead(Record, frozen=True, tag=1):
    """Who made the pack, when, over which log and which leaves [start, stop)."""

    format: str
    maker: Issuer
    made: Millis
    directory: Origin
    evidence: Origin
    start: Index
    stop: Index


class PackAgreement(Record, frozen=True, tag=2):
    """A finished agreement (SignedAgreement bytes) that the directory log commits to."""

    package: Annotated[bytes, Meta(max_length=2 * LIMITS.frame_bytes)]


class PackNote(Record, frozen=True, tag=6):
    """A signed head of the evidence log that its maker has kept, with cosignatures; by rising size,
    after the agreements: it bounds the times of the entries before and after it."""

    note: Annotated[bytes, Meta(max_length=LIMITS.note_bytes)]


class PackSignature(Record, frozen=True, tag=3):
    """A batch signature; comes before the entries whose items refer to it."""

    batch: BatchSignature


class PackEntry(Record, frozen=True, tag=4):
    """One opened leaf.

    Args:
        item: None for the broker's own events, which the head vouches for.
        header, ciphertext, attachments: with submitted and consigned entries: exact header bytes,
            and length and digest of the ciphertext and of each sealed attachment (the bytes
            themselves are never in a pack).
    """

    index: Index
    entry: Annotated[bytes, Meta(max_length=1024)]
    salt: Salt
    statement: Annotated[bytes, Meta(max_length=LIMITS.consignment_bytes)]
    item: SignatureItem | None
    header: Annotated[bytes, Meta(max_length=LIMITS.header_bytes)] | None
    ciphertext: Blob | None
    attachments: Blobs = ()


class PackEnd(Record, frozen=True, tag=5):
    """How many of each came before."""

    agreements: Count
    notes: Count
    signatures: Count
    entries: Count


PackItem = PackHead | PackAgreement | PackNote | PackSignature | PackEntry | PackEnd
