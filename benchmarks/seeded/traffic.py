"""What happens in a seeded log: bulletins and their lives, dated, in the order a broker logs them.

Everything that a node says within one beat is one batch, as `saphan.node` makes it of what waits.
Shares of what goes wrong are round figures, chosen so that every event occurs; not observed ones.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from saphan_protocol.admission import BULLETIN_TYPE, HEADER_TYPE, due_day
from saphan_protocol.content import ciphertext_length
from saphan_protocol.delivery import OWN_EVENTS
from saphan_protocol.directory import operation_leaf
from saphan_protocol.evidence import CONSIGNMENT_TYPE
from saphan_protocol.identity import identity
from saphan_schemas.bodies import digest as schema_digest
from saphan_schemas.codec import encode
from saphan_schemas.limits import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from saphan_schemas.packs import PackEntry
from saphan_schemas.records import (
    BROKER,
    SUITE,
    BatchSignature,
    Blob,
    Bulletin,
    Consignment,
    Event,
    Header,
    LeafType,
    Marking,
    StanzaRef,
    statement_of,
    statement_type,
)

from benchmarks.seeded.book import Book
from benchmarks.seeded.parties import Party

SCHEMAS: Final = ("saphan/training_notice/1", "saphan/case_statistics/1", "saphan/drug_seizure/1")
SPAN_MS: Final = 365 * DAY_MS
"""The log covers a year, whatever its length."""
EVENTS_OF_ONE: Final = 5
"""Entries that a bulletin causes, about: it, its handover, acceptance, reading, destruction."""
HEADS: Final = 1_000
"""Heads in a year whose notes are shown; between them others were signed and forgotten."""
_COMMITTED: Final = frozenset({Event.READ, Event.EXPORTED})
"""Their detail is a commitment to a record that stays in the node."""
Shown = tuple[PackEntry, BatchSignature | None]


@dataclass(frozen=True, slots=True)
class Sent:
    """One bulletin as the generator needs it while a delivery is open."""

    header: Header
    raw: bytes
    bulletin: bytes
    ciphertext: Blob


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody wants logged: a consignment to `to`, or an event in one corridor."""

    by: str
    sent: Sent
    to: tuple[str, ...]
    event: Event | None = None
    code: str | None = None
    first: bool = False
    target: int | None = None


