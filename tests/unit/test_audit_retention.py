"""What records add to it: exact times, outcomes, recalls and their answers, orders behind holds."""

from __future__ import annotations

from typing import Any

import pytest
from saphan_protocol.audit.report import AuditStep
from saphan_protocol.evidence import parse_leaf
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Event, LeafType
from support.agency import Made
from support.audits import KH, LA, THERE, at, found
from support.retained import Retained, hold_by, retained

SKEW = LIMITS.skew_ms


@pytest.fixture
def book() -> Retained:
    return retained()


def wrong(book: Retained, index: int, code: str, step: AuditStep = AuditStep.DELIVERY) -> None:
    assert found(book.audit()) == at(index, step, code)


def erase(
    book: Retained, made: Made, code: str, by: str = KH, pair: tuple[str, str] = THERE
) -> int:
    return book.state(Event.ERASED, made, pair, code, by=by)


def test_a_whole_life_to_its_end_is_in_order(book: Retained) -> None:
    made, target = book.ended()
    book.state(Event.READ, made, THERE)
    book.state(Event.HOLD_ASKED, made, THERE, "hold", by=LA)
    book.state(Event.HOLD_ANSWERED, made, THERE, "kept")
    _, order = book.hold(made, target)
    book.state(Event.RECALLED, made, THERE, "error", by=LA)
    book.state(Event.DECLINED, made, THERE, "legal_hold")
    book.come(made, DAY_MS)
    book.release(made, target, order)
    book.state(Event.OBEYED, made, THERE)
    erase(book, made, "recalled")
    erase(book, made, "closed", LA, (LA, LA))
    book.destroy(made, target)
    report = book.audit()
    assert report.finding is None
    seen = report.coverage
    assert seen.entries == seen.entries_opened
    assert (seen.unplaced, seen.holds_closed) == (0, 0)
    assert seen.deliveries == {"read": 1}


def test_he_destroys_before_the_day_and_signs_no_head_until_then(book: Retained) -> None:
    made, target = book.ended()
    book.come(made, -SKEW - 1)
    early = book.destroy(made, target)
    book.come(made)
    wrong(book, early, "destroyed_early")


def test_he_destroys_what_has_no_outcome(book: Retained) -> None:
    made, target = book.submit(LA, KH)
    book.state(Event.HANDOVER, made, THERE)
    book.come(made)
    wrong(book, book.destroy(made, target), "not_destroyable")


def test_he_hands_over_what_he_has_destroyed(book: Retained) -> None:
    made, target = book.submit(LA, KH)
    book.come(made)
    book.broker_states(Event.EXPIRED, made, THERE, "undelivered")
    book.destroy(made, target)
    wrong(book, book.state(Event.HANDOVER, made, THERE), "after_destruction")


def test_handing_over_what_leaves_say_is_destroyed_although_nobody_opens_them(
    book: Retained,
) -> None:
    made, target = book.submit(LA, KH)
    book.come(made)
    book.broker_states(Event.EXPIRED, made, THERE, "undelivered")
    destroyed = book.destroy(made, target)
    late = book.state(Event.HANDOVER, made, THERE)
    shown = [entry.index for entry, _ in book.shown if entry.index != destroyed]
    assert found(book.audit(book.pack(only=shown))) == at(
        late, AuditStep.DELIVERY, "after_destruction"
    )


def test_the_statement_names_another_delivery_than_the_leaf(book: Retained) -> None:
    one, first = book.ended()
    _, second = book.ended()
    book.come(one)
    late = book.broker_states(Event.DESTROYED, one, THERE, "due", target=first)
    body = book.evidence.kept[late]
    assert parse_leaf(body).target == first
    book.evidence.kept[late] = body[:1] + second.to_bytes(8, "big") + body[9:]
    wrong(book, late, "target_differs", AuditStep.RETENTION)


def test_the_bulletin_is_another_than_the_target(book: Retained) -> None:
    one, _ = book.ended()
    _, second = book.ended()
    book.come(one)
    wrong(book, book.destroy(one, second), "target_differs")


def test_holders_erase_on_their_day_or_say_why_earlier(book: Retained) -> None:
    made, target = book.ended()
    other, second = book.ended()
    erase(book, other, "closed")
    book.come(made)
    book.destroy(made, target)
    book.destroy(other, second)
    book.time = made.header.retain_until * DAY_MS - SKEW
    erase(book, made, "due")
    erase(book, made, "due", LA, (LA, LA))
    assert book.audit().finding is None


def test_a_recipient_erases_too_early(book: Retained) -> None:
    made, _ = book.ended()
    wrong(book, erase(book, made, "due"), "erased_early")


def test_a_sender_erases_too_early_or_twice(book: Retained) -> None:
    made, _ = book.ended()
    wrong(book, erase(book, made, "due", LA, (LA, LA)), "erased_early")
    other = retained()
    made, _ = other.ended()
    erase(other, made, "closed", LA, (LA, LA))
    other.time += 1
    wrong(other, erase(other, made, "closed", LA, (LA, LA)), "erased_before")


def test_a_recipient_says_so_where_it_received_it(book: Retained) -> None:
    made, _ = book.ended()
    wrong(book, erase(book, made, "closed", KH, (KH, KH)), "corridor_wrong")


def test_it_says_recalled_and_nobody_recalled(book: Retained) -> None:
    made, _ = book.ended()
    wrong(book, erase(book, made, "recalled"), "erased_unrecalled")


