"""Record packs that lie, contradict each other, or came damaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec
import pytest
from saphan_protocol.audit.log import root_at
from saphan_protocol.audit.report import AuditStep
from saphan_protocol.audit.verdict import audit
from saphan_protocol.pack import PackReader, pack_stream
from saphan_schemas.limits import LIMITS
from saphan_schemas.packs import PackEntry, PackHead, PackItem, PackSignature
from saphan_schemas.records import Event
from support.agency import Agency, agreement
from support.audits import KH, LA, THERE, at, found, replace_shown
from support.ceremony import NOW
from support.logbook import ORIGINS, PINS, TYPES, Logbook


@pytest.fixture(scope="module")
def agencies() -> tuple[Agency, Agency]:
    return Agency(LA, NOW), Agency(KH, NOW)


@pytest.fixture
def book(agencies: tuple[Agency, Agency]) -> Logbook:
    return Logbook(agencies)


def test_pack_opens_a_leaf_with_another_salt(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    index = book.state(Event.HANDOVER, made, THERE)
    replace_shown(book, index, salt=bytes(32))
    assert found(book.audit()) == at(index, AuditStep.OPENING, "commitment_differs")


def test_pack_shows_another_statement(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    index = book.state(Event.HANDOVER, made, THERE)
    replace_shown(book, index, statement=b"\x90")
    assert found(book.audit()) == at(index, AuditStep.STATEMENT, "statement_differs")


def test_pack_leaves_out_the_header_of_a_submission(book: Logbook) -> None:
    _, index = book.submit(LA, KH)
    replace_shown(book, index, header=None)
    assert found(book.audit()) == at(index, AuditStep.SUBMISSION, "entry_incomplete")


def test_packs_open_one_leaf_differently(book: Logbook) -> None:
    made, _ = book.submit(LA, KH)
    index = book.state(Event.HANDOVER, made, THERE)
    good = book.pack()
    replace_shown(book, index, salt=bytes(32))
    report = book.audit(good, book.pack())
    assert found(report) == at(index, AuditStep.OPENING, "commitment_differs")
    assert report.finding is not None
    assert report.finding.pack == "pack 1"


def test_packs_show_two_headers_of_one_submission(book: Logbook) -> None:
    _, index = book.submit(LA, KH)
    good = book.pack()
    replace_shown(book, index, header=b"\x90")
    assert found(book.audit(good, book.pack())) == at(index, AuditStep.STATEMENT, "packs_differ")


def test_pack_shows_a_leaf_beyond_the_head(book: Logbook) -> None:
    book.deliver(LA, KH)
    book.sign()
    _, beyond = book.submit(LA, KH)
    pack = book.pack()
    book.evidence.kept.pop()
    assert found(book.audit(pack, sign=False)) == at(
        beyond, AuditStep.PACK_ORDER, "pack_beyond_head"
    )


def test_pack_of_a_foreign_log(book: Logbook) -> None:
    book.deliver(LA, KH)
    pack = book.pack(evidence="other.test/evidence/1")
    assert found(book.audit(pack)) == at(None, AuditStep.PACK_HEAD, "pack_origin")


def _cut(items: list[PackItem]) -> list[PackItem]:
    return items[: len(items) // 2]


def _without_an_entry(items: list[PackItem]) -> list[PackItem]:
    last = max(i for i, item in enumerate(items) if isinstance(item, PackEntry))
    return items[:last] + items[last + 1 :]


def _swapped(items: list[PackItem]) -> list[PackItem]:
    entries = [item for item in items if isinstance(item, PackEntry)]
    rest = [item for item in items if not isinstance(item, PackEntry)]
    return [*rest[:-1], *reversed(entries), rest[-1]]


@pytest.mark.parametrize(
    ("spoil", "step", "code"),
    [
        (_cut, AuditStep.PACK_FORM, "pack_cut"),
        (lambda items: [], AuditStep.PACK_FORM, "pack_cut"),
        (lambda items: items[:1], AuditStep.PACK_FORM, "pack_cut"),
        (lambda items: items[:2], AuditStep.PACK_FORM, "pack_cut"),
        (lambda items: items[1:], AuditStep.PACK_FORM, "pack_malformed"),
        (lambda items: [*items, items[-1]], AuditStep.PACK_FORM, "pack_malformed"),
        (_without_an_entry, AuditStep.PACK_END, "pack_counts"),
        (_swapped, AuditStep.PACK_ORDER, "pack_order"),
        (lambda items: [*items[:-1], items[1], items[-1]], AuditStep.PACK_ORDER, "pack_order"),
    ],
)
def test_spoilt_packs_are_named(
    book: Logbook,
    spoil: Callable[[list[PackItem]], Sequence[PackItem]],
    step: AuditStep,
    code: str,
) -> None:
    book.deliver(LA, KH)
    spoilt = spoil(book.pack())
    report = book.audit(book.pack(), spoilt)
    assert found(report) == at(None, step, code)
    assert report.finding is not None
    assert report.finding.pack == "pack 1"


def test_pack_of_another_format(book: Logbook) -> None:
    pack = book.pack(format="saphan/pack/2")
    assert found(book.audit(pack)) == at(None, AuditStep.PACK_FORM, "pack_format")


def test_pack_opens_an_agreement_that_was_never_logged(
    book: Logbook, agencies: tuple[Agency, Agency]
) -> None:
    book.package = agreement(agencies, PINS.directory, PINS.evidence, NOW, reference="other")
    assert found(book.audit()) == (
        "directory", None, AuditStep.AGREEMENTS, "agreement_unlogged",
    )  # fmt: skip


def test_signatures_come_again_when_a_reader_has_forgotten_them(
    book: Logbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saphan_protocol.pack.LIMITS", replace(LIMITS, pack_signatures=2))
    made = book.deliver(LA, KH)
    entry, batch = book.shown[1]
    assert batch is not None
    other = [b for _, b in book.shown if b is not None and b is not batch]
    needs = [batch, *other, batch]
    head = PackHead("saphan/pack/1", LA, 0, *ORIGINS, 0, 99)
    rows = [(msgspec.structs.replace(entry, index=i), needed) for i, needed in enumerate(needs)]
    items = list(pack_stream(head, [], rows))
    given = [item.batch for item in items if isinstance(item, PackSignature)]
    assert given.count(batch) == 2
    assert list(PackReader("x", items).agreements()) == []
    reader = PackReader("x", items)
    for needed in needs:
        assert reader.next_entry() is not None
        assert reader.batches[needed.key, needed.size, needed.root] == needed
        assert len(reader.batches) <= 3
    assert reader.next_entry() is None
    assert made.bulletin_id


def test_roots_of_every_earlier_size_come_from_the_tiles(book: Logbook) -> None:
    book.deliver(LA, KH)
    book.sign()
    tree = book.evidence.tree(len(book.evidence.kept))
    assert tree is not None
    for size in range(len(book.evidence.kept) + 1):
        assert root_at(tree, size) == book.evidence.root(size)


def test_progress_is_told_to_the_end(book: Logbook) -> None:
    book.sign()
    told: list[tuple[str, int, int]] = []
    audit(PINS, book.directory, book.evidence, [], TYPES, lambda *row: told.append(row))
    assert told[-1] == ("evidence", 1, 1)
    assert ("directory", 4, 4) in told
