"""Destruction under audit from leaves and heads alone: no pack opens a single entry."""

from __future__ import annotations

import pytest
from saphan_protocol.admission import due_day
from saphan_protocol.audit.report import AuditStep, Report
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Event, LeafType
from support.audits import BACK, KH, LA, THERE, at, found
from support.retained import Retained, retained

GRACE = LIMITS.destruction_grace_ms
SKEW = LIMITS.skew_ms


@pytest.fixture
def book() -> Retained:
    return retained()


def unopened(book: Retained) -> Report:
    """Nobody hands anything over: what the public log alone tells."""
    return book.audit(book.pack(only=[]))


def test_what_is_destroyed_on_its_day_is_in_order(book: Retained) -> None:
    made, target = book.ended()
    book.come(made)
    book.destroy(made, target)
    report = unopened(book)
    assert report.finding is None
    seen = report.coverage
    assert (seen.logged["destroyed"], seen.destruction_waits, seen.destruction_held) == (1, 0, 0)


def test_a_head_before_the_day_that_covers_it_convicts_the_broker(book: Retained) -> None:
    made, target = book.ended()
    book.come(made, -SKEW - 2000)
    early = book.destroy(made, target)
    assert found(unopened(book)) == at(early, AuditStep.DESTRUCTION, "destroyed_early")
    book.come(made, -SKEW)
    assert unopened(book).finding is None, "within the skew of clocks"


def test_a_head_that_a_pack_shows_convicts_him_too(book: Retained) -> None:
    made, target = book.ended()
    book.come(made, -DAY_MS)
    early = book.destroy(made, target)
    book.show_head()
    book.come(made)
    assert found(unopened(book)) == at(early, AuditStep.DESTRUCTION, "destroyed_early")


def test_without_that_head_leaves_alone_do_not_tell(book: Retained) -> None:
    made, target = book.ended()
    book.come(made, -DAY_MS)
    book.destroy(made, target)
    book.come(made)
    assert unopened(book).finding is None


def test_what_is_due_and_never_destroyed_is_named(book: Retained) -> None:
    kept, destroyed = book.ended(), book.ended()
    book.come(kept[0], GRACE)
    book.destroy(*destroyed)
    waits = unopened(book)
    assert waits.finding is None, "at the end of the grace time, not before"
    assert waits.coverage.destruction_waits == 1
    book.time += 1000
    report = unopened(book)
    assert found(report) == at(kept[1], AuditStep.DESTRUCTION, "destruction_missing")
    assert report.coverage.logged["destroyed"] == 1


def test_the_first_of_several_is_named(book: Retained) -> None:
    first, second = book.ended(), book.ended()
    book.come(first[0], GRACE + 1000)
    assert found(unopened(book)) == at(first[1], AuditStep.DESTRUCTION, "destruction_missing")
    book.destroy(*first)
    assert found(unopened(book)) == at(second[1], AuditStep.DESTRUCTION, "destruction_missing")


def test_what_is_held_waits_and_from_its_release_on_the_grace_time_counts(book: Retained) -> None:
    made, target = book.ended()
    _, order = book.hold(made, target)
    book.come(made, 10 * DAY_MS)
    report = unopened(book)
    assert report.finding is None
    assert report.coverage.destruction_held == 1
    book.release(made, target, order)
    book.show_head()
    book.time += GRACE
    assert unopened(book).finding is None
    book.time += 2000  # a head's time is known to the second
    assert found(unopened(book)) == at(target, AuditStep.DESTRUCTION, "destruction_missing")
    book.destroy(made, target)
    assert unopened(book).finding is None


def test_when_no_head_says_by_when_it_was_released_the_last_one_does(book: Retained) -> None:
    made, target = book.ended()
    _, order = book.hold(made, target)
    book.come(made, 10 * DAY_MS)
    book.release(made, target, order)
    book.time += 10 * GRACE
    assert unopened(book).finding is None


