"""Messages of a node's session with the broker: one MessagePack array per WebSocket binary message.

The first element is the message's number. Requests carry an id chosen by the node; answers repeat
it. There is one way for entries to reach a node, the **feed**: everything in the corridors of its
agency, in log order, its own statements included. An answer only names positions; the entries,
their proofs and the signed head that covers them come with the feed, never before they are durable.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from saphan_schemas.codec import Record
from saphan_schemas.limits import KIB, LIMITS
from saphan_schemas.proof_frames import AskProofs, Note, Proofs, RequestId, ShownHead
from saphan_schemas.records import (
    AgencyId,
    BatchSignature,
    Blob,
    Blobs,
    BulletinId,
    Digest,
    Event,
    HeadRef,
    Index,
    KeyId,
    Millis,
    Origin,
    Path,
    Salt,
    Signature,
    SignatureItem,
    StanzaBytes,
)
from saphan_schemas.schema_frames import AskSchema, SchemaBundle
from saphan_schemas.succession_frames import SuccessionFromBroker, SuccessionFromNode

PROTOCOL: Final = 1
"""Version of this session protocol; there is no negotiation."""

Items = Meta(max_length=LIMITS.frame_items)
ORDER_BYTES: Final = 72 * KIB
"""A SignedOrder by 16 roots, 3.5 KiB each, and its text."""
SCHEMA_PACKAGE_BYTES: Final = LIMITS.schema_bytes + 72 * KIB
"""A SchemaPackage: a bundle, its registration by 16 roots."""

# --- opening -------------------------------------------------------------------------------------


class Challenge(Record, frozen=True, tag=1):
    """Broker, first message: its logs, 32 fresh random bytes, its clock."""

    protocol: Annotated[int, Meta(ge=0, le=65_535)]
    directory: Origin
    evidence: Origin
    nonce: Digest
    clock: Millis


class Login(Record, frozen=True, tag=2):
    """Node's answer. `signature` is over PAE("saphan/session/1", [...]) as in bytes.md, Session."""

    agency: AgencyId
    key: KeyId
    nonce: Digest
    heads: Annotated[tuple[HeadRef, ...], Meta(max_length=2)]
    """Newest verified head of each log the node knows: at most one per origin."""
    after: Index | None
    """Evidence index up to which the node has everything of its corridors; None: nothing."""
    clock: Millis
    tls: Digest | None
    """SHA-256 of the certificate that the node has seen; named to say what differs, signed too."""
    signature: Signature
    leaves: Index = 0
    """Directory leaves it holds, those after its newest verified head not verified yet: a line
    that is cut again and again brings a long directory all the same."""


class Welcome(Record, frozen=True, tag=3):
    """Session open. `token` admits to the HTTP log paths until the session ends.

    `newest` is the index of the last entry in the node's corridors now, None if there is none, and
    `leaves` how many the directory has: a node that was restored from a backup says nothing before
    it has heard so much.
    """

    token: Annotated[str, Meta(max_length=64)]
    clock: Millis
    newest: Index | None = None
    leaves: Index = 0


class Closing(Record, frozen=True, tag=4):
    """Either side, before it closes: why, and when to come again. No request is lost: unanswered
    requests are sent again in the next session.

    `shown`: what the broker has of logs that do not continue what the node has verified, so that
    the node can tell an old copy from two histories.
    """

    code: str
    message: str
    hint: str | None
    retry_after_ms: Annotated[int, Meta(ge=0, le=LIMITS.backoff_max_ms * 120)]
    shown: Annotated[tuple[ShownHead, ...], Meta(max_length=2)] = ()


# --- node to broker ------------------------------------------------------------------------------


class Submission(Record, frozen=True):
    """One bulletin consigned to its recipients; per recipient a salt and a stanza, in order."""

    header: Annotated[bytes, Meta(max_length=LIMITS.header_bytes)]
    consignment: Annotated[bytes, Meta(max_length=LIMITS.consignment_bytes)]
    item: SignatureItem
    salts: Annotated[tuple[Salt, ...], Meta(min_length=1, max_length=LIMITS.recipients)]
    stanzas: Annotated[tuple[StanzaBytes, ...], Meta(min_length=1, max_length=LIMITS.recipients)]
    ciphertext: Annotated[bytes, Meta(max_length=LIMITS.ciphertext_bytes)]
    attachments: Blobs = ()
    """Sealed attachments, all of them whole at the broker before (`Offer`, `Part`)."""


