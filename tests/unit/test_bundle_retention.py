"""Bundles of what was destroyed, erased, held and recalled: still proof, and judged the same."""

from __future__ import annotations

import pytest
from saphan_protocol.bundle.report import BundleStep, Outcome, Verdict
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Event
from support.agency import Made
from support.audits import KH, LA, THERE
from support.bundled import Maker
from support.retained import Retained, hold_by, retained

SKEW = LIMITS.skew_ms


@pytest.fixture
def book() -> Retained:
    return retained()


def refusal(verdict: Verdict) -> tuple[BundleStep, int | None, str]:
    assert verdict.finding is not None, verdict.gaps
    return verdict.finding.step, verdict.finding.index, verdict.finding.code


def recall(book: Retained, made: Made) -> int:
    return book.state(Event.RECALLED, made, THERE, "error", by=LA)


def test_a_bundle_of_a_bulletin_that_is_gone_everywhere_is_valid(book: Retained) -> None:
    made, target = book.ended()
    book.state(Event.READ, made, THERE)
    _, order = book.hold(made, target)
    recall(book, made)
    book.state(Event.DECLINED, made, THERE, "legal_hold")
    book.state(Event.HOLD_ASKED, made, THERE, "hold", by=LA)
    book.state(Event.HOLD_ANSWERED, made, THERE, "kept")
    book.come(made, DAY_MS)
    book.release(made, target, order)
    book.state(Event.OBEYED, made, THERE)
    book.state(Event.ERASED, made, THERE, "recalled")
    book.state(Event.ERASED, made, (LA, LA), "closed", by=LA)
    book.destroy(made, target)
    verdict = Maker(book, made, LA, bodies=False).verify()
    assert verdict.outcome is Outcome.VALID, (verdict.finding, verdict.gaps)
    (delivery,) = verdict.deliveries
    assert delivery.state == "read"
    assert "destroyed" in {event.event for event in verdict.events}
    assert {"copies", "body_absent"} <= {line.code for line in verdict.unproven}


def test_a_bundle_of_what_lives_promises_nothing_of_copies(book: Retained) -> None:
    made, _ = book.ended()
    verdict = Maker(book, made, LA).verify()
    assert "copies" not in {line.code for line in verdict.unproven}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ((Event.OBEYED, None), "not_recalled"),
        ((Event.ERASED, "recalled"), "erased_unrecalled"),
        ((Event.ERASED, "due"), "erased_early"),
    ],
)
def test_what_nobody_could_say_yet(
    book: Retained, said: tuple[Event, str | None], code: str
) -> None:
    made, _ = book.ended()
    wrong = book.state(said[0], made, THERE, said[1])
    assert refusal(Maker(book, made, LA).verify()) == (BundleStep.DELIVERY, wrong, code)


def test_destruction_before_its_day_without_outcome_and_twice(book: Retained) -> None:
    made, target = book.ended()
    book.come(made, -SKEW - 1)
    wrong = book.destroy(made, target)
    assert refusal(Maker(book, made, LA).verify()) == (
        BundleStep.DELIVERY, wrong, "destroyed_early",
    )  # fmt: skip
    other = retained()
    made, target = other.submit(LA, KH)
    other.come(made)
    wrong = other.destroy(made, target)
    assert refusal(Maker(other, made, LA).verify())[2] == "not_destroyable"
    third = retained()
    made, target = third.ended()
    third.come(made)
    third.destroy(made, target)
    third.time += 1
    third.destroy(made, target)
    assert refusal(Maker(third, made, LA).verify())[2] == "destroyed_before"


def test_the_key_after_destruction(book: Retained) -> None:
    made, target = book.submit(LA, KH)
    book.come(made)
    book.broker_states(Event.EXPIRED, made, THERE, "undelivered")
    book.destroy(made, target)
    late = book.state(Event.HANDOVER, made, THERE)
    assert refusal(Maker(book, made, LA).verify()) == (
        BundleStep.DELIVERY, late, "after_destruction",
    )  # fmt: skip