class Traffic:
    """Yields every entry of the evidence log with what a pack shows of it.

    Args:
        size: leaves at which it ends, at the next commit's end.
        batch: items that a node signs at once, on average.
        note: takes (size, note) of each head that is shown.
    """

    def __init__(
        self,
        book: Book,
        parties: list[Party],
        random: Random,
        start: int,
        size: int,
        batch: int,
        note: Callable[[int, bytes], None],
    ) -> None:
        self._book, self._random, self._start, self._size = book, random, start, size
        self._parties = {party.name: party for party in parties}
        self._names = sorted(self._parties)
        self._note = note
        self._queue: list[tuple[int, int, Said]] = []
        self._count = 0
        self._between = SPAN_MS * EVENTS_OF_ONE * 1.25 / size
        self._beat = max(1, int(batch * len(parties) * SPAN_MS / size))
        self.now = start

    def entries(self) -> Iterator[Shown]:
        """Entries by rising index, up to the size asked for."""
        created = float(self._start)
        rotated = noted = self._start
        while self._book.evidence.frontier.size < self._size:
            end = self.now + self._beat
            while created < end:
                created += self._random.expovariate(1 / self._between)
                self._compose(int(created))
            said: list[Said] = []
            while self._queue and self._queue[0][0] < end:
                said.append(heapq.heappop(self._queue)[2])
            self.now = end
            yield from self._commit(said)
            if end - noted > SPAN_MS / HEADS:
                noted = end
                self.head()
            if end - rotated > SPAN_MS / 12:
                rotated = end
                self._rotate()

    def head(self) -> None:
        """Sign a head and show its note."""
        witnesses = self._random.sample(self._names, 2)
        lag = 1 + int(self._random.expovariate(1 / 3))
        note = self._book.head(self.now, [self._parties[n] for n in witnesses], lag)
        self._note(self._book.evidence.frontier.size, note)

    def _rotate(self) -> None:
        party = self._parties[self._random.choice(self._names)]
        self._book.directory.add(operation_leaf(party.rotate(self.now)))
        self._book.anchor()

    # --- what they want -----------------------------------------------------------------------

    def _compose(self, then: int) -> None:
        """A bulletin is written at `then`, and its deliveries' fates are drawn."""
        random = self._random
        sender = random.choice(self._names)
        count = random.choices((1, 2, 5), (85, 12, 3))[0]
        to = tuple(sorted(random.sample([n for n in self._names if n != sender], count)))
        expires = then + 14 * DAY_MS
        schema = random.choice(SCHEMAS)
        header = Header(
            suite=SUITE,
            nonce=random.randbytes(16),
            sender=sender,
            recipients=to,
            schema=schema,
            schema_digest=schema_digest(schema),
            marking=Marking("amber", ("H0",)),
            urgency="routine",
            exercise=True,
            created=then,
            expires=expires,
            answer_by=then + 5 * DAY_MS if random.random() < 0.3 else None,
            retain_until=then // DAY_MS + 365,
        )
        raw = encode(header)
        blob = Blob(ciphertext_length(random.choice((2_000, 9_000))), random.randbytes(32))
        record = encode(Bulletin(identity(HEADER_TYPE, raw), blob, ()))
        sent = Sent(header, raw, identity(BULLETIN_TYPE, record), blob)
        if random.random() < 0.002:
            code = "agreement_missing"
            self._later(then, Said(BROKER, sent, (sender,), Event.REFUSED, code))
            return
        self._later(then, Said(sender, sent, to, first=True))
        for name in to:
            self._live(then + self._beat, sent, name)

    def _live(self, then: int, sent: Sent, to: str) -> None:
        """What becomes of one delivery after it was logged, not before `then`."""
        random, own = self._random, (to,)
        fate = random.random()
        if fate < 0.01:
            late = max(then, sent.header.expires)
            self._later(late, Said(BROKER, sent, own, Event.EXPIRED, "undelivered"))
            return
        if fate < 0.02:
            recalled = Said(sent.header.sender, sent, own, Event.RECALLED, "error")
            self._later(then + HOUR_MS, recalled)
            return
        taken = then + int(random.expovariate(1 / (20 * MINUTE_MS)))
        self._later(taken, Said(to, sent, own, Event.HANDOVER))
        if fate < 0.03:
            closed, code = taken + self._beat, "stanza_unopenable"
            self._later(closed, Said(to, sent, own, Event.UNOPENED, code))
            again = closed + self._beat + MINUTE_MS
            self._later(again, Said(sent.header.sender, sent, own))
            taken = again + self._beat
            self._later(taken, Said(to, sent, own, Event.HANDOVER))
        self._answer(taken + self._beat, sent, to, fate)

    def _answer(self, then: int, sent: Sent, to: str, fate: float) -> None:
        """What is said after the handover at `then`, if anything."""
        random, own = self._random, (to,)
        if fate > 0.995:  # silence, and the broker's due-day comes
            due = due_day(sent.header) * DAY_MS
            self._warn(then, due, sent, own)
            self._later(due, Said(BROKER, sent, own, Event.EXPIRED, "no_outcome"))
            return
        slow = 3 * DAY_MS if fate > 0.95 else 10 * SECOND_MS
        answered = then + int(random.expovariate(1 / slow))
        if answered >= due_day(sent.header) * DAY_MS:
            answered = then
        self._warn(then, answered, sent, own)
        if fate > 0.97:
            self._later(answered, Said(to, sent, own, Event.REJECTED, "rule_broken"))
            return
        self._later(answered, Said(to, sent, own, Event.ACCEPTED))
        if fate > 0.05:
            read = answered + self._beat + int(random.expovariate(1 / (4 * HOUR_MS)))
            self._later(read, Said(to, sent, own, Event.READ))
        if fate > 0.968:  # a court asks for it
            self._later(answered + DAY_MS, Said(to, sent, own, Event.EXPORTED, "disclosed"))

    def _warn(self, then: int, answered: int, sent: Sent, own: tuple[str, ...]) -> None:
        """The broker says `unanswered` if the answer comes later than it was asked for."""
        if sent.header.answer_by is None:
            return
        noticed = max(sent.header.answer_by, then) + self._beat
        if noticed + self._beat < answered:
            self._later(noticed, Said(BROKER, sent, own, Event.UNANSWERED, "no_answer"))

    def _later(self, then: int, said: Said) -> None:
        self._count += 1
        heapq.heappush(self._queue, (then, self._count, said))

    # --- what is logged -----------------------------------------------------------------------

    def _commit(self, said: list[Said]) -> Iterator[Shown]:
        """One commit: every node's batch, then what the broker says itself."""
        nodes: dict[str, list[Said]] = defaultdict(list)
        for one in said:
            nodes[one.by].append(one)
        own = nodes.pop(BROKER, [])
        for name, mine in nodes.items():
            bodies = [self._body(one) for one in mine]
            batch, items = self._parties[name].sign(bodies)
            for one, (kind, body), item in zip(mine, bodies, items, strict=True):
                for to in one.to:
                    yield self._enter(one, to, kind, body, item=item), batch
        for one in own:
            kind, body = self._body(one)
            yield self._enter(one, one.to[0], kind, body), None

    def _body(self, one: Said) -> tuple[str, bytes]:
        sent, random = one.sent, self._random
        if one.event is None:
            refs = tuple(
                StanzaRef(name, self._parties[name].mailbox.key_id, random.randbytes(32))
                for name in one.to
            )
            node = self._parties[one.by].node.key_id
            body = encode(Consignment(sent.bulletin, node, self._book.seen, refs))
            return CONSIGNMENT_TYPE, body
        detail = random.randbytes(32) if one.event in _COMMITTED else None
        digest = sent.ciphertext.digest
        about = (sent.bulletin, digest, one.by, self.now, one.code, detail)
        return statement_type(one.event), encode(statement_of(one.event, *about, one.target))

    def _enter(self, one: Said, to: str, kind: str, body: bytes, **shown: object) -> PackEntry:
        sender = to if one.event in OWN_EVENTS else one.sent.header.sender
        salt = self._random.randbytes(32)
        due = due_day(one.sent.header) if one.first else None
        leaf = _leaf(one)
        index, entry = self._book.enter(
            (sender, to), leaf, kind, body, salt, self.now, due, one.target
        )
        if due is not None:  # by then there is an outcome: it was queued before
            gone = Said(BROKER, one.sent, (to,), Event.DESTROYED, "due", target=index)
            self._later(due * DAY_MS, gone)
        fields = {"item": None, "header": None, "ciphertext": None} | shown
        if one.event is None:
            fields |= {"header": one.sent.raw, "ciphertext": one.sent.ciphertext}
        return PackEntry(index=index, entry=entry, salt=salt, statement=body, **fields)  # type: ignore[arg-type]


def _leaf(one: Said) -> LeafType:
    if one.event is not None:
        return LeafType[one.event.name]
    return LeafType.SUBMITTED if one.first else LeafType.CONSIGNED