class Submit(Record, frozen=True, tag=10):
    request: RequestId
    items: Annotated[tuple[Submission, ...], Items]
    signatures: Annotated[tuple[BatchSignature, ...], Items]


class StatementItem(Record, frozen=True):
    """A signed statement about a bulletin in the corridor (sender, recipient)."""

    event: Event
    sender: AgencyId
    recipient: AgencyId
    statement: Annotated[bytes, Meta(max_length=LIMITS.statement_bytes)]
    item: SignatureItem
    salt: Salt


class State(Record, frozen=True, tag=11):
    request: RequestId
    items: Annotated[tuple[StatementItem, ...], Items]
    signatures: Annotated[tuple[BatchSignature, ...], Items]


class FetchStanzas(Record, frozen=True, tag=12):
    """Stanzas of bulletins whose handover is logged; may be asked as often as needed."""

    request: RequestId
    bulletins: Annotated[tuple[BulletinId, ...], Items]


class Register(Record, frozen=True, tag=13):
    """A directory operation (SignedOperation), a finished agreement (SignedAgreement), an order on
    one (SignedOrder), an agency's own schema (SchemaPackage), or an order to hold or to release
    (SignedHoldOrder); exactly one of the five."""

    request: RequestId
    operation: Annotated[bytes, Meta(max_length=LIMITS.operation_bytes)] | None
    agreement: Annotated[bytes, Meta(max_length=2 * LIMITS.frame_bytes)] | None
    order: Annotated[bytes, Meta(max_length=ORDER_BYTES)] | None = None
    schema: Annotated[bytes, Meta(max_length=SCHEMA_PACKAGE_BYTES)] | None = None
    hold: Annotated[bytes, Meta(max_length=ORDER_BYTES)] | None = None


class Cosign(Record, frozen=True, tag=14):
    """The node's cosignature lines (C2SP types 04 and 06) on a head it has checked."""

    head: HeadRef
    lines: Annotated[bytes, Meta(max_length=16_384)]


class Ack(Record, frozen=True, tag=15):
    """Everything of the feed up to this index is durable at the node; opens the window further."""

    after: Index


class Ping(Record, frozen=True, tag=16):
    """Either side on an idle line; the clock feeds the sequencer's 60-second check."""

    clock: Millis


# --- parts: sealed bytes that travel in pieces, resumable, beside the records ---------------------

PartData = Annotated[bytes, Meta(max_length=LIMITS.part_bytes)]


class Offer(Record, frozen=True, tag=17):
    """Node: sealed attachments it is about to bring, before the `Submit` that names them.

    The broker answers with `Held`; with an `Answer` of one result if it refuses the offer, at once
    or because of what came for it later: then nothing more of this offer is taken.
    """

    request: RequestId
    blobs: Annotated[tuple[Blob, ...], Meta(min_length=1, max_length=LIMITS.attachments)]


class Held(Record, frozen=True, tag=24):
    """Broker: how many bytes of each blob of offer `request` it holds; the node goes on from there.

    Said after the `Offer`, and again, for all of its blobs, after parts: one says it for several
    that came together. What has its full length here is whole, its digest checked. A count may
    fall: to 0 when the whole had a wrong digest, or when other attachments needed the room.
    """

    request: RequestId
    held: Annotated[tuple[Index, ...], Meta(min_length=1, max_length=LIMITS.attachments)]


class Part(Record, frozen=True, tag=18):
    """Node: the next bytes of blob `place` (from 0) of offer `request`.

    A part is written only if `offset` is what is held by then; `Held` says it either way.
    """

    request: RequestId
    place: Annotated[int, Meta(ge=0, le=LIMITS.attachments)]
    offset: Index
    data: PartData


class FetchPart(Record, frozen=True, tag=19):
    """Node: bytes of a bulletin in its mailbox: place 0 is the ciphertext, i its attachment i-1."""

    request: RequestId
    bulletin: BulletinId
    place: Annotated[int, Meta(ge=0, le=LIMITS.attachments)]
    offset: Index
    length: Annotated[int, Meta(ge=1, le=LIMITS.part_bytes)]


class PartFetched(Record, frozen=True, tag=25):
    """Broker's answer to `FetchPart`: `data` is empty at the end.

    None: `code` says why: `part_unknown` (not in this agency's mailbox), `part_withdrawn`
    (recalled, expired or destroyed), `part_missing` (the broker has lost it).
    """

    request: RequestId
    data: PartData | None
    code: str | None


class Spare(Record, frozen=True, tag=27):
    """Node: from here on the ciphertexts of routine bulletins stay at the broker until they are
    fetched (`on`), or come with their entries again."""

    on: bool


