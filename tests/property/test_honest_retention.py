"""Whatever happens to bulletins in an order that the tables allow: no audit finds anything wrong;
and the first thing that they forbid, logged all the same, is found at its very leaf."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from saphan_protocol.admission import due_day
from saphan_protocol.aftermath import Aftermath, advance
from saphan_protocol.delivery import State
from saphan_schemas.errors import Refused
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Event
from support.agency import Made
from support.audits import KH, LA, THERE
from support.retained import Retained, hold_by, retained

CODES = {
    Event.RECALLED: "error",
    Event.DECLINED: "court_order",
    Event.ERASED: "closed",
    Event.UNOPENED: "mailbox_key_gone",
    Event.REJECTED: "rule_broken",
    Event.DESTROYED: "due",
}
TRIED = (
    Event.HANDOVER,
    Event.ACCEPTED,
    Event.REJECTED,
    Event.READ,
    Event.RECALLED,
    Event.OBEYED,
    Event.DECLINED,
    Event.ERASED,
    Event.HELD,
    Event.RELEASED,
    Event.DESTROYED,
)


class Lives:
    """Two bulletins whose events the tables choose; `forbidden` logs one that they refuse."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.book: Retained = retained()
        made = [self.book.submit(LA, KH) for _ in range(2)]
        self.made: list[tuple[Made, int]] = made
        self.stand = [(State.SUBMITTED, Aftermath()) for _ in made]
        self.holds: dict[int, list[bytes]] = {}
        self.number = 0

    def go_on(self, steps: int) -> None:
        for _ in range(steps):
            place, event = self.random.randrange(2), self.random.choice(TRIED)
            late = self.book.time >= self.made[place][0].header.expires
            if event is not Event.HANDOVER or not late:
                self.allowed(place, event)

    def allowed(self, place: int, event: Event) -> bool:
        """Log it if the tables allow it."""
        try:
            after = advance(*self.stand[place], event)
        except Refused:
            return False
        self.say(place, event)
        self.stand[place] = after
        return True

    def forbidden(self) -> tuple[int, str]:
        """Log an event that the tables refuse; its leaf and the code."""
        tried = [(place, event) for place in range(2) for event in TRIED]
        self.random.shuffle(tried)
        for place, event in tried:
            try:
                advance(*self.stand[place], event)
            except Refused as refused:
                return self.say(place, event), refused.code
        raise AssertionError("there is always something that is too early or too late")

    def say(self, place: int, event: Event) -> int:
        made, target = self.made[place]
        self.book.time += 1000
        if event is Event.DESTROYED:
            self.book.time = max(self.book.time, due_day(made.header) * DAY_MS)
            return self.book.destroy(made, target)
        if event in (Event.HELD, Event.RELEASED):
            return self.held(made, target, event)
        by = LA if event is Event.RECALLED else KH
        return self.book.state(event, made, THERE, CODES.get(event), by=by)

    def held(self, made: Made, target: int, event: Event) -> int:
        """By an order of its own each time: two of one agency count as two."""
        book, agency = self.book, self.book.agencies[KH]
        mine = self.holds.setdefault(target, [])
        if event is Event.RELEASED and not mine:
            return book.says_held(made, target, bytes(32), event=event)
        self.number += 1
        if event is Event.RELEASED:
            order = book.hold_order(hold_by(agency, self.number, mine.pop()))
            return book.says_held(made, target, order, event=event)
        order = book.hold_order(hold_by(agency, self.number))
        mine.append(order)
        return book.says_held(made, target, order)


@settings(max_examples=40)
@given(st.randoms(use_true_random=False), st.integers(0, 40))
def test_what_the_tables_allow_is_found_by_nobody(random: Random, steps: int) -> None:
    lives = Lives(random)
    lives.go_on(steps)
    report = lives.book.audit()
    assert report.finding is None
    assert report.coverage.entries_opened == report.coverage.entries
    states = [state for state, _ in lives.stand]
    assert sum(report.coverage.deliveries.values()) == 2
    assert set(report.coverage.deliveries) == {state.value for state in states}
    closed = lives.book.audit(lives.book.pack(only=[]))
    assert closed.finding is None, "nor by a stranger"


@settings(max_examples=40)
@given(st.randoms(use_true_random=False), st.integers(0, 40))
def test_what_the_tables_refuse_is_found_at_its_leaf(random: Random, steps: int) -> None:
    lives = Lives(random)
    lives.go_on(steps)
    index, code = lives.forbidden()
    finding = lives.book.audit().finding
    assert finding is not None
    assert finding.index == index
    # From the leaves alone a hold is seen, and no outcome: what is said first is the hold's.
    assert finding.code in ({code, "destroyed_held"} if code == "not_destroyable" else {code})


@settings(max_examples=25)
@given(st.randoms(use_true_random=False), st.integers(5, 40))
def test_whatever_is_not_opened_nobody_is_accused(random: Random, steps: int) -> None:
    lives = Lives(random)
    lives.go_on(steps)
    shown = [entry.index for entry, _ in lives.book.shown]
    some = [index for index in shown if random.random() < 0.6]
    assert lives.book.audit(lives.book.pack(only=some)).finding is None
