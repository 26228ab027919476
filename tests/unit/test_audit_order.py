"""A broker that drops, repeats, reorders or dates falsely: found by index and code."""

from __future__ import annotations

import pytest
from saphan_protocol.audit.report import AuditStep
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Event, LeafType, Role
from support.agency import Agency, order_by
from support.audits import BACK, KH, LA, THERE, at, found
from support.ceremony import NOW, Ceremony, revoke
from support.logbook import Logbook


@pytest.fixture(scope="module")
def agencies() -> tuple[Agency, Agency]:
    return Agency(LA, NOW), Agency(KH, NOW)


@pytest.fixture
def book(agencies: tuple[Agency, Agency]) -> Logbook:
    return Logbook(agencies)


def test_broker_drops_an_entry_from_a_corridor(book: Logbook) -> None:
    made, first = book.submit(LA, KH)
    gap = book.state(Event.HANDOVER, made, THERE, entry={"number": 3, "previous": first})
    assert found(book.audit()) == at(gap, AuditStep.CORRIDOR, "corridor_gap")


def test_broker_hides_a_drop_behind_a_leaf_of_another_corridor(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    _, other = book.submit(KH, LA)
    gap = book.state(Event.HANDOVER, made, THERE, entry={"number": 3, "previous": other})
    assert found(book.audit()) == at(gap, AuditStep.CORRIDOR, "corridor_gap")


def test_broker_names_an_opened_leaf_as_the_unopened_predecessor(book: Logbook) -> None:
    made, first = book.submit(LA, KH)
    _, hidden = book.submit(KH, LA)
    fork = book.state(Event.HANDOVER, made, THERE, entry={"number": 3, "previous": first})
    pack = book.pack(only=[first, fork])
    assert hidden < fork
    assert found(book.audit(pack)) == at(fork, AuditStep.CORRIDOR, "corridor_fork")


def test_broker_names_a_leaf_before_the_corridors_last_one_as_its_predecessor(
    book: Logbook,
) -> None:
    _, before = book.submit(KH, LA)
    made, first = book.submit(LA, KH)
    book.submit(KH, LA)
    fork = book.state(Event.HANDOVER, made, THERE, entry={"number": 3, "previous": before})
    pack = book.pack(only=[first, fork])
    assert found(book.audit(pack)) == at(fork, AuditStep.CORRIDOR, "corridor_fork")


def test_broker_fills_two_holes_with_one_unopened_leaf(book: Logbook) -> None:
    made, first = book.submit(LA, KH)
    answered, second = book.submit(KH, LA)
    hidden = book.broker_states(Event.REFUSED, made, (LA, LA), "expired")
    one = book.state(Event.HANDOVER, made, THERE, entry={"number": 3, "previous": hidden})
    two = book.state(Event.HANDOVER, answered, BACK, entry={"number": 3, "previous": hidden})
    pack = book.pack(only=[first, second, one, two])
    assert found(book.audit(pack)) == at(two, AuditStep.CORRIDOR, "corridor_gap")


def test_broker_tells_a_corridor_two_stories(book: Logbook) -> None:
    made, first = book.submit(LA, KH)
    fork = book.state(Event.HANDOVER, made, THERE, entry={"previous": first + 100})
    assert found(book.audit()) == at(fork, AuditStep.CORRIDOR, "corridor_fork")


def test_broker_logs_an_event_twice(book: Logbook, agencies: tuple[Agency, Agency]) -> None:
    made, _ = book.submit(LA, KH)
    about = [(made.bulletin_id, made.ciphertext_digest)]
    (item,), batch = agencies[1].statements(Event.HANDOVER, about, THERE, book.time)
    book.log_statement(item, batch)
    again = book.log_statement(item, batch)
    assert found(book.audit()) == at(again, AuditStep.DELIVERY, "logged_twice")


def test_broker_logs_a_reading_twice(book: Logbook, agencies: tuple[Agency, Agency]) -> None:
    made = book.deliver(LA, KH)
    about = [(made.bulletin_id, made.ciphertext_digest)]
    (item,), batch = agencies[1].statements(Event.READ, about, THERE, book.time + 1)
    again = book.log_statement(item, batch)
    assert found(book.audit()) == at(again, AuditStep.DELIVERY, "already_read")


def test_broker_logs_a_consignment_twice(book: Logbook, agencies: tuple[Agency, Agency]) -> None:
    made = agencies[0].bulletin([KH], book.time)
    (item,), batch = agencies[0].submissions([made], [agencies[1]])
    book.admit(made, item, batch, THERE)
    again = book.admit(made, item, batch, THERE, kind=LeafType.CONSIGNED)
    assert found(book.audit()) == at(again, AuditStep.DELIVERY, "logged_twice")


def test_broker_admits_a_bulletin_twice_as_the_first_time(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    again = book.submit(LA, KH, made)[1]
    assert found(book.audit()) == at(again, AuditStep.DELIVERY, "already_submitted")


def test_broker_back_dates_an_entry(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    back = book.state(Event.HANDOVER, made, THERE, entry={"time": book.time - 1})
    assert found(book.audit()) == at(back, AuditStep.TIME, "time_falls")


def test_broker_dates_an_entry_after_its_head(book: Logbook) -> None:
    late = book.time + LIMITS.skew_ms + 1
    ahead = book.submit(LA, KH, entry={"time": late})[1]
    assert found(book.audit()) == at(ahead, AuditStep.TIME, "time_beyond_head")


def test_broker_shows_a_handover_after_expiry(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    book.time = made.header.expires
    book.broker_states(Event.EXPIRED, made, THERE, "undelivered")
    late = book.state(Event.HANDOVER, made, THERE)
    assert found(book.audit()) == at(late, AuditStep.DELIVERY, "already_decided")


def test_broker_shows_an_outcome_without_a_handover(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    early = book.state(Event.ACCEPTED, made, THERE)
    assert found(book.audit()) == at(early, AuditStep.DELIVERY, "order_illegal")


def test_broker_shows_two_outcomes(book: Logbook) -> None:
    made = book.deliver(LA, KH)
    second = book.state(Event.REJECTED, made, THERE, "schema_invalid")
    assert found(book.audit()) == at(second, AuditStep.DELIVERY, "already_decided")


def test_two_outcomes_are_found_across_a_hole(book: Logbook) -> None:
    made = book.deliver(LA, KH)  # leaves 1 to 4
    _, hidden = book.submit(LA, KH)
    second = book.state(Event.REJECTED, made, THERE, "schema_invalid")
    pack = book.pack(only=[1, 2, 3, 4, second])
    assert hidden == 5
    assert found(book.audit(pack)) == at(second, AuditStep.DELIVERY, "already_decided")


def test_broker_hands_over_what_a_revoked_node_had_consigned(
    book: Logbook, agencies: tuple[Agency, Agency]
) -> None:
    made, _ = book.submit(LA, KH)
    ceremony = Ceremony(agencies[0])
    ceremony.enrol()
    book.register(ceremony.operate([revoke(Role.NODE, agencies[0].node.key_id)]))
    late = book.state(Event.HANDOVER, made, THERE)
    assert found(book.audit()) == at(late, AuditStep.DELIVERY, "consignment_revoked")


@pytest.mark.parametrize("in_flight", ["deliver", "stop"])
def test_broker_hands_over_after_a_suspension(
    agencies: tuple[Agency, Agency], in_flight: str
) -> None:
    book = Logbook(agencies, in_flight=in_flight)
    made, _ = book.submit(LA, KH)
    book.order(order_by(agencies[1], book.name, "suspend"))
    late = book.state(Event.HANDOVER, made, THERE)
    if in_flight == "deliver":
        assert book.audit().finding is None
    else:
        assert found(book.audit()) == at(late, AuditStep.DELIVERY, "agreement_stopped")


def test_broker_admits_under_a_suspended_agreement(
    book: Logbook, agencies: tuple[Agency, Agency]
) -> None:
    book.order(order_by(agencies[1], book.name, "suspend"))
    _, late = book.submit(LA, KH)
    assert found(book.audit()) == at(late, AuditStep.SUBMISSION, "agreement_suspended")
