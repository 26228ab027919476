"""Who owes an answer to a request, as this node knows it: from what it sent, received and logged.

The clock of each of those who were asked runs from their node's signed `accepted`, the first signed
word by which they say that they can read it (T6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from saphan_protocol.delivery import State
from saphan_schemas.codec import decode
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Event, Header, Urgency

from saphan.node.archive import Archive
from saphan.node.retention.keeping import is_sealed
from saphan.node.rows.db import Database
from saphan.node.rows.deliveries import REFUSED
from saphan.node.threads.calendar import Calendar, Running
from saphan.node.threads.replaced import DEAD, Replaced, Shows
from saphan.node.threads.rows import held, named_by, taken_back, words_of_row
from saphan.threads.legal import What, Word, legal
from saphan.threads.owing import Owing, OwingState, Question, Reply, owing
from saphan.threads.rules import may_replace
from saphan.threads.words import REPLACING, REPLY, Answered, Asked, Words

Json = dict[str, Any]
VERSIONS: Final = 32
"""Of one request, one in the place of the other, that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """How one of those who were asked stands.

    Args:
        delivery: state of the request's delivery; accepted, read: times in the log, ms UTC.
        running: by which calendar the time was counted; None while it does not run.
        since: when that time began, ms UTC.
    """

    replier: str
    delivery: str
    owing: Owing
    accepted: int | None = None
    read: int | None = None
    running: Running | None = None
    what: What = "reply"
    since: int | None = None

    def json(self) -> Json:
        """As the local API has it; times in ms UTC."""
        found = self.owing
        return {
            "replier": self.replier,
            "delivery": self.delivery,
            "what": self.what,
            "since": self.since,
            "state": found.state,
            "accepted": self.accepted,
            "read": self.read,
            "due": found.due,
            "until": found.until,
            "expected": found.expected,
            "reason": found.reason,
            "transferred_to": found.transferred_to,
            "late": found.late,
            "questions": [_question(one) for one in found.questions],
            "replies": [one.hex() for one in found.replies],
            "clock": None if self.running is None else self.running.json(),
        }


@dataclass(frozen=True, slots=True)
class Came:
    """A reply that stands.

    Args:
        at: when the log took it, ms UTC; version: which one of the request it names.
        earlier: the same of those whose place it takes, and what they say.
    """

    bulletin: bytes
    at: int
    version: bytes
    words: Words
    earlier: tuple[tuple[int, Words], ...]

    @property
    def first(self) -> int:
        """T7: when it counts from, ms UTC."""
        return min([self.at, *(at for at, _ in self.earlier)])


