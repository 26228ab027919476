"""What an exporter takes out of a store: agreements in the order of their leaves."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from saphan.audit.kept_logs import KeptLog
from saphan.evidence.story import Story
from saphan_schemas.codec import decode, encode
from saphan_schemas.directory_records import SignedOrder
from saphan_schemas.frames import ORDER_BYTES
from saphan_schemas.records import Event, statement_of
from support.agency import Agency, agreement, order_by
from support.audits import KH, LA, THERE
from support.ceremony import NOW
from support.logbook import PINS, Logbook
from support.retained import hold_by, retained

VN = "vn.vks"


Row = tuple[bytes, str, bytes]


def kept(book: Logbook, packages: Sequence[bytes], said: Sequence[Row] = ()) -> Story:
    """A store that has taken the directory's leaves, and these packages one after the other."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE leaves (idx INTEGER PRIMARY KEY, leaf BLOB)")
    db.execute(
        "CREATE TABLE entries (bulletin BLOB, event TEXT, statement BLOB, idx INTEGER PRIMARY KEY)"
    )
    db.execute("CREATE TABLE agreements (position INTEGER PRIMARY KEY, package BLOB)")
    db.executemany("INSERT INTO leaves VALUES (?, ?)", enumerate(book.directory.kept))
    db.executemany("INSERT INTO agreements (package) VALUES (?)", [(one,) for one in packages])
    db.executemany("INSERT INTO entries (bulletin, event, statement) VALUES (?, ?, ?)", said)
    return Story(db, KeptLog(PINS, 0), bytes(32))


def test_what_came_late_or_twice_stands_once_in_the_order_of_its_leaf() -> None:
    book = Logbook([Agency(name, NOW) for name in (LA, KH, VN)])
    order = order_by(book.agencies[KH], book.name, "suspend", 1)
    book.order(order)
    given = decode(SignedOrder, order, ORDER_BYTES, "order")
    again = encode(SignedOrder(given.order, given.signatures * 2, given.salt))
    others = agreement([book.agencies[KH], book.agencies[VN]], *PINS.lasting, NOW)
    story = kept(book, [order, others, again, book.package])
    size = len(book.directory.kept)
    assert list(story.packages({THERE}, size)) == [book.package, order]
    assert list(story.packages({THERE}, size - 1)) == [book.package], "its leaf is not shown"
    assert list(story.packages({(VN, LA)}, size)) == [book.package, order]
    assert list(story.packages({(VN, "th.oncb")}, size)) == []


def test_hold_orders_that_its_own_entries_name_are_shown_and_no_others() -> None:
    book = retained()
    first = hold_by(book.agencies[KH])
    order = book.hold_order(first)
    release = hold_by(book.agencies[KH], 2, order)
    book.hold_order(release)
    packages = [book.package, first, release]
    size = len(book.directory.kept)

    def said(bulletin: bytes, detail: bytes) -> tuple[bytes, str, bytes]:
        held = statement_of(Event.HELD, bulletin, bytes(32), KH, NOW, detail=detail, target=1)
        return bulletin, "held", encode(held)

    mine = kept(book, packages, [said(bytes(32), order)])
    assert list(mine.packages({THERE}, size)) == [book.package, first]
    others = kept(book, packages, [said(b"\x01" * 32, order)])
    assert list(others.packages({THERE}, size)) == [book.package]
