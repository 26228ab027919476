"""Whatever an honest maker has lost: its bundle is valid, or has gaps, and is never invalid."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from saphan_protocol.bundle.report import Outcome
from saphan_schemas.limits import HOUR_MS
from saphan_schemas.records import Event, LeafType, Role
from support.agency import Agency, Made
from support.audits import KH, LA
from support.bundled import Maker
from support.ceremony import NOW, Ceremony, revoke
from support.logbook import Logbook

VN = "vn.vks"


class Life:
    """A bulletin's life as a broker lets it be, with others' entries and anchors between."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.to = random.choice([[KH], [KH, VN]])
        self.book = Logbook([Agency(name, NOW) for name in (LA, *self.to)])
        answer_by = random.choice([None, NOW + 6 * HOUR_MS])
        self.made: Made = self.book.agencies[LA].bulletin(self.to, NOW, answer_by=answer_by)
        self.states = dict.fromkeys(self.to, "submitted")
        self.consign(LeafType.SUBMITTED)

    def consign(self, kind: LeafType) -> None:
        others = [self.book.agencies[name] for name in self.to]
        (item,), batch = self.book.agencies[LA].submissions([self.made], others)
        for name in self.to:
            self.book.admit(self.made, item, batch, (LA, name), kind=kind)

    def go_on(self) -> None:
        """Something of others, and the next step of one delivery."""
        random, book = self.random, self.book
        book.time += random.randrange(1, 2 * HOUR_MS)
        for happens in (book.anchor, lambda: book.submit(LA, random.choice(self.to))):
            if random.random() < 0.3:
                happens()
        name = random.choice(self.to)
        self.states[name] = self.step(self.states[name], (LA, name))

    def step(self, state: str, pair: tuple[str, str]) -> str:
        book, made, answer_by = self.book, self.made, self.made.header.answer_by
        match state, self.random.randrange(4):
            case "submitted", 0:
                book.state(Event.RECALLED, made, pair, "error", by=LA)
                return "over"
            case "submitted", _:
                book.state(Event.HANDOVER, made, pair)
                asked = answer_by is not None and book.time < answer_by
                return "asked" if asked else "handed_over"
            case "asked", 2 | 3 if book.time >= (answer_by or 0):
                book.broker_states(Event.UNANSWERED, made, pair, "no_answer")
                return "handed_over"
            case "asked" | "handed_over", 0:
                book.state(Event.UNOPENED, made, pair, "mailbox_key_gone")
                return "unopened"
            case "asked" | "handed_over", 1:
                book.state(Event.REJECTED, made, pair, "rule_broken")
                return "over"
            case "asked" | "handed_over", _:
                book.state(Event.ACCEPTED, made, pair)
                return "accepted"
            case "unopened", _ if self.to == [KH]:
                self.consign(LeafType.CONSIGNED)
                return "submitted"
            case "accepted", _:
                book.state(Event.READ, made, pair)
                return "over"
            case _:
                return state

    def end(self) -> None:
        """The sender's key is revoked perhaps, and an anchor follows perhaps."""
        if self.random.random() < 0.4:
            ceremony = Ceremony(self.book.agencies[LA])
            ceremony.enrol()
            key = self.book.agencies[LA].node.key_id
            self.book.register(ceremony.operate([revoke(Role.NODE, key)]))
        if self.random.random() < 0.5:
            self.book.anchor()


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(0, 12))
def test_what_is_left_out_of_an_honest_bundle_is_a_gap_at_most(seed: int, steps: int) -> None:
    random = Random(seed)
    life = Life(random)
    for _ in range(steps):
        life.go_on()
    life.end()
    maker = Maker(life.book, life.made, random.choice([LA, *life.to]))
    whole = maker.verify()
    assert whole.finding is None, whole.finding
    shown = [entry.index for entry, _ in maker.entries()]
    leaves = list(enumerate(life.book.evidence.kept))[1:]
    anchors = [index for index, leaf in leaves if leaf[0] == LeafType.ANCHOR]
    lost = [index for index in (*shown[1:], *anchors) if random.random() < 0.3]
    maker.hidden = frozenset(lost)
    life.book.shown = [
        (entry, None if random.random() < 0.1 else batch) for entry, batch in life.book.shown
    ]
    verdict = maker.verify()
    assert verdict.finding is None, (verdict.finding, lost)
    assert verdict.outcome in (Outcome.VALID, Outcome.GAPS)
    told = {(event.index, event.event, event.time) for event in whole.events}
    assert {(event.index, event.event, event.time) for event in verdict.events} <= told
