"""Deliveries in a bundle: what its entries say of each, and where each must stand in the log."""

from __future__ import annotations

import pytest
from saphan_protocol.bundle.report import Outcome
from saphan_protocol.delivery import State
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Event, LeafType
from support.agency import Agency
from support.audits import BACK, KH, LA, THERE
from support.bundled import Maker, begun, gap_codes, refusal, said
from support.ceremony import NOW
from support.logbook import Logbook

SKEW_MS = LIMITS.skew_ms


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ((), State.SUBMITTED),
        ((Event.HANDOVER,), State.HANDED_OVER),
        ((Event.HANDOVER, Event.ACCEPTED), State.ACCEPTED),
    ],
)
def test_a_delivery_stands_where_its_last_event_put_it(
    events: tuple[Event, ...], state: State
) -> None:
    book, made = begun()
    said(book, made, *events)
    verdict = Maker(book, made, KH).verify()
    assert verdict.outcome is Outcome.VALID, verdict.gaps
    assert verdict.deliveries[0].state == state
    told = "stanza" in {line.code for line in verdict.unproven}
    assert told is (state is State.HANDED_OVER)


def test_the_brokers_own_events_are_told_apart_from_signed_ones() -> None:
    book, made = begun()
    book.time = made.header.expires + 1
    book.broker_states(Event.EXPIRED, made, THERE, "undelivered")
    verdict = Maker(book, made, LA).verify()
    assert verdict.outcome is Outcome.VALID, (verdict.finding, verdict.gaps)
    last = verdict.events[-1]
    assert (last.proof, last.issuer, last.key, last.code) == (
        "vouched",
        "broker",
        None,
        "undelivered",
    )


def test_an_expiry_before_its_deadline_is_refused() -> None:
    book, made = begun()
    book.broker_states(Event.EXPIRED, made, THERE, "undelivered")
    assert refusal(Maker(book, made, LA).verify()) == ("V14", "expired_early")


def test_an_unanswered_delivery_is_said_by_the_broker_at_its_time() -> None:
    for late, found in ((1, None), (-2 * SKEW_MS, ("V14", "unanswered_early"))):
        book = Logbook([Agency(LA, NOW), Agency(KH, NOW)])
        made = book.agencies[LA].bulletin([KH], book.time, answer_by=NOW + 10 * SKEW_MS)
        book.submit(LA, KH, made)
        said(book, made, Event.HANDOVER)
        book.time = NOW + 10 * SKEW_MS + late
        book.broker_states(Event.UNANSWERED, made, THERE, "no_answer")
        verdict = Maker(book, made, LA).verify()
        if found is None:
            assert verdict.outcome is Outcome.VALID, (verdict.finding, verdict.gaps)
            assert verdict.deliveries[0].state == State.UNANSWERED
            assert "stanza" in {line.code for line in verdict.unproven}
        else:
            assert refusal(verdict) == found


def test_a_refused_submission_is_a_line_and_no_delivery() -> None:
    book, made = begun()
    book.broker_states(Event.REFUSED, made, (LA, LA), "quota_bulletins")
    verdict = Maker(book, made, LA).verify()
    assert verdict.outcome is Outcome.VALID, (verdict.finding, verdict.gaps)
    assert verdict.events[-1].event == "refused"
    assert "refusals" in {line.code for line in verdict.unproven}
    assert [one.recipient for one in verdict.deliveries] == [KH]


def test_an_order_that_the_table_forbids_is_refused() -> None:
    book, made = begun()
    said(book, made, Event.ACCEPTED)
    assert refusal(Maker(book, made, LA).verify()) == ("V14", "order_illegal")


def test_a_receipt_of_the_wrong_agency_is_refused() -> None:
    book, made = begun()
    book.state(Event.HANDOVER, made, THERE, by=LA)
    assert refusal(Maker(book, made, LA).verify()) == ("V13", "issuer_wrong")


def test_a_receipt_about_other_bytes_is_refused() -> None:
    book, made = begun()
    (item,), batch = book.agencies[KH].statements(
        Event.HANDOVER, [(made.bulletin_id, bytes(32))], THERE, book.time
    )
    book.log_statement(item, batch)
    assert refusal(Maker(book, made, LA).verify()) == ("V13", "statement_subject")


def test_a_receipt_in_a_corridor_of_others_is_refused() -> None:
    book, made = begun()
    book.state(Event.HANDOVER, made, BACK, by=LA)
    assert refusal(Maker(book, made, LA).verify()) == ("V13", "corridor_wrong")


def test_corridor_numbers_and_time_must_go_on() -> None:
    book, made = begun()
    said(book, made, Event.HANDOVER, entry={"number": 1, "previous": None})
    assert refusal(Maker(book, made, LA).verify()) == ("V11", "corridor_fork")
    book, made = begun()
    said(book, made, Event.HANDOVER, entry={"number": 9})
    assert refusal(Maker(book, made, LA).verify()) == ("V11", "corridor_fork")
    book, made = begun()
    said(book, made, Event.HANDOVER, entry={"time": NOW - 1})
    assert refusal(Maker(book, made, LA).verify()) == ("V11", "time_falls")
    book, made = begun()
    said(book, made, Event.HANDOVER, entry={"time": NOW + 3_600_000})
    assert refusal(Maker(book, made, LA).verify()) == ("V11", "time_beyond_head")


def test_entries_of_others_between_are_a_hole_and_no_fault() -> None:
    book, made = begun()
    book.deliver(LA, KH)
    said(book, made, Event.HANDOVER, Event.ACCEPTED)
    verdict = Maker(book, made, LA).verify()
    assert verdict.outcome is Outcome.VALID, verdict.gaps
    assert not verdict.deliveries[0].whole


def test_the_same_receipt_twice_is_refused() -> None:
    book, made = begun()
    said(book, made, Event.HANDOVER)
    entry, batch = book.shown[-1]
    book.enter(
        THERE, LeafType.HANDOVER, "saphan/handover/1", entry.statement, batch=batch, item=entry.item
    )
    assert refusal(Maker(book, made, LA).verify()) == ("V14", "logged_twice")


def test_a_witness_line_that_does_not_hold_is_refused() -> None:
    book, made = begun()
    maker = Maker(book, made, LA)
    maker.sign()
    book.evidence.lines = book.directory.lines
    assert refusal(maker.verify(sign=False)) == ("V8", "note_signature")


def test_gaps_are_known_by_name() -> None:
    book, made = begun()
    verdict = Maker(book, made, LA, bodies=False).verify()
    assert gap_codes(verdict) == set()
    assert {"body_absent", "attachments_absent"} <= {line.code for line in verdict.unproven}
