"""Admission: one pure function for broker, node and auditor (design section 6).

The numbered steps are those of schemas/spec/admission.md; each has one code. Steps 1 to 6 come
before the signature check and are answered as plain errors; from step 8 on the sender is proven,
and a refusal is a record in the sender's own corridor. What can change between admission and the
commit (duplicates, states) is judged by the sequencer, against the store, with `delivery.step`;
last of all the quota (step 14, `quota.spend`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import InvalidInput, Refused, SaphanError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import (
    BatchSignature,
    Blob,
    Blobs,
    Bulletin,
    Consignment,
    Event,
    Header,
    Role,
    SignatureItem,
    Statement,
    statement_record,
    statement_type,
)

from saphan_protocol.admission_steps import (
    Facts as Facts,
)
from saphan_protocol.admission_steps import (
    check_agreements,
    check_attachments,
    check_form,
    check_mailboxes,
    check_schema,
    check_sizes,
    check_suite,
    check_times,
)
from saphan_protocol.admission_steps import (
    due_day as due_day,
)
from saphan_protocol.batch import Batches, verify_item
from saphan_protocol.delivery import check_corridor, check_said, check_stated, issuers_of
from saphan_protocol.evidence import CONSIGNMENT_TYPE
from saphan_protocol.identity import identity, sha256

HEADER_TYPE: Final = "saphan/header/1"
BULLETIN_TYPE: Final = "saphan/bulletin/1"


class Admitted(msgspec.Struct, frozen=True):
    """An admitted submission: records beside the exact bytes they were parsed from."""

    header: Header
    header_bytes: bytes
    header_id: bytes
    consignment: Consignment
    consignment_bytes: bytes
    consignment_id: bytes
    bulletin_id: bytes
    ciphertext: Blob
    attachments: Blobs
    item: SignatureItem
    batch: BatchSignature

    @property
    def due_day(self) -> int:
        """The broker's due-day, fixed here: min(retain_until, day of expires + 30)."""
        return due_day(self.header)


class AdmittedStatement(msgspec.Struct, frozen=True):
    """An admitted statement about a delivery."""

    event: Event
    statement: Statement
    body: bytes
    identity: bytes
    item: SignatureItem
    batch: BatchSignature


class RefusedAfterSignature(Refused):
    """A refusal after the sender was proven: the broker logs it in the sender's own corridor."""

    def __init__(self, cause: SaphanError, bulletin_id: bytes, ciphertext: bytes) -> None:
        super().__init__(cause.code, cause.message, field=cause.field, hint=cause.hint)
        self.bulletin_id = bulletin_id
        self.ciphertext = ciphertext


def admit(
    header_bytes: bytes,
    consignment_bytes: bytes,
    item: SignatureItem,
    batches: Batches,
    ciphertext: bytes | Blob,
    facts: Facts,
    *,
    peer: str | None,
    stanzas: Sequence[bytes] | None,
    attachments: Blobs = (),
) -> Admitted:
    """Judge a consigned bulletin.

    Args:
        header_bytes, consignment_bytes: exact bytes as received.
        item: the node's signature item over the consignment; its signature is in `batches`.
        ciphertext: the bytes; or their length and digest, for an auditor who has only those.
        peer: the authenticated agency at the broker; None for node and auditor.
        stanzas: in the consignment's order at the broker; None where they are withheld.
        attachments: length and digest of each sealed attachment, in order.

    Raises:
        InvalidInput: malformed (steps 1 to 4), `signature_*` (step 7).
        Refused: steps 5 and 6; RefusedAfterSignature from step 8 on, with the codes of the spec.
    """
    header = decode(Header, header_bytes, LIMITS.header_bytes, "header")  # steps 1, 2
    consignment = decode(Consignment, consignment_bytes, LIMITS.consignment_bytes, "consignment")
    check_suite(header)  # step 3
    check_form(header, consignment)  # step 4
    batch = _prove_sender(header, consignment, consignment_bytes, item, batches, facts, peer)
    header_id = identity(HEADER_TYPE, header_bytes)
    blob = measure(ciphertext) if isinstance(ciphertext, bytes) else ciphertext
    try:
        _judge(header, header_id, consignment, blob, attachments, stanzas, facts)  # steps 8 to 13
    except SaphanError as error:
        raise RefusedAfterSignature(error, consignment.bulletin, blob.digest) from None
    return Admitted(
        header,
        header_bytes,
        header_id,
        consignment,
        consignment_bytes,
        identity(CONSIGNMENT_TYPE, consignment_bytes),
        consignment.bulletin,
        blob,
        attachments,
        item,
        batch,
    )


