"""What the figures are counted from: what came to this desk, and what was sent from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from saphan_schemas.codec import decode
from saphan_schemas.records import Header

from saphan.desk.desk import Desk
from saphan.desk.listed import InboxRow
from saphan.desk.outbox import Queued
from saphan.desk.store import ROW_BYTES, Shelf
from saphan.web.seeking.entries import Entry

RECEIVED: Final = "received"
SENT: Final = "sent"
OURS: Final = "ours"
THEIRS: Final = "theirs"


class Moved(NamedTuple):
    """A bulletin: RECEIVED or SENT, when (ms UTC), and who is at the other end."""

    direction: str
    at: int
    schema: str
    others: tuple[str, ...]
    exercise: bool


class Answer(NamedTuple):
    """The first answer to a request: OURS or THEIRS, when, after how long (ms), and too late?"""

    whose: str
    at: int
    took: int
    late: bool
    exercise: bool


class Facts(NamedTuple):
    """Everything that is counted."""

    moved: list[Moved]
    answers: list[Answer]


class _Asked(NamedTuple):
    """A request that may be answered: since when, and by when."""

    since: int
    by: int | None
    exercise: bool


def gather(desk: Desk, rows: Iterable[InboxRow], entries: Iterable[Entry]) -> Facts:
    """Of one desk; blocking. Answers are known as far as they were opened or written here."""
    moved: list[Moved] = []
    received: dict[str, _Asked] = {}
    sent: dict[str, _Asked] = {}
    for row in rows:
        moved.append(Moved(RECEIVED, row.received, row.schema, (row.sender,), row.exercise))
        received[row.id] = _Asked(row.received, row.answer_by, row.exercise)
    for bulletin, at, one in _sent(desk):
        moved.append(Moved(SENT, at, one.schema, one.recipients, one.exercise))
        sent[bulletin] = _Asked(at, one.answer_by, one.exercise)
    replies = [one for one in entries if one.answers]
    ours = (one for one in replies if one.source == SENT)
    theirs = (one for one in replies if one.source == RECEIVED)
    answers = [*_answers(OURS, received, ours), *_answers(THEIRS, sent, theirs)]
    return Facts(moved, answers)


def _sent(desk: Desk) -> Iterator[tuple[str, int, Header]]:
    """Id, time and header of what the node has taken, one by one."""
    for _, value in desk.store.each(Shelf.OUTBOX):
        one = decode(Queued, value, ROW_BYTES, "queued")
        if one.bulletin is not None and one.sent is not None:
            yield one.bulletin.hex(), one.sent, one.shown


def _answers(whose: str, asked: dict[str, _Asked], replies: Iterable[Entry]) -> Iterator[Answer]:
    first: dict[str, int] = {}
    for one in replies:
        for request in one.answers:
            if request in asked:
                first[request] = min(one.created, first.get(request, one.created))
    for request, at in first.items():
        since, by, exercise = asked[request]
        yield Answer(whose, at, max(0, at - since), by is not None and at > by, exercise)
