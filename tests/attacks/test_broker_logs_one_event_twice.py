"""One event stands in the log at two places: each side is shown another of them, or one side the
second time it happened.
"""

from __future__ import annotations

import pytest
from saphan_protocol.audit.report import AuditStep
from saphan_schemas.records import Event
from support.agency import Agency
from support.audits import KH, LA, THERE, at, found
from support.ceremony import NOW
from support.logbook import Logbook


@pytest.fixture
def book() -> Logbook:
    return Logbook((Agency(LA, NOW), Agency(KH, NOW)))


def twice(book: Logbook, *, same_number: bool) -> tuple[int, int]:
    """A handover of one bulletin at two leaves; as the corridor's next entry both times, or not."""
    made, _ = book.submit(LA, KH)
    before = book.corridors[THERE]
    about = [(made.bulletin_id, made.ciphertext_digest)]
    (item,), batch = book.agencies[KH].statements(Event.HANDOVER, about, THERE, book.time)
    first = book.log_statement(item, batch)
    if same_number:
        book.corridors[THERE] = before
    return first, book.log_statement(item, batch)


def test_who_is_shown_both_sees_it_at_once(book: Logbook) -> None:
    _, second = twice(book, same_number=False)
    assert found(book.audit()) == at(second, AuditStep.DELIVERY, "logged_twice")


@pytest.mark.parametrize("hidden", (0, 1))
def test_each_side_alone_cannot_see_it_and_both_together_do(book: Logbook, hidden: int) -> None:
    """Two leaves with one number in the corridor: each side's own story is without a gap."""
    places = twice(book, same_number=True)
    size = len(book.evidence.kept)
    book.sign()
    sides = [
        book.pack([index for index in range(size) if index != place], maker=who)
        for place, who in zip(places, (LA, KH), strict=True)
    ]
    assert book.audit(sides[hidden], sign=False).finding is None
    assert found(book.audit(*sides, sign=False)) == at(
        places[1], AuditStep.CORRIDOR, "corridor_fork"
    )


def test_neither_side_can_be_given_a_later_event_without_the_missing_number(book: Logbook) -> None:
    """What follows names number and place of what came before: it fits one of the two only."""
    first, second = twice(book, same_number=True)
    assert first < second
    book.submit(LA, KH)
    size = len(book.evidence.kept)
    shown_first = book.pack([index for index in range(size) if index != second], maker=LA)
    assert found(book.audit(shown_first))[3] in {"corridor_fork", "corridor_gap"}
