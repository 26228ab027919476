"""Facts that an evidence bundle shows: everything here has passed its steps (evidence.md)."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from saphan_schemas.directory_records import WitnessPolicy
from saphan_schemas.records import Blob, Blobs, Header

from saphan_protocol.words import fingerprint_words


class Proof(enum.StrEnum):
    """What an event rests on, beside its place in the log under a signed head."""

    SIGNED = "signed"
    """The issuer's signature, by a key that the directory lists."""
    VOUCHED = "vouched"
    """The broker's own event: the log's head vouches for it, nobody else signs it."""
    UNSIGNED = "unsigned"
    """An agency's record whose signature is not in the bundle: that it was logged is all."""


@dataclass(frozen=True, slots=True)
class KeySeen:
    """A key of the directory; `added` and `revoked` are directory leaves."""

    key_id: bytes
    agency: str
    role: str
    handle: str | None
    added: int
    revoked: int | None

    @property
    def words(self) -> str:
        """The key id as 20 words."""
        return fingerprint_words(self.key_id)


@dataclass(frozen=True, slots=True)
class WitnessSeen:
    """An agency whose two witness lines on a head hold; `time` in POSIX seconds, its own clock."""

    agency: str
    key_id: bytes
    time: int


@dataclass(frozen=True, slots=True)
class HeadSeen:
    """A verified head; `time` in POSIX seconds, the log's own.

    Args:
        linked: shown to continue the evidence head before it; True for a first one.
    """

    log: Literal["directory", "evidence"]
    origin: str
    size: int
    root: bytes
    time: int
    witnesses: tuple[WitnessSeen, ...] = ()
    linked: bool = True


@dataclass(frozen=True, slots=True)
class SuccessionSeen:
    """An evidence log that was lost and the one that follows it, as the log's own keys have said.

    Args:
        lost, follows: their origins.
        size, root: the largest head of the lost one that anybody reported.
    """

    lost: str
    follows: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class PartySeen:
    """A party of an agreement and the ids of the roots that the agreement pins for it."""

    agency: str
    roots: tuple[bytes, ...]
    threshold: int

    @property
    def words(self) -> tuple[str, ...]:
        """Each root's id as 20 words."""
        return tuple(fingerprint_words(root) for root in self.roots)


@dataclass(frozen=True, slots=True)
class OrderSeen:
    """An order on an agreement; `index` is its directory leaf, `time` (ms) its maker's claim."""

    index: int
    agency: str
    action: Literal["suspend", "resume", "terminate"]
    time: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class AgreementSeen:
    """An agreement that the bundle opens; `name` is the identity of its text, times in ms."""

    name: bytes
    index: int
    reference: str
    title: str
    instrument: str
    parties: tuple[PartySeen, ...]
    valid_from: int
    valid_until: int
    policy: WitnessPolicy
    orders: tuple[OrderSeen, ...] = ()

    @property
    def words(self) -> str:
        """The text's identity as 20 words: what stands on the agreement on paper."""
        return fingerprint_words(self.name)


@dataclass(frozen=True, slots=True)
class EventSeen:
    """One entry of the evidence log that is about the bulletin.

    Args:
        index: leaf of the evidence log; number: the entry's running number in its corridor.
        event: `submitted`, `consigned`, or an event of receipts.md.
        time: when the broker logged it, ms; stated: when its issuer says that it was, ms.
        issuer: the agency that says it, or `broker`.
        key: what signed it; None for the broker's own events and where no signature is shown.
        detail: whether it carries a sealed reason or a commitment.
        head: size of the evidence head over it.
        anchor: directory size of the last anchor shown before it, by which it was judged.
        bound: POSIX seconds: some witness had seen it logged by then; None if none is shown.
    """

    index: int
    number: int
    sender: str
    recipient: str
    event: str
    time: int
    stated: int | None
    issuer: str
    proof: Proof
    key: KeySeen | None
    code: str | None
    detail: Literal["sealed", "commitment"] | None
    head: int
    anchor: int
    bound: int | None


@dataclass(frozen=True, slots=True)
class DeliverySeen:
    """What became of the bulletin for one recipient, as far as the bundle shows it.

    Args:
        state: state of receipts.md after the last event shown; None if no event is shown.
        events: evidence leaves of its events, in the order of the log.
        agreement: identity of the agreement that permitted the first consignment shown.
        policy: that agreement's, or the default of one other agency.
        witnessed: the policy asks for witnesses, and every event shown has them.
        whole: nothing else was logged in this corridor between its first and its last event.
        closed: leaves of the directory, after the agreement's, that nobody opened: orders on it
            and renewals of it may be among them.
    """

    recipient: str
    state: str | None
    events: tuple[int, ...]
    agreement: bytes | None
    policy: WitnessPolicy
    witnessed: bool
    whole: bool
    closed: int


@dataclass(frozen=True, slots=True)
class BulletinSeen:
    """The bulletin itself; lengths and digests are what its id covers.

    Args:
        shown: places whose sealed bytes are in the bundle and right: 0 is the ciphertext, i the
            attachment i-1.
    """

    bulletin: bytes
    header: Header
    ciphertext: Blob
    attachments: Blobs
    shown: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class DisclosureSeen:
    """Who gave the content key away, to whom, why (the discloser's words), when (ms, its claim).

    Args:
        index: evidence leaf of the `exported` statement that commits to it; None if not shown.
    """

    agency: str
    to: str
    reason: str
    handle: str | None
    time: int
    key: KeySeen
    index: int | None


@dataclass(frozen=True, slots=True)
class AttachmentSeen:
    """An attachment as the author signed it; `opened`: its sealed bytes are here and are that."""

    name: str
    media_type: str
    plain: Blob
    opened: bool


@dataclass(frozen=True, slots=True)
class ContentSeen:
    """What the bulletin says, opened with the disclosed key and signed by its authors.

    Args:
        content: the map {about, body, attachments}.
        authors: keys that signed it; an author without a handle is the sender's node.
        schema_checked: it keeps the schema that the header names.
    """

    content: Mapping[str, Any]
    content_bytes: bytes
    authors: tuple[KeySeen, ...]
    schema_checked: bool
    attachments: tuple[AttachmentSeen, ...] = ()
