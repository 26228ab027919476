"""The audit of a log that follows a lost one: alone, and with what is in hand of that one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from saphan_protocol.audit import resuming
from saphan_protocol.audit.before import OldLogs
from saphan_protocol.audit.report import AuditStep, SuccessorSeen
from saphan_protocol.audit.resuming import Resuming
from saphan_protocol.evidence import anchor_leaf, successor_leaf
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import HeadRef, Role
from support.agency import Agency
from support.audits import KH, LA, THERE, at, found
from support.ceremony import NOW, Ceremony, revoke
from support.logbook import Logbook
from support.successors import cut, in_hand, succeed

OTHER = b"\x07" * 32


@pytest.fixture(scope="module")
def agencies() -> tuple[Agency, Agency]:
    return Agency(LA, NOW), Agency(KH, NOW)


@pytest.fixture
def lost(agencies: tuple[Agency, Agency]) -> Logbook:
    book = Logbook(agencies)
    book.deliver(LA, KH)
    book.deliver(KH, LA)
    return book


def seen(book: Logbook, **options: Any) -> SuccessorSeen:
    report = book.audit(**options)
    assert report.finding is None
    assert report.coverage.successor is not None
    return report.coverage.successor


def test_the_first_log_follows_none(lost: Logbook) -> None:
    assert lost.audit().coverage.successor is None


def test_a_successor_alone_says_which_log_it_follows_and_where_that_one_ended(
    lost: Logbook,
) -> None:
    book = succeed(lost)
    book.deliver(LA, KH)
    told = seen(book)
    assert (told.origin, told.size, told.root) == (
        "bridge.test/evidence/1", 9, lost.evidence.root()
    )  # fmt: skip
    assert (told.head, told.gap, told.heads, told.signed, told.doubted) == (None, None, 0, False, 0)
    report = book.audit()
    # Corridors count from 1 again, and the successor's own leaf is no entry.
    assert report.coverage.corridors[THERE].first == 1
    assert report.coverage.entries == report.coverage.entries_opened == 4
    assert report.coverage.logged["successor"] == 1


@pytest.mark.parametrize("in_all", (9, 8, 1))
def test_with_the_lost_log_the_gap_is_a_number(lost: Logbook, in_all: int) -> None:
    book = succeed(lost)
    book.deliver(LA, KH)
    told = seen(book, old=in_hand(lost, in_all))
    assert told.head is not None
    assert (told.head.size, told.gap) == (in_all, 9 - in_all)
    assert (told.heads, told.signed) == (1, in_all == 9)


def test_a_head_that_an_agency_has_kept_shows_that_the_gap_was_signed(lost: Logbook) -> None:
    lost.show_head()
    told = seen(succeed(lost), old=OldLogs(cut(lost, 4), None, [("kept", lost.pack())]))
    assert (told.gap, told.heads, told.signed) == (5, 2, True)
    told = seen(succeed(lost), old=OldLogs(packs=[("kept", lost.pack())]))
    assert (told.gap, told.heads, told.signed) == (None, 1, True)


def test_a_successor_of_a_successor_names_that_one(lost: Logbook) -> None:
    second = succeed(lost)
    second.deliver(LA, KH)
    third = succeed(second)
    told = seen(third, old=in_hand(second))
    assert (told.origin, told.size, told.gap) == ("bridge.test/evidence/2", 6, 0)


@pytest.mark.parametrize("directory", (False, True))
def test_the_directory_goes_on_under_its_own_number_or_the_next_one(
    lost: Logbook, directory: bool
) -> None:
    book = succeed(lost, directory=directory)
    book.deliver(LA, KH)
    assert seen(book, old=in_hand(lost)).gap == 0


# --- what a successor must not say ------------------------------------------------------------


def test_a_successor_that_names_less_than_was_signed_is_found(lost: Logbook) -> None:
    book = succeed(lost, 8, lost.evidence.root(8))
    assert found(book.audit(old=in_hand(lost))) == at(0, AuditStep.SUCCESSOR, "successor_behind")


def test_a_successor_that_names_less_than_an_agency_kept_is_found(lost: Logbook) -> None:
    lost.show_head()
    book = succeed(lost, 8, lost.evidence.root(8))
    old = OldLogs(cut(lost, 8), None, [("kept", lost.pack())])
    report = book.audit(old=old)
    assert found(report) == at(0, AuditStep.SUCCESSOR, "successor_behind")
    assert report.finding is not None
    assert report.finding.pack == "kept"


def test_a_successor_that_names_another_head_of_that_size_is_found(lost: Logbook) -> None:
    book = succeed(lost, root=OTHER)
    assert found(book.audit(old=in_hand(lost))) == at(0, AuditStep.SUCCESSOR, "successor_differs")


@pytest.mark.parametrize(
    ("leaf", "code"),
    (
        (None, "successor_missing"),
        (successor_leaf("bridge.test/evidence/2", 9, OTHER), "successor_origin"),
        (successor_leaf("another.test/evidence/1", 9, OTHER), "successor_origin"),
    ),
)
def test_a_later_log_begins_with_the_one_before_it(
    lost: Logbook, leaf: bytes | None, code: str
) -> None:
    book = succeed(lost)
    book.evidence.kept[:1] = [] if leaf is None else [leaf]
    assert found(book.audit()) == at(0, AuditStep.ANCHOR, code)


def test_the_first_log_of_its_name_follows_none(lost: Logbook) -> None:
    lost.evidence.kept.insert(0, successor_leaf("bridge.test/evidence/0", 3, OTHER))
    assert found(lost.audit()) == at(0, AuditStep.ANCHOR, "successor_origin")


def test_a_successor_leaf_stands_first_and_an_anchor_second(lost: Logbook) -> None:
    book = succeed(lost)
    book.evidence.kept.append(book.evidence.kept[0])
    assert found(book.audit()) == at(2, AuditStep.ANCHOR, "leaf_malformed")
    book = succeed(lost)
    del book.evidence.kept[1]
    book.submit(LA, KH)
    assert found(book.audit()) == at(1, AuditStep.ANCHOR, "anchor_missing")


@pytest.mark.parametrize("grown", (False, True))
def test_a_directory_that_has_lost_a_revocation_is_found(
    lost: Logbook, agencies: tuple[Agency, Agency], grown: bool
) -> None:
    ceremony = Ceremony(agencies[1])
    ceremony.enrol()
    book = succeed(lost, directory=grown)
    lost.register(ceremony.operate([revoke(Role.NODE, agencies[1].node.key_id)]))
    size = len(lost.directory.kept)
    book.evidence.kept[:1] = [successor_leaf(lost.evidence.origin, 10, lost.evidence.root())]
    report = book.audit(old=in_hand(lost))
    assert found(report) == ("before", None, AuditStep.OLD_DIRECTORY, "successor_directory")
    assert report.finding is not None
    assert f"{size} leaves" in report.finding.message
    # An older copy of the directory, under the same number, is the beginning of this one.
    lost.directory.kept.pop()
    assert seen(book, old=in_hand(lost)).gap == 0


def test_a_directory_that_is_none_of_this_broker_s_is_found(lost: Logbook) -> None:
    book = succeed(lost)
    old = OldLogs(in_hand(lost).evidence, lost.evidence)
    finding = found(book.audit(old=old))
    assert finding == ("before", None, AuditStep.OLD_DIRECTORY, "head_origin")


def test_what_is_in_hand_of_the_lost_log_must_be_whole(lost: Logbook) -> None:
    old = in_hand(lost)
    lost.evidence.with_tiles = False
    lost.evidence.kept[4] = anchor_leaf(1, OTHER)
    finding = found(succeed(lost).audit(old=old))
    assert finding == ("before", None, AuditStep.OLD_ROOT, "root_differs")


def test_a_pack_of_another_log_says_nothing_of_the_lost_one(lost: Logbook) -> None:
    book = succeed(lost)
    old = OldLogs(packs=[("new", book.pack())])
    assert found(book.audit(old=old)) == ("before", None, AuditStep.OLD_HEAD, "pack_origin")


def test_nothing_came_before_the_first_log(lost: Logbook) -> None:
    with pytest.raises(InvalidInput, match="log_first"):
        lost.audit(old=in_hand(lost))


# --- what senders had seen --------------------------------------------------------------------


def test_a_sender_that_had_seen_more_of_the_lost_log_is_counted(
    lost: Logbook, agencies: tuple[Agency, Agency]
) -> None:
    """Its word is no proof: an agency that lies must not spoil an audit."""
    origin, root = lost.evidence.origin, lost.evidence.root()
    book = succeed(lost)
    for size, named in ((9, root), (3, OTHER), (9, OTHER), (10, OTHER)):
        made = agencies[0].bulletin([KH], book.time)
        refs = HeadRef(origin, size, named)
        (item,), batch = agencies[0].submissions([made], [agencies[1]], refs)
        book.admit(made, item, batch, THERE)
    assert seen(book).doubted == 2


# --- an audit that goes on --------------------------------------------------------------------


class Kept:
    """Keeps every state that it is offered."""

    def __init__(self) -> None:
        self.states: list[list[bytes]] = []

    def due(self) -> bool:
        return True

    def keep(self, pieces: Iterable[bytes]) -> None:
        self.states.append(list(pieces))


def test_an_audit_of_a_successor_goes_on(lost: Logbook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "KEEP_LEAVES", 1)
    book, keeper = succeed(lost), Kept()
    made = book.agencies[LA].bulletin([KH], book.time)
    refs = HeadRef(lost.evidence.origin, 10, OTHER)
    (item,), batch = book.agencies[LA].submissions([made], [book.agencies[KH]], refs)
    book.admit(made, item, batch, THERE)
    whole = book.audit(resuming=Resuming("test", keeper=keeper))
    assert whole.finding is None
    assert whole == book.audit()
    assert len(keeper.states) == 4
    for state in keeper.states:
        assert book.audit(resuming=Resuming("test", state=state)) == whole
        # What is given of the lost log only now is compared all the same.
        again = book.audit(resuming=Resuming("test", state=state), old=in_hand(lost, 7))
        assert again.coverage.successor is not None
        assert (again.coverage.successor.gap, again.coverage.successor.doubted) == (2, 1)
    lost.submit(LA, KH)
    late = book.audit(resuming=Resuming("test", state=keeper.states[-1]), old=in_hand(lost))
    assert found(late) == at(0, AuditStep.SUCCESSOR, "successor_behind")