def test_another_target_and_a_second_erasure_of_the_sender(book: Retained) -> None:
    made, _ = book.ended()
    _, second = book.ended()
    book.come(made)
    book.destroy(made, second)
    assert refusal(Maker(book, made, LA).verify())[2] == "target_differs"
    other = retained()
    made, _ = other.ended()
    for _ in range(2):
        other.time += 1
        other.state(Event.ERASED, made, (LA, LA), "closed", by=LA)
    assert refusal(Maker(other, made, LA).verify())[2] == "erased_before"


def test_a_recipient_erases_in_its_own_corridor(book: Retained) -> None:
    made, _ = book.ended()
    book.state(Event.ERASED, made, (KH, KH), "closed")
    assert refusal(Maker(book, made, KH).verify())[2] == "corridor_wrong"


def test_a_hold_without_its_order_is_a_gap_and_without_any_is_wrong(book: Retained) -> None:
    made, target = book.ended()
    book.hold(made, target)
    maker = Maker(book, made, KH)
    assert maker.verify().outcome is Outcome.VALID
    maker.packages = [book.package]
    closed = maker.verify()
    assert closed.finding is None
    assert {gap.code for gap in closed.gaps} >= {"hold_closed"}
    book.says_held(made, target, bytes(32))
    assert refusal(Maker(book, made, KH).verify())[2] == "hold_unknown"


def test_a_hold_by_an_order_that_was_released(book: Retained) -> None:
    made, target = book.ended()
    order = book.hold_order(hold_by(book.agencies[KH]))
    book.hold_order(hold_by(book.agencies[KH], 2, order))
    book.says_held(made, target, order)
    assert refusal(Maker(book, made, KH).verify())[2] == "hold_over"


def test_a_recall_that_is_left_out_makes_its_answer_no_fault(book: Retained) -> None:
    made, _ = book.ended()
    asked = recall(book, made)
    book.state(Event.OBEYED, made, THERE)
    book.state(Event.ERASED, made, THERE, "recalled")
    maker = Maker(book, made, LA, hidden=frozenset({asked}))
    verdict = maker.verify()
    assert verdict.finding is None
    assert verdict.outcome is Outcome.GAPS or verdict.deliveries[0].whole is False


def test_a_recall_after_what_is_not_shown_decides_nothing(book: Retained) -> None:
    """Whether it was the outcome or a request, only what is left out would say."""
    made, _ = book.submit(LA, KH)
    handed = book.state(Event.HANDOVER, made, THERE)
    recall(book, made)
    book.state(Event.ACCEPTED, made, THERE)
    verdict = Maker(book, made, LA, hidden=frozenset({handed})).verify()
    assert verdict.finding is None
    assert verdict.deliveries[0].state == "accepted"


def test_a_hold_after_destruction_and_the_same_one_twice(book: Retained) -> None:
    made, target = book.ended()
    _, order = book.hold(made, target)
    assert Maker(book, made, KH).verify().outcome is Outcome.VALID
    book.time += 1
    wrong = book.says_held(made, target, order)
    assert refusal(Maker(book, made, KH).verify()) == (BundleStep.DELIVERY, wrong, "held_before")
    other = retained()
    made, target = other.ended()
    other.come(made)
    other.destroy(made, target)
    other.hold(made, target)
    assert refusal(Maker(other, made, KH).verify())[2] == "after_destruction"


def test_destruction_while_a_hold_is_shown_is_a_gap_and_after_its_end_none(book: Retained) -> None:
    made, target = book.ended()
    _, order = book.hold(made, target)
    book.come(made)
    ended = book.release(made, target, order)
    book.destroy(made, target)
    assert Maker(book, made, KH).verify().outcome is Outcome.VALID
    hidden = Maker(book, made, KH, hidden=frozenset({ended})).verify()
    assert hidden.finding is None
    assert ("steps_missing", "destroyed") in {
        (gap.code, gap.values.get("code")) for gap in hidden.gaps
    }


def test_a_sender_holds_a_delivery_of_another_bulletin(book: Retained) -> None:
    made, _ = book.ended()
    _, second = book.ended()
    order = book.hold_order(hold_by(book.agencies[LA]))
    book.says_held(made, second, order, LA)
    assert refusal(Maker(book, made, LA).verify())[2] == "target_differs"
