"""Heads that packs show: they bound the times of entries, and tell of another history."""

from __future__ import annotations

from typing import Any

import pytest
from saphan_protocol.audit.report import AuditStep
from saphan_protocol.checkpoint import format_checkpoint
from saphan_schemas.limits import LIMITS
from saphan_schemas.packs import PackNote
from saphan_schemas.records import Role
from support.agency import Agency
from support.audits import KH, LA, THERE, found
from support.ceremony import NOW, Ceremony, revoke
from support.log_keys import log_note
from support.logbook import Logbook

MINUTE = 60_000


@pytest.fixture
def book() -> Logbook:
    return Logbook([Agency(LA, NOW), Agency(KH, NOW)])


def witness(book: Logbook, **options: Any) -> None:
    book.show_head(book.agencies[KH], **options)


def test_entries_between_two_witnessed_heads_are_counted(book: Logbook) -> None:
    book.submit(*THERE)
    witness(book)
    book.time += MINUTE
    book.deliver(*THERE)  # four entries between the heads
    witness(book, lag=3)
    book.time += MINUTE
    book.submit(*THERE)
    report = book.audit()
    assert report.finding is None
    seen = report.coverage
    # The log's own newest head is a third one; nobody has cosigned it.
    assert (seen.heads_shown, seen.heads_witnessed, seen.heads_beyond) == (3, 2, 0)
    assert seen.bounded == 4
    lags = report.statistics.lags[KH]
    assert (lags.count, lags.longest, lags.within(50)) == (2, 3000, 1000)


def test_broker_dates_an_entry_before_a_head_that_had_it_not(book: Logbook) -> None:
    book.submit(*THERE)
    book.time += 10 * MINUTE
    witness(book)
    book.time -= LIMITS.skew_ms + 1
    _, late = book.submit(*THERE)
    pack = book.pack()
    book.time += LIMITS.skew_ms
    assert found(book.audit(pack)) == ("evidence", late, AuditStep.TIME, "time_before_head")


def test_broker_takes_a_head_back_by_one_of_an_earlier_time(book: Logbook) -> None:
    book.submit(*THERE)
    witness(book, time=book.time + 10 * MINUTE)
    book.anchor()
    book.time += 8 * MINUTE
    witness(book)
    _, late = book.submit(*THERE)
    assert found(book.audit()) == ("evidence", late, AuditStep.TIME, "time_before_head")


def test_a_head_is_cosigned_when_a_witness_first_did(book: Logbook) -> None:
    book.submit(*THERE)
    for lag in (3, 1, 2):
        witness(book, lag=lag)
    report = book.audit()
    assert report.finding is None
    lags = report.statistics.lags[KH]
    assert (lags.count, lags.longest) == (1, 1000)


def test_what_a_witness_said_before_its_key_was_revoked_counts(book: Logbook) -> None:
    book.submit(*THERE)
    witness(book)
    agency = book.agencies[KH]
    ceremony = Ceremony(agency)
    ceremony.enrol()
    book.register(ceremony.operate([revoke(Role.WITNESS, agency.witness.key_id)]))
    report = book.audit()
    assert report.finding is None
    assert report.coverage.heads_witnessed == 1


def test_broker_dates_an_entry_after_a_head_that_has_it(book: Logbook) -> None:
    book.submit(*THERE)
    book.time += LIMITS.skew_ms + 2000
    _, early = book.submit(*THERE)
    witness(book, time=book.time - LIMITS.skew_ms - 1001)
    assert found(book.audit()) == ("evidence", early, AuditStep.TIME, "time_after_head")


def test_a_minute_between_clocks_is_no_fault(book: Logbook) -> None:
    book.submit(*THERE)
    book.time += 10 * MINUTE
    witness(book)
    book.time -= LIMITS.skew_ms
    book.submit(*THERE)
    assert book.audit().finding is None


def test_broker_showed_another_history_to_the_packs_maker(book: Logbook) -> None:
    book.deliver(*THERE)
    text = format_checkpoint(book.evidence.origin, 3, bytes(32))
    book.notes.append(log_note(book.evidence.origin, text, book.time // 1000))
    report = book.audit()
    assert found(report) == ("evidence", None, AuditStep.HEADS, "head_differs")
    assert report.finding is not None
    assert report.finding.pack == "pack 0"


def test_a_head_that_the_log_did_not_sign(book: Logbook) -> None:
    book.deliver(*THERE)
    witness(book)
    forged = bytearray(book.notes[0])
    forged[-40] ^= 1
    items = [PackNote(bytes(forged)) if isinstance(i, PackNote) else i for i in book.pack()]
    report = book.audit(items)
    assert report.finding is not None
    assert report.finding.step is AuditStep.HEADS


def test_a_head_beyond_the_log_is_counted_and_not_compared(book: Logbook) -> None:
    book.deliver(*THERE)
    pack_before, size = book.shown.copy(), len(book.evidence.kept)
    book.submit(*THERE)
    witness(book)
    del book.evidence.kept[size:]
    book.shown = pack_before
    report = book.audit()
    assert report.finding is None
    assert (report.coverage.heads_shown, report.coverage.heads_beyond) == (1, 1)


def test_too_many_heads_are_refused(book: Logbook) -> None:
    book.deliver(*THERE)
    witness(book)
    book.notes *= LIMITS.pack_notes + 1
    report = book.audit()
    assert found(report) == ("evidence", None, AuditStep.PACK_ORDER, "pack_order")