# --- broker to node ------------------------------------------------------------------------------


class Result(Record, frozen=True):
    """Outcome of one item: `code` is None when it is logged at `indices`."""

    code: str | None
    message: str
    hint: str | None
    retry_after_ms: Annotated[int, Meta(ge=0)]
    indices: Annotated[tuple[Index, ...], Meta(max_length=LIMITS.recipients)]


class Answer(Record, frozen=True, tag=20):
    """Sent only when every named index is covered by a durable signed head."""

    request: RequestId
    results: Annotated[tuple[Result, ...], Items]


class FeedEntry(Record, frozen=True):
    """One entry with its proof under the frame's head.

    `item` is None for the agency's own statements (it has them) and for the broker's events.
    `header`, `ciphertext` and `attachments` come with submitted and consigned entries to the
    recipient; of the attachments, and on a slow line of the ciphertext, length and digest only: the
    bytes are fetched in parts. `stanza` comes with the handover entry to the recipient, whose
    record under this head is the release.
    """

    index: Index
    entry: Annotated[bytes, Meta(max_length=1024)]
    salt: Salt
    path: Path
    statement: Annotated[bytes, Meta(max_length=LIMITS.consignment_bytes)]
    item: SignatureItem | None
    header: Annotated[bytes, Meta(max_length=LIMITS.header_bytes)] | None
    ciphertext: Annotated[bytes, Meta(max_length=LIMITS.ciphertext_bytes)] | Blob | None
    stanza: StanzaBytes | None
    attachments: Blobs = ()


class AnchorProof(Record, frozen=True):
    """The newest anchor leaf at or below the head, with its inclusion path."""

    index: Index
    size: Index
    root: Digest
    path: Path


class Feed(Record, frozen=True, tag=21):
    """Entries in log order under one signed head.

    Args:
        note: the signed evidence head; every path leads to its root. Empty: the head of the feed
            frame before, which travels once.
        start: size of the node's last acknowledged head for `consistency` (0: none needed).
        consistency: path from the head of size `start` to this one.
        anchor: newest anchor at or below this head, when the node has not been told it yet.
        next: index the node may acknowledge after storing this frame (`after` of `Ack`).
    """

    note: Note
    start: Index
    consistency: Path
    anchor: AnchorProof | None
    signatures: Annotated[tuple[BatchSignature, ...], Meta(max_length=2 * LIMITS.frame_items)]
    entries: Annotated[tuple[FeedEntry, ...], Items]
    next: Index


class DirectoryLeaves(Record, frozen=True, tag=22):
    """Directory leaves from `start` on, under a signed head; agreements of the node's agency,
    orders on them, and its own hold orders, in the order of their leaves.

    The note is empty when it is that of the frame before. `consistency` leads from the newest head
    that the node has verified, which it named in its login or was sent whole since.
    """

    note: Note
    start: Index
    consistency: Path
    leaves: Annotated[
        tuple[Annotated[bytes, Meta(max_length=LIMITS.leaf_bytes)], ...], Meta(max_length=1024)
    ]
    agreements: Annotated[tuple[bytes, ...], Meta(max_length=1024)]


class Witnessed(Record, frozen=True, tag=26):
    """Cosignature lines of other agencies on a head that this session was told before."""

    head: HeadRef
    lines: Annotated[bytes, Meta(min_length=1, max_length=LIMITS.note_bytes)]


class Stanzas(Record, frozen=True, tag=23):
    """Answer to FetchStanzas: None where no handover of this agency is logged."""

    request: RequestId
    stanzas: Annotated[tuple[StanzaBytes | None, ...], Items]


FromNode = (
    Login
    | Submit
    | State
    | FetchStanzas
    | Register
    | Cosign
    | Ack
    | Ping
    | Closing
    | Offer
    | Part
    | FetchPart
    | Spare
    | AskProofs
    | AskSchema
    | SuccessionFromNode
)
FromBroker = (
    Challenge
    | Welcome
    | Answer
    | Feed
    | DirectoryLeaves
    | Stanzas
    | Ping
    | Closing
    | Held
    | PartFetched
    | Witnessed
    | Proofs
    | SchemaBundle
    | SuccessionFromBroker
)


def session_context(
    origin: str, broker_nonce: bytes, node_nonce: bytes, tls: bytes | None, head: HeadRef | None
) -> list[object]:
    """Array inside PAE("saphan/session/1", ...) that the challenge signs (bytes.md, Session)."""
    return [origin, broker_nonce, node_nonce, tls, head]
