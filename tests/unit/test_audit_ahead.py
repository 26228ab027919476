"""Packs read ahead of the audit: the same items, and faults where they stand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from saphan_protocol.audit.ahead import AHEAD_ITEMS, read_ahead
from saphan_protocol.keys import VerifyingKey
from saphan_schemas.errors import InvalidInput
from saphan_schemas.packs import PackAgreement, PackItem, PackNote, PackSignature
from saphan_schemas.records import BatchSignature
from support.agency import Agency
from support.audits import KH, LA, THERE
from support.ceremony import NOW
from support.logbook import Logbook


class Told:
    """Is told of signatures, and has checked none of them when it is asked."""

    def __init__(self) -> None:
        self.begun: list[BatchSignature] = []
        self.asked: list[BatchSignature] = []

    def begin(self, batch: BatchSignature, key: VerifyingKey, message: bytes) -> None:
        key.verify(message, batch.signature)
        self.begun.append(batch)

    def holds(self, batch: BatchSignature) -> bool:
        self.asked.append(batch)
        return False


@pytest.fixture
def book() -> Logbook:
    made = Logbook([Agency(LA, NOW), Agency(KH, NOW)])
    made.deliver(*THERE)
    made.deliver(*THERE)
    return made


def test_who_has_checked_nothing_changes_nothing(book: Logbook) -> None:
    told = Told()
    assert book.audit(beside=told) == book.audit()
    assert told.begun == told.asked
    assert len(told.begun) == 8


def test_a_pack_that_is_cut_is_found_where_it_ends(book: Logbook) -> None:
    items = book.pack()
    book.sign()
    for length in range(1, len(items)):
        alone = book.audit(items[:length], sign=False)
        assert alone.finding is not None
        assert book.audit(items[:length], sign=False, beside=Told()) == alone


def test_a_key_that_nobody_enrolled_is_not_begun(book: Logbook) -> None:
    items = book.pack()
    place = next(n for n, item in enumerate(items) if isinstance(item, PackSignature))
    signed = items[place]
    assert isinstance(signed, PackSignature)
    batch = signed.batch
    for key in (bytes(32), book.agencies[LA].root.key_id, book.agencies[LA].mailbox.key_id):
        other = PackSignature(BatchSignature(key, batch.size, batch.root, batch.signature))
        told = Told()
        book.audit([*items[:place], other, *items[place + 1 :]], beside=told)
        assert key not in {one.key for one in told.begun}


def test_it_reads_further_ahead_the_further_it_has_come() -> None:
    read = 0

    def items() -> Iterator[PackItem]:
        nonlocal read
        for _ in range(3 * AHEAD_ITEMS):
            read += 1
            yield PackSignature(BatchSignature(bytes(32), 1, bytes(32), b""))
        raise InvalidInput("pack_cut", "it ends")

    given = read_ahead(items(), lambda batch: None)
    next(given)
    assert read == 2  # a pack whose turn has not come takes no memory
    for _ in range(AHEAD_ITEMS):
        next(given)
    assert read == 2 * AHEAD_ITEMS
    for _ in range(2 * AHEAD_ITEMS - 1):
        next(given)
    with pytest.raises(InvalidInput, match="it ends"):
        next(given)


def test_a_pack_of_long_agreements_is_not_taken_into_memory() -> None:
    read = 0

    def items() -> Iterator[PackItem]:
        nonlocal read
        for place in range(2 * AHEAD_ITEMS):
            read += 1
            small = PackSignature(BatchSignature(bytes(32), 1, bytes(32), b""))
            long = PackNote(b"") if place % 2 else PackAgreement(b"")
            yield small if place < AHEAD_ITEMS else long

    given = read_ahead(items(), lambda batch: None)
    for _ in range(AHEAD_ITEMS):
        next(given)
    for place in range(AHEAD_ITEMS):
        assert read <= AHEAD_ITEMS + 1 + place
        next(given)
    assert list(given) == []
