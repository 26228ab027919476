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
from saphan_schemas.records import Event, Header

from saphan.node.archive import Archive
from saphan.node.rows.db import Database
from saphan.node.rows.deliveries import REFUSED
from saphan.node.threads.calendar import Calendar, Running
from saphan.node.threads.rows import held, named_by, words_of_row
from saphan.threads.owing import Owing, OwingState, Question, Reply, owing
from saphan.threads.rules import may_replace
from saphan.threads.words import REPLACING, REPLY, Answered, Asked, Words

Json = dict[str, Any]
Shows = Callable[[bytes], bool]
DEAD: Final = (State.REJECTED.value, State.EXPIRED.value, State.RECALLED.value, REFUSED)
"""Ends of a delivery after which its recipient has nothing to answer, or no answer."""
VERSIONS: Final = 32
"""Of one request, one in the place of the other, that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """How one of those who were asked stands.

    Args:
        delivery: state of the request's delivery; accepted, read: times in the log, ms UTC.
        running: by which calendar the time was counted; None while it does not run.
    """

    replier: str
    delivery: str
    owing: Owing
    accepted: int | None = None
    read: int | None = None
    running: Running | None = None

    def json(self) -> Json:
        """As the local API has it; times in ms UTC."""
        found = self.owing
        return {
            "replier": self.replier,
            "delivery": self.delivery,
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
        self._clock = clock

    def owed(self, bulletin: bytes, shows: Shows = lambda _: True) -> list[Owed]:
        """Those who owe, or owed, an answer: all of them for who asked, else this agency.

        Args:
            shows: whether a bulletin is shown to whoever asks; what is not does not count.
        """
        row = self._db.row("SELECT header FROM bulletins WHERE id = ?", (bulletin,))
        words = words_of_row(self._db, self._archive, bulletin)
        if row is None or words is None or words.asked is None:
            return []
        header = decode(Header, row[0], LIMITS.header_bytes, "header")
        repliers = header.recipients if header.sender == self._agency else (self._agency,)
        over = bool(self.replaced_by(bulletin, shows))
        return [
            self._one(bulletin, header, words.asked, replier, shows, over=over)
            for replier in repliers
        ]

    def replaced_by(self, bulletin: bytes, shows: Shows = lambda _: True) -> list[bytes]:
        """Bulletins that rightly take its place, in the order in which they came."""
        original = held(self._db, bulletin)
        if original is None:
            return []
        found = []
        for other in named_by(self._db, bulletin, REPLACING):
            one = held(self._db, other)
            if one is not None and may_replace(one.sender, one.schema, original) and shows(other):
                found.append(other)
        return found

    def _one(
        self,
        bulletin: bytes,
        header: Header,
        asked: Asked,
        replier: str,
        shows: Shows,
        *,
        over: bool,
    ) -> Owed:
        state = self._delivery(bulletin, replier)
        accepted, read = self._times(bulletin, replier)
        waits = tuple(Question(no) for no in asked.questions)
        if accepted is None:
            word: OwingState = "ended" if state in DEAD else "replaced" if over else "undelivered"
            return Owed(replier=replier, delivery=state, owing=Owing(state=word, questions=waits))
        running = self._calendar.running(accepted, header.urgency, asked, replier)
        replies = self._replies(bulletin, header.sender, replier, shows)
        found = owing(asked, replies, running.due, self._clock())
        if over and found.owes:
            found = replace(found, state="replaced")
        return Owed(
            replier=replier,
            delivery=state,
            owing=found,
            accepted=accepted,
            read=read,
            running=running,
        )

    # --- what came back ---------------------------------------------------------------------------

    def _replies(self, bulletin: bytes, asker: str, replier: str, shows: Shows) -> list[Reply]:
        """T7: those of one agency that stand, to this request or to what it took the place of."""
        found: list[Reply] = []
        for version in self._versions(bulletin):
            for other in named_by(self._db, version, [REPLY]):
                said = self._answered(other, version, replier) if shows(other) else None
                if said is None or self.replaced_by(other, shows):
                    continue
                if replier == self._agency and self._delivery(other, asker) in DEAD:
                    continue
                times = [self._at(each, asker) for each in self._versions(other)]
                found.append(Reply(other, min(times), said))
        return sorted(found, key=lambda reply: reply.at)

    def _answered(self, bulletin: bytes, request: bytes, replier: str) -> Answered | None:
        """What an agency's reply to this very request says; None if it is none."""
        one, words = held(self._db, bulletin), words_of_row(self._db, self._archive, bulletin)
        if one is None or one.sender != replier or words is None or words.answered is None:
            return None
        return words.answered if words.answered.request == request else None

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
                    sender is not None
                    and earlier is not None
                    and may_replace(sender.sender, sender.schema, earlier)
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


def _question(one: Question) -> Json:
    reply = None if one.reply is None else one.reply.hex()
    return {"no": one.no, "state": one.state, "reply": reply, "at": one.at}


def relations_json(words: Words) -> list[Json]:
    """What it names, as the local API has it."""
    return [{"kind": one.kind, "id": one.target.hex()} for one in words.relations]
