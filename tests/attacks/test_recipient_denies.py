"""kh.gpo says afterwards: we never took it; we could not open it; we did not accept it."""

from __future__ import annotations

import pytest
from saphan_protocol.audit.report import AuditStep
from saphan_protocol.delivery import State
from saphan_schemas.records import Event, Role
from support.agency import Agency, Made
from support.audits import KH, LA, THERE, at, found
from support.ceremony import NOW, Ceremony, revoke
from support.logbook import Logbook


@pytest.fixture
def book() -> Logbook:
    return Logbook((Agency(LA, NOW), Agency(KH, NOW)))


def accepted(book: Logbook) -> Made:
    made, _ = book.submit(LA, KH)
    book.state(Event.HANDOVER, made, THERE)
    book.state(Event.ACCEPTED, made, THERE)
    return made


def test_the_senders_pack_alone_shows_what_he_signed(book: Logbook) -> None:
    """No witness and no broker is asked: the receipts are signed by his own node."""
    accepted(book)
    report = book.audit(book.pack(maker=LA))
    assert report.finding is None
    assert report.coverage.deliveries == {State.ACCEPTED: 1}
    assert (report.coverage.opened["handover"], report.coverage.opened["accepted"]) == (1, 1)


def test_he_leaves_his_receipts_out_of_his_own_pack(book: Logbook) -> None:
    """The leaves are there, of their types, and the sender's pack opens them."""
    accepted(book)
    size = len(book.evidence.kept)
    his = book.pack([index for index in range(size) if index < size - 2], maker=KH)
    alone = book.audit(his)
    assert alone.finding is None
    assert (alone.coverage.entries, alone.coverage.entries_opened) == (3, 1)
    both = book.audit(his, book.pack(maker=LA))
    assert both.coverage.deliveries == {State.ACCEPTED: 1}


def test_he_revokes_the_key_that_signed(book: Logbook) -> None:
    """By log order the key was good: a revocation ends what comes after it, nothing before."""
    accepted(book)
    chain = Ceremony(book.agencies[KH])
    chain.enrol()
    book.register(chain.operate([revoke(Role.NODE, book.agencies[KH].node.key_id)]))
    assert book.audit().finding is None
    late, _ = book.submit(LA, KH)
    index = book.state(Event.HANDOVER, late, THERE)
    assert found(book.audit()) == at(index, AuditStep.SIGNED, "key_revoked")


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (Event.REJECTED, "schema_invalid"),
        (Event.UNOPENED, "stanza_unopenable"),
        (Event.HANDOVER, None),
        (Event.ACCEPTED, None),
    ],
)
def test_he_says_something_else_later(book: Logbook, event: Event, code: str | None) -> None:
    """An outcome is one: the broker takes no second, and one that is logged is found."""
    made = accepted(book)
    book.time += 1000
    index = book.state(event, made, THERE, code)
    assert found(book.audit()) == at(index, AuditStep.DELIVERY, "already_decided")


def test_he_cannot_have_taken_other_bytes(book: Logbook) -> None:
    """His receipts name the digest of exactly the ciphertext that he got."""
    made = accepted(book)
    for entry, _ in book.shown[1:]:
        assert made.ciphertext_digest in entry.statement
        assert made.bulletin_id in entry.statement


def test_nobody_can_make_the_receipts_that_he_did_not_sign(book: Logbook) -> None:
    """The other way round: where he was silent, nothing says that he was not."""
    made, _ = book.submit(LA, KH)
    index = book.state(Event.HANDOVER, made, THERE, by=LA)
    assert found(book.audit()) == at(index, AuditStep.SIGNED, "issuer_wrong")