def test_two_agencies_hold_and_one_release_frees_nothing(book: Retained) -> None:
    made, target = book.ended()
    _, here = book.hold(made, target, KH)
    _, there = book.hold(made, target, LA)
    book.come(made)
    book.release(made, target, here, KH)
    wrong = book.destroy(made, target)
    assert found(unopened(book)) == at(wrong, AuditStep.DESTRUCTION, "destroyed_held")
    other = retained()
    made, target = other.ended()
    _, here = other.hold(made, target, KH)
    _, there = other.hold(made, target, LA)
    other.come(made)
    other.release(made, target, here, KH)
    other.release(made, target, there, LA)
    other.destroy(made, target)
    assert unopened(other).finding is None


def test_a_release_of_nothing_a_second_destruction_and_a_late_hold(book: Retained) -> None:
    made, target = book.ended()
    book.come(made)
    wrong = book.says_held(made, target, bytes(32), event=Event.RELEASED)
    assert found(unopened(book)) == at(wrong, AuditStep.DESTRUCTION, "released_unheld")
    for event, code in ((Event.DESTROYED, "destroyed_before"), (Event.HELD, "after_destruction")):
        one = retained()
        made, target = one.ended()
        one.come(made)
        one.destroy(made, target)
        one.time += 1
        if event is Event.DESTROYED:
            wrong = one.destroy(made, target)
        else:
            wrong = one.says_held(made, target, bytes(32))
        assert found(unopened(one)) == at(wrong, AuditStep.DESTRUCTION, code)


@pytest.mark.parametrize("target", [0, 2, 3])
def test_only_a_first_admission_is_destroyed(book: Retained, target: int) -> None:
    made, submitted = book.ended()
    assert submitted == 1
    book.come(made)
    wrong = book.destroy(made, target)
    assert found(unopened(book)) == at(wrong, AuditStep.DESTRUCTION, "target_malformed")


def test_a_target_behind_its_leaf_is_none(book: Retained) -> None:
    made, _ = book.ended()
    wrong = book.destroy(made, len(book.evidence.kept))
    assert found(unopened(book)) == at(wrong, AuditStep.ANCHOR, "target_malformed")


def test_every_delivery_has_its_own_destruction(book: Retained) -> None:
    there, back = book.ended(), book.submit(*BACK)
    assert due_day(there[0].header) == due_day(back[0].header)
    book.come(there[0], GRACE + 1000)
    book.destroy(*there)
    assert found(unopened(book)) == at(back[1], AuditStep.DESTRUCTION, "destruction_missing")
    book.broker_states(Event.EXPIRED, back[0], BACK, "undelivered")
    book.broker_states(Event.DESTROYED, back[0], BACK, "due", target=back[1])
    assert unopened(book).finding is None
    assert book.audit().finding is None


def test_a_later_consignment_has_no_day_of_its_own(book: Retained) -> None:
    made, first = book.submit(LA, KH)
    book.state(Event.HANDOVER, made, THERE)
    book.state(Event.UNOPENED, made, THERE, "stanza_unopenable")
    _, again = book.submit(LA, KH, made, kind=LeafType.CONSIGNED)
    book.come(made)
    wrong = book.destroy(made, again)
    assert found(unopened(book)) == at(wrong, AuditStep.DESTRUCTION, "target_malformed")
    assert again > first


def test_what_is_destroyed_too_late_is_counted_and_accuses_nobody(book: Retained) -> None:
    """A broker that was down for four days."""
    one, two = book.ended(), book.ended()
    book.come(one[0], 4 * DAY_MS)
    book.destroy(*one)
    assert unopened(book).coverage.destruction_late == 0, "leaves and one head do not tell"
    book.destroy(*two)
    report = book.audit()
    assert (report.finding, report.coverage.destruction_late) == (None, 2)


def test_a_head_before_it_tells_as_well_that_it_was_too_late(book: Retained) -> None:
    made, target = book.ended()
    held, second = book.ended()
    _, order = book.hold(held, second)
    book.come(made, GRACE + 1000)
    book.show_head()
    book.release(held, second, order)
    book.destroy(made, target)
    book.destroy(held, second)
    report = unopened(book)
    assert (report.finding, report.coverage.destruction_late) == (None, 1)
    assert book.audit().coverage.destruction_late == 1, "from its release on it was in time"