def _prove_sender(
    header: Header,
    consignment: Consignment,
    body: bytes,
    item: SignatureItem,
    batches: Batches,
    facts: Facts,
    peer: str | None,
) -> BatchSignature:
    """Steps 5 to 7: the peer is the sender, the key is the sender's, the signature holds."""
    if peer is not None and header.sender != peer:
        raise Refused(
            "sender_not_peer", f"{peer} cannot send for {header.sender}", field="header.sender"
        )
    key = facts.directory.key(consignment.node_key, Role.NODE, facts.at)
    if key.agency != header.sender or item.key != consignment.node_key:
        raise Refused(
            "key_foreign",
            f"the consignment's node key is not {header.sender}'s",
            field="consignment.node_key",
        )
    verifying = facts.directory.verifying(key.key_id)
    return verify_item(item, batches, verifying, CONSIGNMENT_TYPE, body, facts.verified)


def _judge(
    header: Header,
    header_id: bytes,
    consignment: Consignment,
    blob: Blob,
    attachments: Blobs,
    stanzas: Sequence[bytes] | None,
    facts: Facts,
) -> None:
    """Steps 8 to 13: what the proven sender may do."""
    bulletin_id = identity(BULLETIN_TYPE, encode(Bulletin(header_id, blob, attachments)))
    if bulletin_id != consignment.bulletin:  # step 8
        raise InvalidInput(
            "bulletin_id",
            "header, ciphertext and attachments do not make the consigned bulletin id",
            field="consignment.bulletin",
        )
    check_times(header, facts.now)  # step 9
    check_agreements(header, consignment.recipients, facts)  # step 10
    check_schema(header, facts)  # step 11
    check_mailboxes(header, consignment.recipients, facts)  # step 12
    check_sizes(blob, consignment.recipients, stanzas)  # step 13
    check_attachments(attachments)


def measure(data: bytes) -> Blob:
    """Length and SHA-256 of bytes that travel beside a record."""
    return Blob(len(data), sha256(data))


def admit_statement(
    event: Event,
    body: bytes,
    item: SignatureItem,
    batches: Batches,
    corridor: tuple[str, str],
    facts: Facts,
    *,
    peer: str | None,
) -> AdmittedStatement:
    """Judge a signed statement about a bulletin in `corridor` (sender, recipient).

    Raises:
        InvalidInput: codec codes, `signature_*`, `key_mismatch`, `batch_path`.
        Refused: `code_unknown`, `detail_malformed`, `corridor_wrong`, `issuer_wrong`,
            `sender_not_peer`, `stated_in_future`, `key_*`.
    """
    statement = decode(statement_record(event), body, LIMITS.statement_bytes, "statement")
    check_said(event, statement, corridor[0] == corridor[1])
    check_corridor(event, *corridor)
    if statement.issuer not in issuers_of(event, *corridor):
        raise Refused(
            "issuer_wrong",
            f"{statement.issuer} cannot state {event} here",
            field="statement.issuer",
        )
    if peer is not None and statement.issuer != peer:
        raise Refused(
            "sender_not_peer",
            f"{peer} cannot speak for {statement.issuer}",
            field="statement.issuer",
        )
    check_stated(statement, facts.now)
    key = facts.directory.key(item.key, Role.NODE, facts.at)
    if key.agency != statement.issuer:
        raise Refused(
            "key_foreign", f"the key is {key.agency}'s, not {statement.issuer}'s", field="item.key"
        )
    kind = statement_type(event)
    batch = verify_item(
        item, batches, facts.directory.verifying(key.key_id), kind, body, facts.verified
    )
    return AdmittedStatement(event, statement, body, identity(kind, body), item, batch)


def check_subject(statement: Statement, bulletin_id: bytes, ciphertext: bytes) -> None:
    """A statement restates the digest of the exact bytes it is about.

    Raises:
        Refused: `statement_subject`.
    """
    if statement.bulletin != bulletin_id or statement.ciphertext != ciphertext:
        raise Refused(
            "statement_subject",
            "the statement names another bulletin or other bytes",
            field="statement.ciphertext",
        )