class Requests:
    """The requests of one node; blocking.

    Args:
        clock: ms UTC.
    """

    def __init__(
        self,
        agency: str,
        db: Database,
        archive: Archive,
        calendar: Calendar,
        clock: Callable[[], int],
    ) -> None:
        self._agency = agency
        self._db = db
        self._archive = archive
        self._calendar = calendar
        self.replaced = Replaced(agency, db, archive)
        self._clock = clock

    def owed(self, bulletin: bytes, shows: Shows = lambda _: True) -> list[Owed]:
        """Those who owe, or owed, an answer: all of them for who asked, else this agency.

        Args:
            shows: whether a bulletin is shown to whoever asks; what is not does not count.
        """
        row = self._db.row("SELECT header FROM bulletins WHERE id = ?", (bulletin,))
        words = words_of_row(self._db, self._archive, bulletin)
        if row is None or words is None or not words.asks or is_sealed(self._db, bulletin):
            return []
        header = decode(Header, row[0], LIMITS.header_bytes, "header")
        repliers = header.recipients if header.sender == self._agency else (self._agency,)
        return [self._one(bulletin, header, words, replier, shows) for replier in repliers]

    def _one(
        self,
        bulletin: bytes,
        header: Header,
        words: Words,
        replier: str,
        shows: Shows,
    ) -> Owed:
        state = self._delivery(bulletin, replier)
        accepted, read = self._times(bulletin, replier)
        over = bool(self.replaced.by(bulletin, shows, replier))
        asked = words.asked
        if accepted is None:
            word: OwingState = "ended" if state in DEAD else "replaced" if over else "undelivered"
            waits = tuple(Question(no) for no in ([] if asked is None else asked.questions))
            return Owed(replier=replier, delivery=state, owing=Owing(state=word, questions=waits))
        came = self._came(bulletin, header.sender, replier, shows)
        if asked is None:
            found = self._legal(came, accepted, replier)
        else:
            found = self._replied(came, accepted, header.urgency, asked, replier)
        if taken_back(self._db, bulletin):
            over, state = False, State.RECALLED.value
            if found.owing.owes:
                found = replace(found, owing=replace(found.owing, state="ended"))
        if over and found.owing.owes:
            found = replace(found, owing=replace(found.owing, state="replaced"))
        return replace(found, delivery=state, accepted=accepted, read=read)

    def _replied(
        self, came: Sequence[Came], accepted: int, urgency: Urgency, asked: Asked, replier: str
    ) -> Owed:
        running = self._calendar.running(accepted, urgency, asked, replier)
        replies = [
            Reply(one.bulletin, one.at, one.words.answered, _answers(one))
            for one in came
            if one.words.answered is not None and one.words.answered.request == one.version
        ]
        replies.sort(key=lambda one: one.first)
        found = owing(asked, replies, running.due, self._clock())
        return Owed(replier=replier, delivery="", owing=found, running=running, since=accepted)

    def _legal(self, came: Sequence[Came], accepted: int, replier: str) -> Owed:
        words = [
            Word(one.bulletin, one.at, *self._executed(one.words, replier), one.first)
            for one in came
        ]
        found = legal(
            words,
            accepted,
            lambda start, line: self._calendar.table(start, line, replier).due,
            self._clock(),
        )
        line = "mla_acknowledge" if found.what == "acknowledgement" else "mla_status"
        return Owed(
            replier=replier,
            delivery="",
            owing=found.owing,
            running=self._calendar.table(found.since, line, replier),
            what=found.what,
            since=found.since,
        )

    def _executed(self, words: Words, replier: str) -> tuple[str | None, int | None]:
        """How an execution stands, and until when what is expected."""
        if words.execution is None:
            return None, None
        day = words.execution.expected
        over = None if day is None else self._calendar.day_over(day, replier)
        return words.execution.state, over

    # --- what came back ---------------------------------------------------------------------------

    def _came(self, bulletin: bytes, asker: str, replier: str, shows: Shows) -> list[Came]:
        """T7: what of one agency stands, to this request or to what it took the place of."""
        found: list[Came] = []
        request = held(self._db, bulletin)
        for version in self._versions(bulletin):
            for other in named_by(self._db, version, [REPLY], replier):
                one = held(self._db, other) if shows(other) else None
                if one is None or request is None or one.exercise != request.exercise:
                    continue
                words = words_of_row(self._db, self._archive, other)
                if words is None or words.withdraws or not self.replaced.reaches(other, asker):
                    continue
                if not self.replaced.by(other, shows, asker):
                    at, earlier = self._at(other, asker), self._earlier(other, asker)
                    found.append(Came(other, at, version, words, earlier))
        found.sort(key=lambda one: one.first)
        return found[-LIMITS.thread_bulletins :]

    def _earlier(self, reply: bytes, asker: str) -> tuple[tuple[int, Words], ...]:
        """T7: those whose place it takes, as far as they got to who asked."""
        found = []
        for one in self._versions(reply):
            words = words_of_row(self._db, self._archive, one)
            if words is None or words.withdraws:
                break  # what was taken back before it was said again came when it was said again
            if one != reply and self.replaced.reaches(one, asker):
                found.append((self._at(one, asker), words))
        return tuple(found)

    def _versions(self, bulletin: bytes) -> Iterator[bytes]:
        """A bulletin, and those before it whose place it takes."""
        seen: list[bytes] = [bulletin]
        for one in seen:  # grows as it goes
            yield one
            sender = held(self._db, one)
            words = words_of_row(self._db, self._archive, one)
            for target in () if words is None else words.targets(*REPLACING):
                earlier = held(self._db, target)
                rightly = (
                    sender is not None and earlier is not None and may_replace(sender, earlier)
                )
                if rightly and target not in seen and len(seen) < VERSIONS:
                    seen.append(target)

    def _at(self, bulletin: bytes, recipient: str) -> int:
        """When the log took it; of one that is not there yet, when it was kept here."""
        row = self._db.row(
            "SELECT coalesce((SELECT min(time) FROM entries WHERE bulletin = ?1"
            " AND recipient = ?2), (SELECT stored FROM bulletins WHERE id = ?1))",
            (bulletin, recipient),
        )
        assert row is not None  # coalesce has always one row
        at: int = row[0]
        return at

    def _delivery(self, bulletin: bytes, recipient: str) -> str:
        row = self._db.row(
            "SELECT state FROM deliveries WHERE bulletin = ? AND recipient = ?",
            (bulletin, recipient),
        )
        return REFUSED if row is None else row[0]

    def _times(self, bulletin: bytes, recipient: str) -> tuple[int | None, int | None]:
        rows: Sequence[tuple[str, int]] = self._db.rows(
            "SELECT event, min(time) FROM entries WHERE bulletin = ? AND recipient = ?"
            " GROUP BY event",
            (bulletin, recipient),
        )
        times = dict(rows)
        return times.get(Event.ACCEPTED.value), times.get(Event.READ.value)


def _answers(came: Came) -> tuple[tuple[int, Answered], ...]:
    """Those before it that answer the same request."""
    request = None if came.words.answered is None else came.words.answered.request
    said = ((at, words.answered) for at, words in came.earlier)
    return tuple((at, one) for at, one in said if one is not None and one.request == request)


def _question(one: Question) -> Json:
    reply = None if one.reply is None else one.reply.hex()
    return {"no": one.no, "state": one.state, "reply": reply, "at": one.at}
