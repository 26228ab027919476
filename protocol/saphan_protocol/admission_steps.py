"""The steps of admission that judge a parsed submission (schemas/spec/admission.md).

`admission.admit` calls each once; a step refuses with its own code and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import SUITE, Blob, Blobs, Consignment, Header, Role, StanzaRef

from saphan_protocol.agreement import NEAREST, permits
from saphan_protocol.batch import VerifiedRoots
from saphan_protocol.content import (
    ATTACHMENT_SEALED_BYTES,
    ATTACHMENTS_SEALED_BYTES,
    ciphertext_length_valid,
)
from saphan_protocol.directory import Directory
from saphan_protocol.identity import sha256


@dataclass(frozen=True, slots=True)
class Facts:
    """What admission is judged by.

    Args:
        directory: replayed at least up to `at`.
        now: milliseconds UTC; the broker's clock at the broker, the entry's time elsewhere.
        at: directory size of the last anchor before the entry; None at the broker: newest.
        verified: signatures known to hold; saves arithmetic only.
        party: the agency whose agreements are at hand (a node holds no others): pairs without it
            are judged by the broker alone; None: all agreements are at hand.
    """

    directory: Directory
    now: int
    at: int | None = None
    verified: VerifiedRoots | None = None
    party: str | None = None


def due_day(header: Header) -> int:
    """Day on which the broker must have destroyed the bulletin (days since 1970-01-01)."""
    return min(header.retain_until, header.expires // DAY_MS + LIMITS.delivery_grace_days)


def check_suite(header: Header) -> None:
    if header.suite != SUITE:
        raise InvalidInput(
            "suite_unknown",
            f"suite {header.suite} is not {SUITE}; there is no negotiation",
            field="header.suite",
            hint="upgrade both sides to the same release",
        )


def check_form(header: Header, consignment: Consignment) -> None:
    """Step 4: names sorted and unique, times in order, consigned only to those addressed."""
    names = header.recipients
    if any(a >= b for a, b in pairwise(names)) or header.sender in names:
        raise InvalidInput(
            "recipients_malformed",
            "recipients must be sorted, unique, and not the sender",
            field="header.recipients",
        )
    codes = header.marking.codes
    if any(a >= b for a, b in pairwise(codes)):
        raise InvalidInput(
            "marking_malformed", "handling codes must be sorted and unique", field="header.marking"
        )
    answer_by = header.answer_by
    if header.expires <= header.created or (answer_by is not None and answer_by <= header.created):
        raise InvalidInput(
            "times_malformed", "deadlines must come after created", field="header.expires"
        )
    if answer_by is not None and answer_by // DAY_MS >= header.retain_until:
        raise InvalidInput(
            "times_malformed",
            "an answer is asked for when everybody must have destroyed the bulletin",
            field="header.answer_by",
        )
    if header.retain_until < header.created // DAY_MS:
        raise InvalidInput(
            "times_malformed", "retain_until lies before created", field="header.retain_until"
        )
    consigned = [ref.agency for ref in consignment.recipients]
    ordered = all(a < b for a, b in pairwise(consigned))
    if not ordered or not set(consigned) <= set(names):
        raise InvalidInput(
            "recipients_malformed",
            "consigned agencies must be sorted, unique, and named in the header",
            field="consignment.recipients",
        )


def check_times(header: Header, now: int) -> None:
    if header.created > now + LIMITS.skew_ms:
        raise Refused(
            "created_in_future",
            f"created lies {(header.created - now) // 1000} s ahead of this clock",
            field="header.created",
            hint="set the sender's clock; 60 s of difference are allowed",
        )
    if header.expires <= now:
        raise Refused(
            "expired",
            "the delivery deadline has passed",
            field="header.expires",
            hint="make a new bulletin with a later deadline",
        )
    if due_day(header) * DAY_MS <= now:
        raise Refused(
            "retention_over",
            "the bulletin is due for destruction already",
            field="header.retain_until",
            hint="make a new bulletin with a later retain_until",
        )
    if header.expires > header.created + LIMITS.max_expiry_ms:
        raise Refused(
            "expires_too_late",
            f"a bulletin waits at most {LIMITS.max_expiry_ms // DAY_MS} days for delivery",
            field="header.expires",
        )


def check_agreements(header: Header, recipients: Sequence[StanzaRef], facts: Facts) -> None:
    """Step 10: for every pair an agreement in force allows schema, marking and retention."""
    for ref in recipients:
        if facts.party not in (None, header.sender, ref.agency):
            continue
        directory = facts.directory
        reasons = {
            permits(agreed, header, ref.agency, facts.now, directory.standing(agreed, facts.at))
            for agreed in directory.agreements(header.sender, ref.agency, facts.at)
        }
        if None not in reasons:
            # What an agreement that nearly permits it says, whatever order they are held in.
            reason = next((near for near in NEAREST if near in reasons), "agreement_missing")
            raise Refused(
                reason,
                f"no agreement in force lets {header.sender} send {header.schema} "
                f"marked {header.marking.tlp} to {ref.agency}",
                field="header.recipients",
                hint="look at what was agreed, and how it stands: saphan agreement list",
            )


def check_schema(header: Header, facts: Facts) -> None:
    if facts.directory.schema_digest(header.schema, facts.at) != header.schema_digest:
        raise Refused(
            "schema_digest",
            f"{header.schema} is registered with another digest",
            field="header.schema_digest",
            hint="sender and broker run different releases; upgrade the older one",
        )


def check_mailboxes(header: Header, recipients: Sequence[StanzaRef], facts: Facts) -> None:
    for ref in recipients:
        key = facts.directory.key(ref.mailbox_key, Role.MAILBOX, facts.at)
        if key.agency != ref.agency:
            raise Refused(
                "key_foreign",
                f"the mailbox key is {key.agency}'s, not {ref.agency}'s",
                field="consignment.recipients",
            )
        if key.seal_until is None or key.open_until is None or facts.now > key.seal_until:
            raise Refused(
                "mailbox_ended",
                f"{ref.agency}'s mailbox key takes no more bulletins; consign to its newest key",
                field="consignment.recipients",
            )
        if header.expires > key.open_until:
            raise Refused(
                "mailbox_ends_first",
                f"{ref.agency}'s mailbox key is destroyed before the bulletin expires",
                field="header.expires",
                hint="choose an earlier deadline, or wait for the agency's next mailbox key",
            )


def check_sizes(
    blob: Blob, recipients: Sequence[StanzaRef], stanzas: Sequence[bytes] | None
) -> None:
    if blob.length > LIMITS.ciphertext_bytes or not ciphertext_length_valid(blob.length):
        raise Refused(
            "ciphertext_length",
            f"{blob.length} bytes cannot be the ciphertext of a padded bulletin",
            field="ciphertext",
        )
    if stanzas is None:
        return
    if len(stanzas) != len(recipients):
        raise Refused(
            "stanza_count",
            f"{len(stanzas)} stanzas for {len(recipients)} recipients",
            field="stanzas",
        )
    for stanza, ref in zip(stanzas, recipients, strict=True):
        if sha256(stanza) != ref.stanza:
            raise Refused(
                "stanza_digest", f"the stanza for {ref.agency} has another digest", field="stanzas"
            )


def check_attachments(attachments: Blobs) -> None:
    """Step 13, the attachments: each a padded one, not too many and not too long together."""
    for place, blob in enumerate(attachments):
        if blob.length > ATTACHMENT_SEALED_BYTES or not ciphertext_length_valid(blob.length):
            raise Refused(
                "attachment_length",
                f"{blob.length} bytes cannot be a sealed attachment",
                field=f"attachments.{place}",
                hint=f"an attachment has at most {LIMITS.attachment_bytes} bytes",
            )
    total = sum(blob.length for blob in attachments)
    if len(attachments) > LIMITS.attachments or total > ATTACHMENTS_SEALED_BYTES:
        raise Refused(
            "attachments_too_large",
            f"{len(attachments)} sealed attachments of {total} bytes are too many for one bulletin",
            field="attachments",
            hint=f"a bulletin takes {LIMITS.attachments} of {LIMITS.attachments_bytes} bytes",
        )
