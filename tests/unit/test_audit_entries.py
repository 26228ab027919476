"""A broker that expires, forges, misplaces or admits wrongly: found by index and code."""

from __future__ import annotations

import pytest
from saphan_protocol.audit.report import AuditStep
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import BatchSignature, Event, HeadRef
from support.agency import Agency
from support.audits import BACK, KH, LA, THERE, at, found, three
from support.ceremony import NOW
from support.logbook import ORIGINS, Logbook


@pytest.fixture(scope="module")
def agencies() -> tuple[Agency, Agency]:
    return Agency(LA, NOW), Agency(KH, NOW)


@pytest.fixture
def book(agencies: tuple[Agency, Agency]) -> Logbook:
    return Logbook(agencies)


def test_broker_expires_before_the_deadline(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    book.time = made.header.expires - LIMITS.skew_ms - 1
    early = book.broker_states(Event.EXPIRED, made, THERE, "undelivered")
    assert found(book.audit()) == at(early, AuditStep.DELIVERY, "expired_early")


def test_broker_expires_a_delivered_bulletin_at_its_delivery_deadline(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    book.state(Event.HANDOVER, made, THERE)
    book.time = made.header.expires
    early = book.broker_states(Event.EXPIRED, made, THERE, "no_outcome")
    assert found(book.audit()) == at(early, AuditStep.DELIVERY, "expired_early")


def test_broker_gives_the_wrong_reason_for_an_expiry(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    book.time = made.header.expires
    wrong = book.broker_states(Event.EXPIRED, made, THERE, "no_outcome")
    assert found(book.audit()) == at(wrong, AuditStep.DELIVERY, "expired_code")


def test_broker_states_its_own_event_in_an_agencys_name(
    book: Logbook, agencies: tuple[Agency, Agency]
) -> None:
    made, _ = book.submit(LA, KH)
    about = [(made.bulletin_id, made.ciphertext_digest)]
    (item,), batch = agencies[1].statements(Event.EXPIRED, about, THERE, book.time, "undelivered")
    wrong = book.log_statement(item, batch)
    assert found(book.audit()) == at(wrong, AuditStep.BROKER, "issuer_wrong")


def test_broker_makes_up_a_code_of_its_own(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    book.time = made.header.expires
    wrong = book.broker_states(Event.EXPIRED, made, THERE, "lost")
    assert found(book.audit()) == at(wrong, AuditStep.BROKER, "code_unknown")


def test_broker_logs_a_refusal_in_anothers_corridor(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    wrong = book.broker_states(Event.REFUSED, made, THERE, "agreement_missing")
    assert found(book.audit()) == at(wrong, AuditStep.BROKER, "corridor_wrong")


def test_broker_forges_a_receipt(book: Logbook, agencies: tuple[Agency, Agency]) -> None:
    made, _ = book.submit(LA, KH)
    about = [(made.bulletin_id, made.ciphertext_digest)]
    (item,), batch = agencies[1].statements(Event.HANDOVER, about, THERE, book.time)
    bad = bytearray(batch.signature)
    bad[0] ^= 1
    forged = book.log_statement(item, BatchSignature(*three(batch), bytes(bad)))
    assert found(book.audit()) == at(forged, AuditStep.SIGNED, "signature_invalid")


def test_sender_signs_the_recipients_receipt(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    wrong = book.state(Event.HANDOVER, made, THERE, by=LA)
    assert found(book.audit()) == at(wrong, AuditStep.SIGNED, "issuer_wrong")


def test_broker_shows_a_receipt_without_its_signature(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    bare = book.state(Event.HANDOVER, made, THERE, item=None)
    assert found(book.audit()) == at(bare, AuditStep.SIGNED, "signature_missing")


def test_broker_puts_a_receipt_on_other_bytes(
    book: Logbook, agencies: tuple[Agency, Agency]
) -> None:
    made, _ = book.submit(LA, KH)
    (item,), batch = agencies[1].statements(
        Event.HANDOVER, [(made.bulletin_id, bytes(32))], THERE, book.time
    )
    wrong = book.log_statement(item, batch)
    assert found(book.audit()) == at(wrong, AuditStep.DELIVERY, "statement_subject")


def test_broker_logs_a_receipt_for_what_was_never_sent(
    book: Logbook, agencies: tuple[Agency, Agency]
) -> None:
    made = agencies[0].bulletin([KH], book.time)
    wrong = book.state(Event.HANDOVER, made, THERE)
    assert found(book.audit()) == at(wrong, AuditStep.DELIVERY, "delivery_unknown")


def test_broker_moves_a_submission_into_another_corridor(
    book: Logbook, agencies: tuple[Agency, Agency]
) -> None:
    made = agencies[0].bulletin([KH], book.time)
    (item,), batch = agencies[0].submissions([made], [agencies[1]])
    wrong = book.admit(made, item, batch, BACK)
    assert found(book.audit()) == at(wrong, AuditStep.SUBMISSION, "corridor_wrong")


def test_broker_admits_what_no_agreement_allows(book: Logbook) -> None:
    made = book.agencies[LA].bulletin([KH], book.time, retain_until=book.time // DAY_MS + 4001)
    wrong = book.submit(LA, KH, made)[1]
    assert found(book.audit()) == at(wrong, AuditStep.SUBMISSION, "agreement_retention")


def test_broker_admits_after_the_deadline(book: Logbook) -> None:
    made = book.agencies[LA].bulletin([KH], book.time)
    book.time = made.header.expires
    wrong = book.submit(LA, KH, made)[1]
    assert found(book.audit()) == at(wrong, AuditStep.SUBMISSION, "expired")


def test_sender_uses_the_same_random_bytes_for_two_bulletins(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    other = book.agencies[LA].bulletin([KH], book.time, nonce=made.header.nonce, exercise=False)
    again = book.submit(LA, KH, other)[1]
    assert found(book.audit()) == at(again, AuditStep.SUBMISSION, "replay")


def test_broker_changes_the_due_day(book: Logbook) -> None:
    made = book.agencies[LA].bulletin([KH], book.time)
    wrong = book.submit(LA, KH, made, due=made.header.retain_until + 1)[1]
    assert found(book.audit()) == at(wrong, AuditStep.SUBMISSION, "due_day_differs")


def test_broker_showed_the_sender_another_history(
    book: Logbook, agencies: tuple[Agency, Agency]
) -> None:
    book.deliver(LA, KH)
    true = HeadRef(ORIGINS[1], 3, book.evidence.root(3))
    false = HeadRef(ORIGINS[1], 3, bytes(32))
    for seen, code in ((true, None), (false, "seen_differs")):
        made = agencies[0].bulletin([KH], book.time)
        (item,), batch = agencies[0].submissions([made], [agencies[1]], seen)
        index = book.admit(made, item, batch, THERE)
        report = book.audit()
        if code is None:
            assert report.finding is None
        else:
            assert found(report) == at(index, AuditStep.SUBMISSION, code)


def test_broker_showed_the_sender_a_head_of_more_leaves_than_there_were(
    book: Logbook, agencies: tuple[Agency, Agency]
) -> None:
    made = agencies[0].bulletin([KH], book.time)
    seen = HeadRef(ORIGINS[1], 1_000, bytes(32))
    (item,), batch = agencies[0].submissions([made], [agencies[1]], seen)
    index = book.admit(made, item, batch, THERE)
    assert found(book.audit()) == at(index, AuditStep.SUBMISSION, "seen_differs")


def test_without_tiles_earlier_heads_are_counted_as_not_compared(
    book: Logbook, agencies: tuple[Agency, Agency]
) -> None:
    made = agencies[0].bulletin([KH], book.time)
    seen = HeadRef(ORIGINS[1], 1, bytes(32))
    (item,), batch = agencies[0].submissions([made], [agencies[1]], seen)
    book.admit(made, item, batch, THERE)
    book.evidence.with_tiles = False
    report = book.audit()
    assert (report.finding, report.coverage.unseen) == (None, 1)
