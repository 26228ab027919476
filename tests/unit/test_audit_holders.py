"""Who holds what, under audit: parties alone, by orders that are all shown, or are counted."""

from __future__ import annotations

import pytest
from saphan_protocol.audit.report import AuditStep
from saphan_protocol.hold_order import sign_hold
from saphan_schemas.hold_records import HoldOrder
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Event
from support.agency import Agency
from support.audits import KH, LA, at, found
from support.bundled import Maker
from support.ceremony import NOW
from support.retained import FOREVER, Retained, hold_by, retained

VN = "vn.mps"


def renewed(agency: Agency, number: int, hold: bytes) -> bytes:
    """An order that renews a hold."""
    order = HoldOrder(agency.name, number, "hold", hold, agency.random(32), FOREVER, agency.now)
    return sign_hold(order, [agency.root], [agency.random(32)], agency.random(32))


@pytest.fixture
def book() -> Retained:
    return retained()


def test_an_order_whose_first_one_no_pack_shows_accuses_nobody(book: Retained) -> None:
    made, target = book.ended()
    first = book.hold_order(hold_by(book.agencies[KH]))
    second = book.hold_order(renewed(book.agencies[KH], 2, first))
    book.says_held(made, target, second)
    release = book.hold_order(hold_by(book.agencies[KH], 3, first))
    book.says_held(made, target, release, event=Event.RELEASED)
    assert book.audit().coverage.holds_closed == 0
    assert Maker(book, made, KH).verify().finding is None
    del book.orders[0]
    report = book.audit()
    assert report.finding is None
    assert report.coverage.holds_closed == 2
    verdict = Maker(book, made, KH).verify()
    assert verdict.finding is None
    assert "hold_closed" in {gap.code for gap in verdict.gaps}


def test_a_release_is_shown_and_not_the_hold(book: Retained) -> None:
    made, target = book.ended()
    _, order = book.hold(made, target)
    book.release(made, target, order)
    del book.orders[0]
    assert book.audit().finding is None


def test_a_stranger_holds_nothing() -> None:
    book = Retained([Agency(LA, NOW), Agency(KH, NOW), Agency(VN, NOW)])
    made, target = book.ended()
    wrong, _ = book.hold(made, target, VN)
    assert found(book.audit()) == at(wrong, AuditStep.DELIVERY, "target_differs")


def test_a_sender_holds_another_bulletin_than_it_names(book: Retained) -> None:
    made, target = book.ended()
    _, second = book.ended()
    order = book.hold_order(hold_by(book.agencies[LA]))
    book.says_held(made, target, order, LA)
    wrong = book.says_held(made, second, order, LA)
    assert found(book.audit()) == at(wrong, AuditStep.DELIVERY, "target_differs")


def test_what_was_not_opened_says_nothing_of_its_parties(book: Retained) -> None:
    made, target = book.ended()
    held, _ = book.hold(made, target, LA)
    assert book.audit(book.pack(only=[held])).finding is None


def test_a_destruction_before_its_day_behind_a_hole(book: Retained) -> None:
    made, target = book.ended()
    book.come(made, -DAY_MS)
    early = book.destroy(made, target)
    book.come(made)
    assert found(book.audit(book.pack(only=[early]))) == at(
        early, AuditStep.DELIVERY, "destroyed_early"
    )
