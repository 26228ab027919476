"""A consignment to several agencies under audit: none of them may be left out."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from saphan_protocol.audit.report import AuditStep
from saphan_schemas.records import Event
from support.agency import Agency
from support.audits import KH, LA, at, found
from support.ceremony import NOW
from support.logbook import Logbook

TH, VN = "th.oncb", "vn.spp"
AGENCIES = {name: Agency(name, NOW) for name in (LA, KH, TH, VN)}
ALL = (KH, TH, VN)


@pytest.fixture
def book() -> Logbook:
    return Logbook(list(AGENCIES.values()))


def consign(book: Logbook, to: Sequence[str] = ALL, between: str | None = None) -> None:
    """A bulletin to three agencies is logged for those of `to`, from leaf 1 on."""
    made = AGENCIES[LA].bulletin(ALL, book.time)
    (item,), batch = AGENCIES[LA].submissions([made], [AGENCIES[name] for name in ALL])
    for name in to:
        if name == between:
            book.broker_states(Event.REFUSED, made, (LA, LA), "replay")
        book.admit(made, item, batch, (LA, name))


def test_entries_side_by_side_are_in_order(book: Logbook) -> None:
    consign(book)
    consign(book)
    assert book.audit().finding is None
    for only in ([2], [1, 3], [3], [2, 4], [1, 5], [6]):
        assert book.audit(book.pack(only=only)).finding is None, only


@pytest.mark.parametrize(
    ("to", "leaf"), (((KH, TH), None), ((KH,), None), ((TH, VN), 1), ((KH, VN), 2), ((VN,), 1))
)
def test_broker_leaves_a_recipient_out(book: Logbook, to: Sequence[str], leaf: int | None) -> None:
    consign(book, to)
    assert found(book.audit()) == at(leaf, AuditStep.SUBMISSION, "recipient_missing")


def test_a_left_out_recipient_is_seen_by_one_that_was_not(book: Logbook) -> None:
    consign(book, (KH, TH), between=TH)
    for only, leaf in (([1], 2), ([3], 3)):
        finding = found(book.audit(book.pack(only=only)))
        assert finding == at(leaf, AuditStep.SUBMISSION, "recipient_missing")


def test_another_bulletin_does_not_fill_the_place(book: Logbook) -> None:
    consign(book, (KH, TH))
    book.submit(LA, VN)
    assert found(book.audit()) == at(3, AuditStep.SUBMISSION, "recipient_missing")
