"""Messages between an officer's desk and the agency's node: one MessagePack array per message.

The first element is the message's number. The desk asks, the node answers in the order of the
asking; besides that the node says only that there is news. Numbered steps are those of
schemas/spec/desk.md.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from saphan_schemas.codec import Record
from saphan_schemas.limits import KIB, LIMITS
from saphan_schemas.records import (
    AgencyId,
    Blob,
    BulletinId,
    Digest,
    Handle,
    Index,
    KeyId,
    Millis,
    SchemaName,
    Signature,
)

DESK_PROTOCOL: Final = 1
"""Version of this protocol; there is no negotiation."""
DESK_SESSION_TYPE: Final = "saphan/desk_session/1"
"""PAE type of what an officer signs to open a session."""

RequestId = Annotated[int, Meta(ge=0, le=2**53)]
Text = Annotated[str, Meta(max_length=LIMITS.desk_text_chars)]
Family = Literal["input", "refused", "later", "operator"]
"""Who must act: the four families of errors."""
PartData = Annotated[bytes, Meta(max_length=LIMITS.part_bytes)]

# --- opening -------------------------------------------------------------------------------------


class DeskChallenge(Record, frozen=True, tag=1):
    """Node, first message: whose it is, 32 fresh random bytes, its clock."""

    protocol: Annotated[int, Meta(ge=0, le=65_535)]
    agency: AgencyId
    nonce: Digest
    clock: Millis


class DeskLogin(Record, frozen=True, tag=2):
    """Desk's answer. `signature` is the officer's over `desk_session_context`."""

    key: KeyId
    nonce: Digest
    clock: Millis
    tls: Digest
    """SHA-256 of the certificate that the desk sees."""
    signature: Signature


class DeskWelcome(Record, frozen=True, tag=3):
    """Session open, for the officer whose key has signed."""

    handle: Handle
    clock: Millis


class DeskClosing(Record, frozen=True, tag=4):
    """Node, before it closes: why."""

    family: Family
    code: Text
    message: Text
    field: Text | None
    hint: Text | None
    retry_after_ms: Annotated[int, Meta(ge=0, le=2**53)]


# --- desk to node --------------------------------------------------------------------------------


class AskIdentity(Record, frozen=True, tag=10):
    """What the agency may send to whom; `known`: digest of the answer that the desk has already."""

    request: RequestId
    known: Digest | None


class AskInbox(Record, frozen=True, tag=11):
    """Received bulletins that the rules show this officer, after a place of the inbox."""

    request: RequestId
    after: Index
    limit: Annotated[int, Meta(ge=1, le=LIMITS.desk_page_items)]


class AskStatus(Record, frozen=True, tag=12):
    """One bulletin's life; `bulletin` is its id in hexadecimal digits, or 8 or more of them."""

    request: RequestId
    bulletin: Annotated[str, Meta(max_length=64)]


class AskRead(Record, frozen=True, tag=13):
    """The officer has signed `record` (OfficerRead) and asks for the content."""

    request: RequestId
    bulletin: BulletinId
    record: Annotated[bytes, Meta(max_length=1024)]
    signature: Signature


class AskSend(Record, frozen=True, tag=14):
    """A bulletin that the officer has signed; asked again, it gets the first answer."""

    request: RequestId
    header: Annotated[bytes, Meta(max_length=LIMITS.header_bytes)]
    inner: Annotated[bytes, Meta(max_length=4096)]
    signature: Signature
    content: Annotated[bytes, Meta(max_length=LIMITS.content_bytes)]


class AskUpload(Record, frozen=True, tag=15):
    """An attachment, in clear, that an `AskSend` will name: how much of it does the node hold?"""

    request: RequestId
    blob: Blob


class AskPart(Record, frozen=True, tag=16):
    """The next bytes of an attachment; `offset` is what the node holds of it already."""

    request: RequestId
    blob: Blob
    offset: Index
    data: PartData


class AskFetch(Record, frozen=True, tag=17):
    """Bytes of an attachment, in clear, of a bulletin that this officer has read, or of one that
    waits for a second officer and that they have read under its id there."""

    request: RequestId
    bulletin: BulletinId
    number: Annotated[int, Meta(ge=1, le=LIMITS.attachments)]
    offset: Index
    length: Annotated[int, Meta(ge=1, le=LIMITS.part_bytes)]


class AskWaiting(Record, frozen=True, tag=18):
    """Bulletins that wait for a second officer: this officer's own, and those they may sign."""

    request: RequestId


class AskDraft(Record, frozen=True, tag=19):
    """The officer has signed `record` (OfficerRead) and asks for what waits under this id."""

    request: RequestId
    draft: Digest
    record: Annotated[bytes, Meta(max_length=1024)]
    signature: Signature


class AskSecond(Record, frozen=True, tag=25):
    """The officer signs second; asked again, it gets the first answer."""

    request: RequestId
    draft: Digest
    signature: Signature


