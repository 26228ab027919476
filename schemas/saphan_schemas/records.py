"""The records that agencies sign, seal and log: MessagePack arrays in declared order (bytes.md).

Times are milliseconds UTC since 1970, days are days since 1970-01-01, digests are SHA-256.
A record's PAE type is `saphan/<name>/1`, given by `PAE_TYPES`.
"""

from __future__ import annotations

import enum
from typing import Annotated, Final, Literal

from msgspec import Meta

from saphan_schemas.codec import Record
from saphan_schemas.limits import DAY_MS, LIMITS

Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]
KeyId = Digest
BulletinId = Digest
Salt = Digest
LAST_DAY: Final = 2_932_896
"""31 December 9999: what calendars of other programs end with, and a time in a record must not
break whoever shows it."""
Millis = Annotated[int, Meta(ge=0, lt=(LAST_DAY + 1) * DAY_MS)]
Day = Annotated[int, Meta(ge=0, le=LAST_DAY)]
Index = Annotated[int, Meta(ge=0, le=2**53)]
AgencyId = Annotated[str, Meta(pattern=r"\A[a-z]{2}\.[a-z][a-z0-9-]{0,30}\Z")]
BROKER: Final = "broker"
"""Issuer of the broker's own events, which carry no signature: the log's head vouches for them."""
Issuer = Annotated[str, Meta(pattern=r"\A([a-z]{2}\.[a-z][a-z0-9-]{0,30}|broker)\Z")]
Handle = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9-]{0,30}\Z")]
SchemaName = Annotated[
    str, Meta(pattern=r"\A[a-z][a-z0-9.-]{0,33}/[a-z][a-z0-9_]{0,40}/[0-9]{1,3}\Z")
]
"""`<owner>/<type>/<version>`: `saphan`, or an agency's id, which may have 34 characters."""
Origin = Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9./-]{0,120}\Z")]
CompositeSignature = Annotated[bytes, Meta(min_length=3373, max_length=3373)]
StanzaBytes = Annotated[bytes, Meta(min_length=1168, max_length=1168)]
Path = Annotated[tuple[Digest, ...], Meta(max_length=LIMITS.proof_hashes)]

SUITE: Final = 1
"""HPKE 0x647a/0x0001/0x0002, Cobblestone-256, id-MLDSA65-Ed25519-SHA512, SHA-256. No other."""

Tlp = Literal["clear", "green", "amber", "amber+strict", "red"]
TLP_ORDER: Final[tuple[Tlp, ...]] = ("clear", "green", "amber", "amber+strict", "red")
HandlingCode = Literal["H0", "H1", "H2", "H3"]
Urgency = Literal["routine", "priority", "immediate"]


class Role(enum.StrEnum):
    """What a key may do; a key has exactly one role."""

    ROOT = "root"
    ORDER = "order"
    NODE = "node"
    OFFICER = "officer"
    MAILBOX = "mailbox"
    WITNESS = "witness"


class Event(enum.StrEnum):
    """Statement types of a delivery; the PAE type of the statement is `saphan/<event>/1`."""

    HANDOVER = "handover"
    UNOPENED = "unopened"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    READ = "read"
    RECALLED = "recalled"
    UNANSWERED = "unanswered"
    EXPIRED = "expired"
    REFUSED = "refused"
    EXPORTED = "exported"
    DESTROYED = "destroyed"
    HELD = "held"
    RELEASED = "released"
    ERASED = "erased"
    OBEYED = "obeyed"
    DECLINED = "declined"
    HOLD_ASKED = "hold_asked"
    HOLD_ANSWERED = "hold_answered"


# --- signatures (design section 2) ---------------------------------------------------------------


class SignatureItem(Record, frozen=True):
    """One item's place in a signed batch. The signature itself is stored and sent once."""

    key: KeyId
    size: Annotated[int, Meta(ge=1, le=LIMITS.batch_items)]
    index: Annotated[int, Meta(ge=0, lt=LIMITS.batch_items)]
    path: Annotated[tuple[Digest, ...], Meta(max_length=16)]
    salt: Salt


class BatchSignature(Record, frozen=True):
    """A key's signature over PAE("saphan/batch/1", [role, size, root])."""

    key: KeyId
    size: Annotated[int, Meta(ge=1, le=LIMITS.batch_items)]
    root: Digest
    signature: CompositeSignature


class Signature(Record, frozen=True):
    """An item with its own signature: complete by itself (officers, roots, orders, inners)."""

    item: SignatureItem
    signature: CompositeSignature


# --- a bulletin (design section 3) ---------------------------------------------------------------


class Marking(Record, frozen=True):
    tlp: Tlp
    codes: Annotated[tuple[HandlingCode, ...], Meta(min_length=1, max_length=4)]


class Header(Record, frozen=True):
    """The meaning of a bulletin, in clear; never changes."""

    suite: Annotated[int, Meta(ge=0, le=65_535)]
    nonce: Annotated[bytes, Meta(min_length=16, max_length=16)]
    sender: AgencyId
    recipients: Annotated[tuple[AgencyId, ...], Meta(min_length=1, max_length=LIMITS.recipients)]
    schema: SchemaName
    schema_digest: Digest
    marking: Marking
    urgency: Urgency
    exercise: bool
    created: Millis
    expires: Millis
    answer_by: Millis | None
    retain_until: Day


class Blob(Record, frozen=True):
    """Length in bytes and SHA-256 of bytes that travel beside a record."""

    length: Annotated[int, Meta(ge=0, le=2**53)]
    digest: Digest


Blobs = Annotated[tuple[Blob, ...], Meta(max_length=LIMITS.attachments)]


