"""Several packs about one log: what they must show alike, and what may differ."""

from __future__ import annotations

import msgspec
import pytest
from saphan_protocol.audit.report import AuditStep
from saphan_protocol.batch import sign_batch
from saphan_protocol.evidence import CONSIGNMENT_TYPE
from saphan_schemas.packs import PackEntry, PackItem, PackSignature
from saphan_schemas.records import Blob
from support.agency import Agency
from support.audits import KH, LA, at, found
from support.ceremony import NOW
from support.logbook import Logbook


@pytest.fixture(scope="module")
def agencies() -> tuple[Agency, Agency]:
    return Agency(LA, NOW), Agency(KH, NOW)


@pytest.fixture
def book(agencies: tuple[Agency, Agency]) -> Logbook:
    return Logbook(agencies)


def shown_otherwise(pack: list[PackItem], **fields: object) -> list[PackItem]:
    return [
        msgspec.structs.replace(item, **fields) if isinstance(item, PackEntry) else item
        for item in pack
    ]


def test_a_third_pack_is_compared_although_the_first_leaves_it_out(book: Logbook) -> None:
    book.submit(LA, KH)
    pack = book.pack()
    packs = [shown_otherwise(pack, header=None), pack, shown_otherwise(pack, header=b"\x90")]
    for given in (packs, [packs[0], packs[2], packs[1]]):
        assert found(book.audit(*given)) == at(1, AuditStep.STATEMENT, "packs_differ")


def test_a_pack_that_shows_other_attachments_is_not_believed_beside_a_good_one(
    book: Logbook,
) -> None:
    book.submit(LA, KH)
    pack = book.pack()
    lying = shown_otherwise(pack, attachments=(Blob(1, bytes(32)),))
    for given in ((pack, lying), (lying, pack)):
        assert found(book.audit(*given)) == at(1, AuditStep.STATEMENT, "packs_differ")
    silent = shown_otherwise(pack, ciphertext=None)
    assert book.audit(silent, pack).finding is None


def test_a_statement_signed_again_in_another_batch_is_the_same(
    book: Logbook, agencies: tuple[Agency, Agency]
) -> None:
    book.submit(LA, KH)
    pack = book.pack()
    (entry,) = (item for item in pack if isinstance(item, PackEntry))
    again = [(CONSIGNMENT_TYPE, entry.statement, bytes(32))]
    batch, (item,) = sign_batch(agencies[0].node, again)
    other = [
        PackSignature(batch) if isinstance(one, PackSignature) else one
        for one in shown_otherwise(pack, item=item)
    ]
    assert book.audit(pack, other).finding is None
    assert book.audit(other).finding is None
