"""Warnings and disclosures under audit: what a broker may say of time, an agency of itself."""

from __future__ import annotations

import pytest
from saphan_protocol.admission import due_day
from saphan_protocol.audit.report import AuditStep
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Event
from support.agency import Agency, Made
from support.audits import KH, LA, THERE, at, found
from support.ceremony import NOW
from support.logbook import Logbook

HOUR_MS = 3_600_000
COMMITMENT = b"\x0d" * 32


@pytest.fixture(scope="module")
def agencies() -> tuple[Agency, Agency]:
    return Agency(LA, NOW), Agency(KH, NOW)


@pytest.fixture
def book(agencies: tuple[Agency, Agency]) -> Logbook:
    return Logbook(agencies)


def asked(book: Logbook) -> Made:
    """A bulletin that is to be answered within an hour, handed over at once."""
    made = book.agencies[LA].bulletin([KH], book.time, answer_by=book.time + HOUR_MS)
    book.submit(LA, KH, made)
    book.state(Event.HANDOVER, made, THERE)
    return made


def warn(book: Logbook, made: Made) -> int:
    return book.broker_states(Event.UNANSWERED, made, THERE, "no_answer")


def expire(book: Logbook, made: Made, code: str = "no_outcome") -> int:
    return book.broker_states(Event.EXPIRED, made, THERE, code)


def disclose(book: Logbook, made: Made, by: str, corridor: tuple[str, str] | None = None) -> int:
    about = [(made.bulletin_id, made.ciphertext_digest)]
    (item,), batch = book.agencies[by].statements(
        Event.EXPORTED, about, corridor or (by, by), book.time, "disclosed", COMMITMENT
    )
    return book.log_statement(item, batch)


def test_a_warning_ends_nothing(book: Logbook) -> None:
    answered, silent = asked(book), asked(book)
    book.time += HOUR_MS
    for made in (answered, silent):
        warn(book, made)
    book.state(Event.ACCEPTED, answered, THERE)
    book.state(Event.READ, answered, THERE)
    report = book.audit()
    assert report.finding is None
    assert report.coverage.deliveries == {"read": 1, "unanswered": 1}
    book.time = due_day(silent.header) * 24 * HOUR_MS
    expire(book, silent)
    report = book.audit()
    assert report.finding is None
    assert report.coverage.deliveries == {"read": 1, "expired": 1}


def test_broker_warns_before_the_time(book: Logbook) -> None:
    made = asked(book)
    book.time += HOUR_MS - LIMITS.skew_ms - 1
    early = warn(book, made)
    assert found(book.audit()) == at(early, AuditStep.DELIVERY, "unanswered_early")


def test_broker_warns_where_no_answer_is_asked_for(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    book.state(Event.HANDOVER, made, THERE)
    wrong = warn(book, made)
    assert found(book.audit()) == at(wrong, AuditStep.DELIVERY, "unanswered_unasked")


def test_broker_warns_of_what_was_taken_after_the_time(book: Logbook) -> None:
    made = book.agencies[LA].bulletin([KH], book.time, answer_by=book.time + HOUR_MS)
    book.submit(LA, KH, made)
    book.time += HOUR_MS
    book.state(Event.HANDOVER, made, THERE)
    wrong = warn(book, made)
    assert found(book.audit()) == at(wrong, AuditStep.DELIVERY, "unanswered_unasked")


def test_broker_warns_twice(book: Logbook) -> None:
    made = asked(book)
    book.time += HOUR_MS
    warn(book, made)
    book.time += 1
    again = warn(book, made)
    assert found(book.audit()) == at(again, AuditStep.DELIVERY, "order_illegal")


@pytest.mark.parametrize("event", [Event.ACCEPTED, Event.REJECTED])
def test_broker_warns_after_the_answer(book: Logbook, event: Event) -> None:
    made = asked(book)
    book.state(event, made, THERE, "rule_broken" if event is Event.REJECTED else None)
    book.time += HOUR_MS
    late = warn(book, made)
    assert found(book.audit()) == at(late, AuditStep.DELIVERY, "already_decided")


def test_broker_calls_what_nobody_took_unanswered(book: Logbook) -> None:
    made = book.agencies[LA].bulletin([KH], book.time, answer_by=book.time + HOUR_MS)
    book.submit(LA, KH, made)
    book.time += HOUR_MS
    wrong = warn(book, made)
    assert found(book.audit()) == at(wrong, AuditStep.DELIVERY, "order_illegal")


def test_broker_ends_at_the_time_to_answer_what_it_may_only_warn_of(book: Logbook) -> None:
    made = asked(book)
    book.time += HOUR_MS
    early = expire(book, made)
    assert found(book.audit()) == at(early, AuditStep.DELIVERY, "expired_early")


def test_broker_calls_what_was_warned_of_undelivered(book: Logbook) -> None:
    made = asked(book)
    book.time += HOUR_MS
    warn(book, made)
    book.time = due_day(made.header) * 24 * HOUR_MS
    wrong = expire(book, made, "undelivered")
    assert found(book.audit()) == at(wrong, AuditStep.DELIVERY, "expired_code")


def test_a_warning_behind_a_hole_is_believed_but_not_before_its_time(book: Logbook) -> None:
    """Nobody opens the handover; what the header asks for is known all the same."""
    made = book.agencies[LA].bulletin([KH], book.time, answer_by=book.time + HOUR_MS)
    _, first = book.submit(LA, KH, made)
    book.state(Event.HANDOVER, made, THERE)
    early = warn(book, made)
    assert found(book.audit(book.pack([first, early]))) == at(
        early, AuditStep.DELIVERY, "unanswered_early"
    )


def test_an_expiry_behind_a_hole_is_believed(book: Logbook) -> None:
    """Nobody opens the handover: whether it was undelivered or unanswered is not known."""
    made = book.agencies[LA].bulletin([KH], book.time, answer_by=None)
    _, first = book.submit(LA, KH, made)
    book.state(Event.HANDOVER, made, THERE)
    book.time = due_day(made.header) * 24 * HOUR_MS
    last = expire(book, made)
    assert book.audit(book.pack([first, last])).finding is None


def test_both_parties_disclose_whatever_became_of_it(book: Logbook) -> None:
    made = book.deliver(LA, KH)
    for by in (LA, KH, KH):
        book.time += 1
        disclose(book, made, by)
    report = book.audit()
    assert report.finding is None
    assert report.coverage.opened["exported"] == 3
    assert report.coverage.deliveries == {"read": 1}


def test_an_export_in_a_deliverys_corridor_is_found(book: Logbook) -> None:
    made = book.deliver(LA, KH)
    wrong = disclose(book, made, KH, THERE)
    assert found(book.audit()) == at(wrong, AuditStep.SIGNED, "corridor_wrong")


def test_an_export_of_other_bytes_is_found(book: Logbook) -> None:
    made, other = book.deliver(LA, KH), book.deliver(LA, KH)
    about = [(made.bulletin_id, other.ciphertext_digest)]
    (item,), batch = book.agencies[KH].statements(
        Event.EXPORTED, about, (KH, KH), book.time, "disclosed", COMMITMENT
    )
    wrong = book.log_statement(item, batch)
    assert found(book.audit()) == at(wrong, AuditStep.DELIVERY, "statement_subject")


def test_the_broker_cannot_export_for_an_agency(book: Logbook) -> None:
    made = book.deliver(LA, KH)
    wrong = book.broker_states(Event.EXPORTED, made, (KH, KH), "disclosed")
    assert found(book.audit()) == at(wrong, AuditStep.SIGNED, "signature_missing")