class Inner(Record, frozen=True):
    """What the officer signs: who wrote which content under which header."""

    author: Handle | None
    author_key: KeyId
    header: Digest
    content: Digest
    attachments: Blobs


class Sealed(Record, frozen=True):
    """Plaintext of the ciphertext, before padding."""

    inner: Annotated[bytes, Meta(max_length=4096)]
    signatures: Annotated[tuple[Signature, ...], Meta(min_length=1, max_length=2)]
    content: Annotated[bytes, Meta(max_length=LIMITS.content_bytes)]


class Bulletin(Record, frozen=True):
    """The bulletin id is the identity of this record."""

    header: Digest
    ciphertext: Blob
    attachments: Blobs


class HeadRef(Record, frozen=True):
    """A log head by its value: origin, number of leaves, root."""

    origin: Origin
    size: Index
    root: Digest


class StanzaRef(Record, frozen=True):
    agency: AgencyId
    mailbox_key: KeyId
    stanza: Digest


class Consignment(Record, frozen=True):
    """Carriage; signed by the sender's node; may be made again for the same bulletin."""

    bulletin: BulletinId
    node_key: KeyId
    seen: HeadRef | None
    recipients: Annotated[tuple[StanzaRef, ...], Meta(min_length=1, max_length=LIMITS.recipients)]


# --- statements and entries ----------------------------------------------------------------------


class SealedDetail(Record, frozen=True):
    """A rejection's detail that only the originator can read: HPKE of 1 KiB."""

    mailbox_key: KeyId
    sealed: Annotated[bytes, Meta(min_length=2160, max_length=2160)]


class Statement(Record, frozen=True):
    """What an agency's node says about a bulletin; the event is its PAE type."""

    bulletin: BulletinId
    ciphertext: Digest
    issuer: Issuer
    time: Millis
    code: Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_]{0,40}\Z")] | None
    detail: SealedDetail | Digest | None


class Targeted(Statement, frozen=True):
    """A statement about one delivery: `target` is the index of its `submitted` leaf."""

    target: Index


class ExportCount(Record, frozen=True):
    """How many exports of one kind (a code of `exported`) a holder knows of."""

    kind: Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_]{0,40}\Z")]
    count: Annotated[int, Meta(ge=1, le=2**32 - 1)]


class ErasureDetail(Record, frozen=True):
    """What a holder tells the originator when it has erased: exports that it knows, and its desks.

    Args:
        exports: counts by kind, kinds sorted and each once.
        confirmed: desks that have said that they erased.
        waiting: desks that had it and have not said so yet.
    """

    exports: Annotated[tuple[ExportCount, ...], Meta(max_length=8)]
    confirmed: Annotated[int, Meta(ge=0, le=65_535)]
    waiting: Annotated[int, Meta(ge=0, le=65_535)]


class OfficerRead(Record, frozen=True):
    """An officer's own signed reading; stays in the node, which commits to it with its salt."""

    bulletin: BulletinId
    agency: AgencyId
    handle: Handle
    key: KeyId
    time: Millis


class Entry(Record, frozen=True):
    """The broker's entry about a submitted statement; the evidence log commits to it."""

    sender: AgencyId
    recipient: AgencyId
    number: Annotated[int, Meta(ge=1, le=2**53)]
    previous: Index | None
    time: Millis
    type: Annotated[str, Meta(pattern=r"\Asaphan/[a-z_]{1,32}/1\Z")]
    statement: Digest


class LeafType(enum.IntEnum):
    """First byte of an evidence leaf (1..31) or of a directory leaf (33..)."""

    SUBMITTED = 1
    CONSIGNED = 2
    HANDOVER = 3
    UNOPENED = 4
    ACCEPTED = 5
    REJECTED = 6
    READ = 7
    RECALLED = 8
    EXPIRED = 9
    REFUSED = 10
    DESTROYED = 11
    HELD = 12
    RELEASED = 13
    EXPORTED = 14
    ANCHOR = 15
    SUCCESSOR = 16
    UNANSWERED = 17
    ERASED = 18
    OBEYED = 19
    DECLINED = 20
    HOLD_ASKED = 21
    HOLD_ANSWERED = 22
    OPERATION = 33
    AGREEMENT = 34
    TYPES = 35
    ORDER = 36
    SCHEMA = 37
    HOLD = 38


PAE_TYPES: Final[dict[type[Record], str]] = {
    Header: "saphan/header/1",
    Inner: "saphan/inner/1",
    Bulletin: "saphan/bulletin/1",
    Consignment: "saphan/consignment/1",
    OfficerRead: "saphan/officer_read/1",
    Entry: "saphan/entry/1",
}


TARGETED: Final = frozenset({Event.DESTROYED, Event.HELD, Event.RELEASED})
"""Events that are about one delivery: their leaf shows its `submitted` leaf's index in clear."""


def statement_record(event: Event) -> type[Statement]:
    """The record that a statement of `event` is: every decoder asks here."""
    return Targeted if event in TARGETED else Statement


def statement_of(
    event: Event,
    bulletin: bytes,
    ciphertext: bytes,
    issuer: str,
    time: int,
    code: str | None = None,
    detail: SealedDetail | bytes | None = None,
    target: int | None = None,
) -> Statement:
    """The statement of an event; `target` for `TARGETED` events, and for no other."""
    if (event in TARGETED) != (target is not None):
        raise RuntimeError(f"{event} with target {target}")
    if target is None:
        return Statement(bulletin, ciphertext, issuer, time, code, detail)
    return Targeted(bulletin, ciphertext, issuer, time, code, detail, target)


def statement_type(event: Event) -> str:
    """PAE type of a statement: `saphan/<event>/1`."""
    return f"saphan/{event.value}/1"