class AskRefuse(Record, frozen=True, tag=26):
    """The officer does not sign second, or takes back their own: `record` is OfficerRefusal."""

    request: RequestId
    draft: Digest
    record: Annotated[bytes, Meta(max_length=4096)]
    signature: Signature


# --- node to desk --------------------------------------------------------------------------------


class DeskAnswer(Record, frozen=True, tag=20):
    """A JSON object; for a status and for content that of the node's local API."""

    request: RequestId
    value: Annotated[bytes, Meta(max_length=LIMITS.desk_answer_bytes)]


class DeskRefusal(Record, frozen=True, tag=21):
    """Why there is no answer; the session goes on."""

    request: RequestId
    family: Family
    code: Text
    message: Text
    field: Text | None
    hint: Text | None
    retry_after_ms: Annotated[int, Meta(ge=0, le=2**53)]


class DeskHeld(Record, frozen=True, tag=22):
    """Bytes of an attachment that the node holds durably; go on from there."""

    request: RequestId
    held: Index


class DeskPart(Record, frozen=True, tag=23):
    """Bytes of an attachment; fewer than asked for at its end."""

    request: RequestId
    data: PartData


class DeskNews(Record, frozen=True, tag=24):
    """Something came, or something happened to a bulletin: ask for the inbox. Comes unasked.

    `named`: bulletins that nobody has read, and for which the settings name this officer now; and
    bulletins with a deadline that is near and concerns this officer.
    """

    clock: Millis
    named: Annotated[tuple[BulletinId, ...], Meta(max_length=LIMITS.desk_named)] = ()


class AskType(Record, frozen=True, tag=27):
    """The bundle of an agency's own type, to write in it without the line."""

    request: RequestId
    name: SchemaName


class AskKeeping(Record, frozen=True, tag=28):
    """How long the desk keeps what it was given: what it has not heard of that yet.

    `taken`: mark of the answer before this one in this session, which the desk has kept; 0: none.
    """

    request: RequestId
    taken: Index


class AskErased(Record, frozen=True, tag=29):
    """The desk has erased what it kept of bulletins: `record` is DeskErasure, by the officer."""

    request: RequestId
    record: Annotated[bytes, Meta(max_length=8 * KIB)]
    signature: Signature


class AskExported(Record, frozen=True, tag=30):
    """Something left the desk for a file of the officer's: `record` is Export, by the officer."""

    request: RequestId
    record: Annotated[bytes, Meta(max_length=KIB)]
    signature: Signature


class AskRecall(Record, frozen=True, tag=31):
    """Take back what this officer wrote, or see how its recall stands.

    Args:
        bulletin: id, or how it begins; reason: code of a recall; None: only how it stands.
    """

    request: RequestId
    bulletin: Annotated[str, Meta(pattern=r"\A[0-9a-f]{8,64}\Z")]
    reason: Annotated[str, Meta(pattern=r"\A[a-z_]{1,32}\Z")] | None


class AskOwed(Record, frozen=True, tag=32):
    """Requests that somebody still has to answer, as far as the rules show them, after a place.

    `known`: digest of the answer to this very question that the desk has already.
    """

    request: RequestId
    after: Index
    known: Digest | None


class AskEvidence(Record, frozen=True, tag=33):
    """A bulletin's evidence as one file, for the officer to carry away: an export of this desk.

    Args:
        attachments: whether the sealed bytes of attachments go in too.
    """

    request: RequestId
    bulletin: BulletinId
    attachments: bool


class AskEvidencePart(Record, frozen=True, tag=34):
    """Bytes of the file that this session's last `AskEvidence` has made."""

    request: RequestId
    bulletin: BulletinId
    offset: Index
    length: Annotated[int, Meta(ge=1, le=LIMITS.part_bytes)]


class AskRecallAnswer(Record, frozen=True, tag=35):
    """Answer what another agency recalls, for this one.

    Args:
        declined: code of why it is kept; None: it is erased and obeyed.
    """

    request: RequestId
    bulletin: BulletinId
    declined: Annotated[str, Meta(pattern=r"\A[a-z_]{1,32}\Z")] | None


DeskQuestion = (
    AskIdentity
    | AskInbox
    | AskStatus
    | AskRead
    | AskSend
    | AskUpload
    | AskPart
    | AskFetch
    | AskWaiting
    | AskDraft
    | AskSecond
    | AskRefuse
    | AskType
    | AskKeeping
    | AskErased
    | AskExported
    | AskRecall
    | AskOwed
    | AskEvidence
    | AskEvidencePart
    | AskRecallAnswer
)
FromDesk = DeskLogin | DeskQuestion
FromNodeToDesk = (
    DeskChallenge
    | DeskWelcome
    | DeskClosing
    | DeskAnswer
    | DeskRefusal
    | DeskHeld
    | DeskPart
    | DeskNews
)


def desk_session_context(
    agency: str, node_nonce: bytes, desk_nonce: bytes, tls: bytes
) -> list[object]:
    """Array inside PAE("saphan/desk_session/1", ...) that the officer signs.

    Args:
        tls: SHA-256 of the certificate that both ends see.
    """
    return [agency, node_nonce, desk_nonce, tls]
