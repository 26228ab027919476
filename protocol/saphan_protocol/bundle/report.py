"""What the check of an evidence bundle says: verdict, facts, gaps, and what nobody has proven.

Steps are those of `schemas/spec/evidence.md`. Facts (`facts`) have passed their steps; what the
bundle merely claims is called a claim. Whoever shows a verdict to people takes the sentences
from the message catalogue: `verdict.<outcome>`, `evidence_step.<step>`, `gap.<code>`,
`unproven.<code>`, each with the remark's values; `error.<code>` for the finding.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from saphan_schemas.directory_records import LogPin

from saphan_protocol.bundle.facts import (
    AgreementSeen,
    BulletinSeen,
    ContentSeen,
    DeliverySeen,
    DisclosureSeen,
    EventSeen,
    HeadSeen,
    SuccessionSeen,
)
from saphan_protocol.words import fingerprint_words


class BundleStep(enum.StrEnum):
    """Numbered steps of `schemas/spec/evidence.md`, in the order in which they are taken."""

    FORM = "V1"
    PINS = "V2"
    DIRECTORY_HEAD = "V3"
    EVIDENCE_HEADS = "V4"
    DIRECTORY_LEAVES = "V5"
    DIRECTORY_REPLAY = "V6"
    AGREEMENTS = "V7"
    WITNESSES = "V8"
    ANCHORS = "V9"
    LOGGED = "V10"
    CORRIDOR = "V11"
    CONSIGNMENT = "V12"
    STATEMENT = "V13"
    DELIVERY = "V14"
    DISCLOSURE = "V15"
    BODIES = "V16"
    CONTENT = "V17"
    SUCCESSION = "V18"


class Outcome(enum.StrEnum):
    """The verdict in one word."""

    VALID = "valid"
    GAPS = "valid_with_gaps"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Finding:
    """The first thing wrong; `index` is a leaf of the log at hand, where it is about one."""

    step: BundleStep
    code: str
    message: str
    index: int | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Remark:
    """A gap, or something that a bundle cannot prove: code and values of its sentence.

    Args:
        values: what the sentence names; texts and numbers only. `index`: evidence leaf; `agency`,
            `key` (hexadecimal id), `names` (joined by commas), `code`, `count`.
    """

    code: str
    values: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(slots=True)
class StepSeen:
    """A step: how far it came, and on how many things it was taken."""

    step: BundleStep
    state: Literal["passed", "failed", "not_needed", "not_reached"]
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of `verify_bundle`. Of an invalid bundle only `finding` counts.

    Args:
        finding: what makes it invalid; None otherwise.
        gaps: what was meant to be shown and is not; a bundle with any is `valid_with_gaps`.
        steps: every step, in order.
        maker, made, specification: claims of the bundle, ms.
        pins: the logs' pins as the bundle gives them (directory, evidence).
        pins_digest: SHA-256 of both without their numbers: its words are those that agencies
            compare when they pin a broker.
        pinned: the reader's own pins are these; False if none were given.
        unproven: what no bundle, or not this one, can prove; always said.
    """

    outcome: Outcome
    finding: Finding | None
    gaps: tuple[Remark, ...]
    steps: tuple[StepSeen, ...]
    maker: str
    made: int
    specification: str
    bulletin_id: bytes
    pins: tuple[LogPin, LogPin]
    pins_digest: bytes | None
    pinned: bool
    unproven: tuple[Remark, ...] = ()
    heads: tuple[HeadSeen, ...] = ()
    agreements: tuple[AgreementSeen, ...] = ()
    bulletin: BulletinSeen | None = None
    deliveries: tuple[DeliverySeen, ...] = ()
    events: tuple[EventSeen, ...] = ()
    disclosure: DisclosureSeen | None = None
    content: ContentSeen | None = None
    successions: tuple[SuccessionSeen, ...] = ()

    @property
    def pins_words(self) -> str | None:
        """20 words of the logs' pins, as on the invitation and in the agreement on paper."""
        return None if self.pins_digest is None else fingerprint_words(self.pins_digest)


GAPS: Final = frozenset(
    {
        "agreement_between",  # an agreement was stopped between the anchors shown
        "agreement_missing",  # no agreement of this pair is opened
        "agreement_unconfirmed",  # hidden leaves, and nothing signed by the recipient
        "content_faulty",  # the content is wrong in the way for which it was rejected
        "content_unopened",  # disclosed, and the ciphertext is not here
        "directory_older",  # the directory's head is older than an entry without a later anchor
        "directory_unwitnessed",  # what was not revoked rests on a head that nobody cosigned
        "disclosure_unlogged",  # no `exported` entry commits to the disclosure
        "first_missing",  # the first admission is not shown
        "hold_closed",  # a hold's order is in the directory, and not in the bundle
        "heads_unlinked",  # two evidence heads that are not shown to be of one history
        "recipient_missing",  # the sender shows nothing of a recipient that it consigned to
        "revoked_between",  # a key was revoked between the anchors shown
        "schema_unknown",  # this program does not have the schema
        "seen_differs",  # the sender had seen another history, or says so
        "signature_missing",  # an agency's record without its signature
        "successor_denies",  # the log that follows names less than is shown here, or another head
        "steps_missing",  # an event that only follows if others, not shown, came between
        "unwitnessed",  # the agreement's witness policy is not met
    }
)
"""Codes of `Verdict.gaps`."""

UNPROVEN: Final = frozenset(
    {
        "attachments_absent",  # sealed attachments that are not in the file
        "body_absent",  # the ciphertext is not in the file: its digest is
        "content",  # what the bulletin says: no content key
        "copies",  # that what was destroyed or erased exists nowhere else
        "maker",  # who made the file
        "nothing_else",  # that nothing else was logged about the bulletin
        "other_agreements",  # leaves that nobody opened may be orders on the agreement
        "pins",  # that the logs' keys are those that the parties have pinned
        "reader",  # who has read it
        "reasons",  # why it was rejected, sealed to the originator
        "recipients_unshown",  # what became of it for other recipients
        "refusals",  # why the broker refused a submission
        "roots",  # that the root keys are the agencies': the agreement on paper says it
        "second_history",  # that no other history was shown to others
        "stanza",  # when, and whether, the key arrived
        "times",  # times beyond what witnesses bound
    }
)
"""Codes of `Verdict.unproven`."""