def test_behind_a_hole_a_recall_may_lie(book: Retained) -> None:
    made, _ = book.ended()
    recall = book.state(Event.RECALLED, made, THERE, "error", by=LA)
    book.state(Event.OBEYED, made, THERE)
    erase(book, made, "recalled")
    shown = [entry.index for entry, _ in book.shown if entry.index != recall]
    assert book.audit(book.pack(only=shown)).finding is None


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ([(Event.OBEYED, None)], "not_recalled"),
        ([(Event.RECALLED, "error"), (Event.RECALLED, "court_order")], "recalled_before"),
        (
            [(Event.RECALLED, "error"), (Event.OBEYED, None), (Event.DECLINED, "legal_hold")],
            "answered_before",
        ),
        ([(Event.ERASED, "closed"), (Event.ERASED, "review")], "erased_before"),
    ],
)
def test_what_the_aftermath_forbids(
    book: Retained, said: list[tuple[Event, str | None]], code: str
) -> None:
    made, _ = book.ended()
    last = 0
    for event, why in said:
        book.time += 1
        last = book.state(event, made, THERE, why, by=LA if event is Event.RECALLED else KH)
    wrong(book, last, code)


def test_the_same_question_twice(book: Retained) -> None:
    made, _ = book.ended()
    book.state(Event.HOLD_ASKED, made, THERE, "hold", by=LA)
    wrong(book, book.state(Event.HOLD_ASKED, made, THERE, "hold", by=LA), "logged_twice")
    other = retained()
    made, _ = other.ended()
    for _ in range(2):
        other.state(Event.HOLD_ASKED, made, THERE, "hold", by=LA)
        other.time += 1
    assert other.audit().finding is None


def test_a_hold_names_an_order_of_its_agency_in_force(book: Retained) -> None:
    def hold(change: Any) -> None:
        one = retained()
        made, target = one.ended()
        wrong_index, code = change(one, made, target)
        wrong(one, wrong_index, code, AuditStep.RETENTION)

    def unknown(one: Retained, made: Made, target: int) -> tuple[int, str]:
        return one.says_held(made, target, bytes(32)), "hold_unknown"

    def anothers(one: Retained, made: Made, target: int) -> tuple[int, str]:
        order = one.hold_order(hold_by(one.agencies[LA]))
        return one.says_held(made, target, order, KH), "hold_unknown"

    def twice(one: Retained, made: Made, target: int) -> tuple[int, str]:
        _, order = one.hold(made, target)
        one.time += 1
        return one.says_held(made, target, order), "held_before"

    def over(one: Retained, made: Made, target: int) -> tuple[int, str]:
        order = one.hold_order(hold_by(one.agencies[KH]))
        one.hold_order(hold_by(one.agencies[KH], 2, order))
        return one.says_held(made, target, order), "hold_over"

    def by_release(one: Retained, made: Made, target: int) -> tuple[int, str]:
        order = one.hold_order(hold_by(one.agencies[KH]))
        release = one.hold_order(hold_by(one.agencies[KH], 2, order))
        return one.says_held(made, target, release), "hold_action"

    for change in (unknown, anothers, twice, over, by_release):
        hold(change)


def test_it_releases_by_an_order_under_which_it_does_not_hold(book: Retained) -> None:
    made, target = book.ended()
    book.hold(made, target)
    order = book.hold_order(hold_by(book.agencies[KH], 2))
    release = book.hold_order(hold_by(book.agencies[KH], 3, order))
    late = book.says_held(made, target, release, event=Event.RELEASED)
    wrong(book, late, "released_unheld", AuditStep.RETENTION)


def test_it_holds_what_another_received(book: Retained) -> None:
    one, _ = book.ended()
    _, second = book.ended()
    order = book.hold_order(hold_by(book.agencies[KH]))
    wrong(book, book.says_held(one, second, order), "target_differs")


def test_an_order_that_no_pack_opens_is_counted(book: Retained) -> None:
    made, target = book.ended()
    _, order = book.hold(made, target)
    book.release(made, target, order)
    book.orders.clear()
    report = book.audit()
    assert report.finding is None
    assert report.coverage.holds_closed == 2


def test_a_late_recall_neither_ends_a_delivery_nor_its_times(book: Retained) -> None:
    made, _ = book.submit(LA, KH)
    book.time += 1000
    book.state(Event.HANDOVER, made, THERE)
    book.state(Event.RECALLED, made, THERE, "error", by=LA)
    book.time += 2000
    book.state(Event.ACCEPTED, made, THERE)
    report = book.audit()
    assert report.finding is None
    assert report.coverage.deliveries == {"accepted": 1}
    (pair,) = report.statistics.pairs.values()
    assert (pair.answer.count, pair.answer.longest) == (1, 2000)


def test_an_unseen_beginning_is_no_fault_of_what_follows(book: Retained) -> None:
    made, target = book.ended()
    book.state(Event.RECALLED, made, THERE, "error", by=LA)
    book.state(Event.OBEYED, made, THERE)
    erase(book, made, "recalled")
    book.come(made)
    book.destroy(made, target)
    last = [entry.index for entry, _ in book.shown][3:]
    report = book.audit(book.pack(only=last))
    assert report.finding is None
    assert report.coverage.unplaced == 4
    assert report.coverage.logged[LeafType.DESTROYED.name.lower()] == 1
