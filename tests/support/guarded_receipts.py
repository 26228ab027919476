"""Receipts and records, each with the layer that must notice a changed byte."""

from __future__ import annotations

from saphan_protocol.admission import admit_statement, check_subject
from saphan_protocol.batch import index_batches, sign_one, verify_item, verify_one
from saphan_protocol.daykeys import day_cipher, unwrap, wrap
from saphan_protocol.detail import open_detail, seal_detail
from saphan_schemas.codec import decode, encode
from saphan_schemas.records import (
    PAE_TYPES,
    BatchSignature,
    Event,
    OfficerRead,
    Role,
    SealedDetail,
    statement_type,
)

from support.ceremony import NOW
from support.guarded_bulletins import DIRECTORY, FACTS, KH, LA, MADE, SENT
from support.mauling import Guarded, codes, named

ABOUT = (MADE.bulletin_id, MADE.ciphertext_digest)
CORRIDOR = ("la.ospp", "kh.gpo")
COMMON = "malformed issuer_wrong stated_in_future signature_missing"


def _stated(
    event: Event,
    code: str | None,
    detail: SealedDetail | bytes | None,
    found: str,
    values: int,
    target: int | None = None,
) -> Guarded:
    """The second of two statements of one batch, judged as broker, node and auditor do.

    Args:
        target: of one in its agency's own corridor.
    """
    corridor = CORRIDOR if target is None else (CORRIDOR[1], CORRIDOR[1])
    said, batch = KH.statements(event, [ABOUT, ABOUT], corridor, NOW, code, detail, target)
    item, batches = said[1].item, index_batches([batch])

    def judge(data: bytes) -> None:
        admitted = admit_statement(event, data, item, batches, corridor, FACTS, peer="kh.gpo")
        check_subject(admitted.statement, *ABOUT)

    rare = codes("not_canonical code_unknown detail_malformed")
    name = f"receipt: {event.value}"
    return Guarded(name, said[1].statement, judge, codes(f"{COMMON} {found}"), rare, values=values)


DETAIL = seal_detail(
    "box 3 is empty", MADE.bulletin_id, "kh.gpo", LA.mailbox.key_id, LA.mailbox.public
)
READ = encode(OfficerRead(MADE.bulletin_id, "kh.gpo", "officer", KH.officer.key_id, NOW))
READ_TYPE = PAE_TYPES[OfficerRead]
READ_SIGNATURE = sign_one(KH.officer, READ_TYPE, READ, KH.random())
(ACCEPTED,), RECEIPT_BATCH = KH.statements(Event.ACCEPTED, [ABOUT], CORRIDOR, NOW)
DAY_CIPHER, CONTEXT = day_cipher(LA.random()), b"record 7"


def _read(data: bytes) -> None:
    """As the officer's own node judges it before it shows anything."""
    record = decode(OfficerRead, data, 512, "record")
    info = DIRECTORY.key(record.key, Role.OFFICER)
    verify_one(READ_SIGNATURE, DIRECTORY.verifying(info.key_id), READ_TYPE, data)


def _receipt_signature(data: bytes) -> None:
    """A receipt that comes with its signature at once, by the key that the item names."""
    batch = decode(BatchSignature, data, 8192, "signature")
    key, kind = DIRECTORY.verifying(KH.node.key_id), statement_type(Event.ACCEPTED)
    verify_item(ACCEPTED.item, batch, key, kind, ACCEPTED.statement)


def _detail(data: bytes) -> None:
    detail = decode(SealedDetail, data, 8192, "detail")
    open_detail(detail, LA.mailbox, MADE.bulletin_id, "kh.gpo")


RECEIPTS = named(
    _stated(Event.HANDOVER, None, None, "not_canonical", 255),
    _stated(Event.ACCEPTED, None, None, "not_canonical", 255),
    _stated(Event.UNOPENED, "stanza_unopenable", None, "not_canonical code_unknown", 255),
    _stated(Event.READ, None, LA.random(), "not_canonical", 255),
    _stated(Event.DECLINED, "court_order", None, "not_canonical code_unknown", 255),
    _stated(Event.HELD, None, LA.random(), "not_canonical", 255, target=2**40),
    # Twice as long is longer than a statement may be.
    _stated(Event.REJECTED, "rule_broken", DETAIL, "code_unknown too_large", 1),
    Guarded(
        "receipt's signature",
        encode(RECEIPT_BATCH),
        _receipt_signature,
        codes("malformed key_mismatch batch_path signature_invalid"),
        values=1,
    ),
    Guarded(
        "rejection's detail, at the originator",
        encode(DETAIL),
        _detail,
        codes("malformed key_mismatch stanza_unopenable"),
        values=1,
    ),
    Guarded(
        "officer's reading",
        READ,
        _read,
        codes("malformed key_unknown signature_invalid"),
        codes("not_canonical"),
    ),
    Guarded(
        "record at rest",
        wrap(DAY_CIPHER, LA.random(12), SENT.consignment, CONTEXT),
        lambda data: unwrap(DAY_CIPHER, data, CONTEXT),
        codes("unwrap_failed"),
    ),
)
