"""An evidence bundle: one bulletin's whole story in one file, as a stream of MessagePack arrays.

Whoever holds it can check, without a network, an account or a key, what was sent, by whom, what
became of it, and under which rules (`schemas/spec/evidence.md`). First a `BundleHead`, last a
`BundleEnd` whose counts must agree: a bundle that was cut is noticed. The items stand in the order
of their tags; none is larger than a record pack's.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from saphan_schemas.codec import Record
from saphan_schemas.directory_records import LogPin
from saphan_schemas.limits import KIB, LIMITS
from saphan_schemas.packs import Count, PackEntry
from saphan_schemas.records import (
    AgencyId,
    BatchSignature,
    BulletinId,
    Digest,
    Handle,
    Index,
    Millis,
    Path,
    Salt,
    Signature,
)
from saphan_schemas.succession_frames import Step

BUNDLE_FORMAT: Final = "saphan/bundle/1"
SPECIFICATION: Final = "evidence.md 1"
"""Name and version of the page whose steps a verifier takes."""


DISCLOSURE_BYTES: Final = 8 * KIB
"""A disclosure at its longest: 1,280 characters of four bytes, and room."""


class BundleHead(Record, frozen=True, tag=1):
    """Who made the bundle, when, about which bulletin; which logs, signed by which keys.

    The maker, the time and the keys are claims: the keys are those that the agreement pins, and a
    reader compares their words with the agreement on paper.
    """

    format: str
    specification: Annotated[str, Meta(max_length=64)]
    maker: AgencyId
    made: Millis
    bulletin: BulletinId
    directory: LogPin
    evidence: LogPin


class BundleNote(Record, frozen=True, tag=2):
    """The signed head of a log, with its cosignatures: one of the directory, then those of the
    evidence log by rising size, under which the paths of the bundle lead.

    One evidence head is the rule. A maker that could not reach the broker shows the heads that its
    entries rest under; whether they are of one history is then a gap unless `consistency` shows it.

    Args:
        consistency: RFC 9162 path from the evidence note before this one; empty for the first, and
            where the maker has none.
    """

    log: Literal["directory", "evidence"]
    note: Annotated[bytes, Meta(max_length=LIMITS.note_bytes)]
    consistency: Path = ()


class BundleLeaves(Record, frozen=True, tag=3):
    """Directory leaves from `start` on: all of them, for only the whole log shows that a key was
    not revoked."""

    start: Index
    leaves: Annotated[
        tuple[Annotated[bytes, Meta(max_length=LIMITS.leaf_bytes)], ...],
        Meta(min_length=1, max_length=64),
    ]


class BundlePackage(Record, frozen=True, tag=4):
    """What belongs to a leaf of the directory: an agreement (SignedAgreement) of the bulletin's
    parties, an order on it (SignedOrder), the own schema it is written in (SchemaPackage), a
    hold order that what is said of it names (SignedHoldOrder)."""

    package: Annotated[bytes, Meta(max_length=2 * LIMITS.frame_bytes)]


class BundleAnchor(Record, frozen=True, tag=5):
    """An anchor leaf with its inclusion path. For each entry the last one before it, and the first
    one after it if there is one: what both allow was allowed in between.

    Args:
        size, root: what the leaf says of the directory; head: size of the evidence note under
            which `path` leads.
    """

    index: Index
    size: Index
    root: Digest
    head: Index
    path: Path


class BundleSignature(Record, frozen=True, tag=6):
    """A batch signature; comes before the entries whose items refer to it."""

    batch: BatchSignature


class BundleEntry(Record, frozen=True, tag=7):
    """An entry as a record pack shows it, and its inclusion path; by rising index.

    What the maker has lost is left out, and is a gap: the signature that an item refers to, the
    header of a consignment.

    Args:
        head: size of the evidence note under which `path` leads.
    """

    shown: PackEntry
    head: Index
    path: Path


class Disclosure(Record, frozen=True):
    """An agency's own record that it gave the content key of one bulletin away.

    PAE type `saphan/disclosure/1`, signed by its node. The log has an `exported` statement whose
    detail commits to it under a salt.

    Args:
        key_digest: SHA-256 of the content key.
        to, reason: whom it was given to, under which legal reference; plain words.
        handle: the officer who decided it, if one did.
    """

    bulletin: BulletinId
    ciphertext: Digest
    agency: AgencyId
    key_digest: Digest
    to: Annotated[str, Meta(min_length=1, max_length=256)]
    reason: Annotated[str, Meta(min_length=1, max_length=1024)]
    handle: Handle | None
    time: Millis


class BundleDisclosure(Record, frozen=True, tag=8):
    """The content key of this one bulletin, and the signed record of its disclosure; at most one.

    It stands before the sealed bytes, so that they are opened as they are read.

    Args:
        disclosure: exact bytes of a `Disclosure`; salt: what the logged statement's detail,
            HMAC-SHA-256(salt, PAE("saphan/disclosure/1", disclosure)), was made with.
    """

    content_key: Digest
    disclosure: Annotated[bytes, Meta(max_length=8192)]
    signature: Signature
    salt: Salt


class BundleBody(Record, frozen=True, tag=9):
    """Sealed bytes: place 0 is the ciphertext, i the attachment i-1; pieces in order, none empty.

    A place that is left out is shown by its digest only: it was destroyed, or kept back.
    """

    place: Annotated[int, Meta(ge=0, le=LIMITS.attachments)]
    data: Annotated[bytes, Meta(min_length=1, max_length=LIMITS.part_bytes)]


class BundleEnd(Record, frozen=True, tag=10):
    """How many items of each tag from 2 to 9 came before, in the order of the tags; then how many
    of tag 11, if there are any."""

    counts: Annotated[tuple[Count, ...], Meta(min_length=8, max_length=9)]


class BundleSuccession(Record, frozen=True, tag=11):
    """How the bundle's log came to follow a lost one, or which log has followed it: at most one of
    each, the older first. The last items before the end."""

    step: Step


BundleItem = (
    BundleHead
    | BundleNote
    | BundleLeaves
    | BundlePackage
    | BundleAnchor
    | BundleSignature
    | BundleEntry
    | BundleDisclosure
    | BundleBody
    | BundleSuccession
    | BundleEnd
)
