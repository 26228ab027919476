"""One bulletin's whole good life, to be shown: sent, taken, accepted, read, perhaps disclosed."""

from __future__ import annotations

from saphan_schemas.records import Event

from support.agency import Agency
from support.audits import KH, LA, THERE
from support.bundled import Maker
from support.ceremony import NOW
from support.logbook import Logbook

TO = 'Court of <Vientiane> & #panic("said") `*_$ \\ ศาล'
"""Whom it was disclosed to, in letters that are commands elsewhere, and some that we have no
font for."""


def told(*, disclosed: bool = False, hidden: frozenset[int] = frozenset()) -> Maker:
    """Who makes a bundle about it; `hidden` leaves are left out."""
    book = Logbook([Agency(LA, NOW), Agency(KH, NOW)])
    made = book.agencies[LA].bulletin([KH], book.time, attachments=[b"%PDF-1.7 report"])
    book.submit(LA, KH, made)
    for event in (Event.HANDOVER, Event.ACCEPTED, Event.READ):
        book.time += 3_600_000
        book.state(event, made, THERE)
    maker = Maker(book, made, LA, hidden=hidden)
    if disclosed:
        maker.disclose(book.agencies[LA], to=TO)
    return maker
