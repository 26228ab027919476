"""What became of the bulletin for each recipient: the one transition table (V14)."""

from __future__ import annotations

from dataclasses import dataclass, field

from saphan_schemas.errors import Refused
from saphan_schemas.records import Event, Statement, Targeted

from saphan_protocol.admission import due_day
from saphan_protocol.aftermath import (
    STEPS,
    Aftermath,
    check_destruction,
    check_erasure,
    follow,
)
from saphan_protocol.bundle.facts import Proof
from saphan_protocol.bundle.judging import Judge
from saphan_protocol.bundle.report import BundleStep
from saphan_protocol.bundle.subject import About, Judged
from saphan_protocol.bundle.trail import Trail
from saphan_protocol.deadlines import Times, check_deadline
from saphan_protocol.delivery import (
    AFTER,
    TERMINAL,
    TRANSITIONS,
    State,
    Step,
    begin,
    step,
)
from saphan_protocol.holding import check_hold
from saphan_protocol.release import check_release


@dataclass(slots=True)
class Course:
    """One delivery so far.

    Args:
        sure: nothing that is not shown lies between the last event that counts and the next one.
        whole: no entry of the corridor between its first and its last event is missing.
    """

    recipient: str
    state: State | None = None
    sure: bool = True
    whole: bool = True
    begun: int | None = None
    """Its `submitted` leaf, where that is the first event shown."""
    after: Aftermath = field(default_factory=Aftermath)
    handed: int | None = None
    carried: Judged | None = None
    """The newest consignment shown, until it is handed over."""
    events: list[Judged] = field(default_factory=list)
    said: set[bytes] = field(default_factory=set)


class Courses:
    """Step V14 for every delivery; one object for each recipient that anything is shown of."""

    def __init__(self, about: About, judge: Judge, trail: Trail) -> None:
        header = about.header
        self._about = about
        self._judge = judge
        self._trail = trail
        self._times = Times(header.expires, header.answer_by, due_day(header))
        self.all: dict[str, Course] = {}
        self._standing: dict[tuple[int, bytes], str] = {}
        """Holds shown and not released: by target and `Hold.name`, whose."""
        self.own: list[Judged] = []
        """What concerns one agency and the broker alone: refusals, exports."""

    def take(self, one: Judged) -> None:
        """The next entry.

        Raises:
            Refused: `logged_twice`, what `aftermath.advance`, `check_deadline`, `check_release`,
                `check_destruction`, `check_erasure` and `check_hold` raise, `target_differs`,
                `held_before`.
        """
        entry = one.logged.entry
        if entry.sender == entry.recipient:
            self._trail.at(BundleStep.DELIVERY, one.logged.index)
            self._own(one)
            return
        self._trail.at(BundleStep.DELIVERY, one.logged.index)
        recipient = one.logged.entry.recipient
        course = self.all.setdefault(recipient, Course(recipient))
        self._check_news(course, one)
        if course.events and one.logged.hole:
            course.sure = course.whole = False
        self._advance(course, one)
        course.events.append(one)

    def _check_news(self, course: Course, one: Judged) -> None:
        name = one.logged.entry.statement
        if name in course.said:
            raise Refused(
                "logged_twice",
                f"the same record of this delivery to {course.recipient} stands in the log twice",
                field="entry.statement",
            )
        course.said.add(name)

    def _advance(self, course: Course, one: Judged) -> None:
        if one.consignment is not None:
            self._consigned(course, one)
            return
        if one.event is None or one.statement is None:
            raise RuntimeError("an entry is a consignment or a statement")
        if one.proof is Proof.UNSIGNED:  # nobody has proven that it was said
            course.sure = False
            return
        time = one.logged.entry.time
        if course.state not in TERMINAL:
            known = (course.state, course.handed) if course.sure else (None, None)
            check_deadline(one.event, one.statement.code, known[0], self._times, known[1], time)
        self._check_retention(course, one, one.event, one.statement)
        self._follow(course, one.event)
        if one.event.value not in STEPS:
            return
        if one.event is Event.HANDOVER:
            self._release(course, one)
        self._step(course, Step(one.event.value))
        if one.event is Event.HANDOVER:
            course.handed, course.carried = time, None

    def _consigned(self, course: Course, one: Judged) -> None:
        first = one.logged.kind.name == "SUBMITTED"
        if first and course.events:
            raise Refused(
                "already_submitted",
                f"the bulletin was first admitted to {course.recipient} before this entry",
                field="entry.statement",
            )
        if first:
            course.state, course.begun = begin(), one.logged.index
        else:
            self._follow(course, Step.CONSIGN)
            self._step(course, Step.CONSIGN)
        course.carried = one

    def _step(self, course: Course, then: Step) -> None:
        state = course.state
        if state is None:
            self._trail.gap("first_missing", agency=course.recipient)
            if then is Step.RECALLED:  # an outcome, or a request after one
                return
            course.state, course.sure = AFTER[then], True
            return
        after = TRANSITIONS[state].get(then)
        if then is Step.RECALLED and not course.sure and state not in TERMINAL:
            after = None  # an outcome, or a request: what is not shown would say
        # An outcome ends a delivery whatever is not shown; any other state may have moved on.
        if after is None and not course.sure and state not in TERMINAL:
            self._trail.gap("steps_missing", agency=course.recipient, code=then.value)
            if then is Step.RECALLED:
                return
            after = AFTER[then]
        course.state = step(state, then) if after is None else after
        course.sure = True

    def _own(self, one: Judged) -> None:
        """What concerns one agency and the broker: exports, holds, and the sender's erasure."""
        event, said = one.event, one.statement
        if event is None or said is None:
            raise RuntimeError("an agency's own corridor holds statements")
        self.own.append(one)
        if one.proof is Proof.UNSIGNED:
            return
        if event is Event.ERASED:
            erased = [other for other in self.own if other.event is event]
            if len(erased) > 1:
                raise Refused("erased_before", "the sender has said so before", field="statement")
            check_erasure(said.code, None, self._about.header.retain_until, one.logged.entry.time)
        elif isinstance(said, Targeted):
            self._held(one, event, said)

    def _held(self, one: Judged, event: Event, said: Targeted) -> None:
        """A hold, or its end: of a delivery that its agency is party to, by an order of its own."""
        course = self._check_party(said)
        holds, detail = self._judge.holds, said.detail
        at = one.bracket.first
        if isinstance(detail, bytes) and holds.logged(detail, at) and holds.find(detail) is None:
            self._trail.gap("hold_closed", agency=said.issuer)
            return
        # A release is no revocation: what it ends later was in force here.
        name = check_hold(holds, event, said, at)
        if holds.find(name) is None:
            self._trail.gap("hold_closed", agency=said.issuer)
        if event is Event.RELEASED:  # what is not shown may have begun it
            self._standing.pop((said.target, name), None)
            return
        if course is not None:
            follow(Aftermath(destroyed=course.after.destroyed), State.ACCEPTED, event)
        if (said.target, name) in self._standing:
            raise Refused("held_before", "the same hold of it stands", field="statement")
        self._standing[said.target, name] = said.issuer

    def _check_party(self, said: Targeted) -> Course | None:
        """The delivery that it is about, where its beginning is shown."""
        header, course = self._about.header, self.all.get(said.issuer)
        if course is not None and said.issuer != header.sender:
            _check_target(said, course)
        begun = {one.begun: one for one in self.all.values()}
        found = begun.get(said.target)
        if found is None and None not in begun and len(begun) == len(header.recipients):
            raise Refused(
                "target_differs",
                f"it is about leaf {said.target}, at which no delivery of this bulletin began",
                field="statement.target",
            )
        return found

    def _check_retention(self, course: Course, one: Judged, event: Event, said: Statement) -> None:
        """What was destroyed or erased is this, and its day had come."""
        time = one.logged.entry.time
        if isinstance(said, Targeted):
            _check_target(said, course)
            check_destruction(self._times.due_day, time)
            for (target, _name), agency in self._standing.items():
                if target == said.target:  # its end may be among what is not shown
                    self._trail.gap("steps_missing", agency=agency, code=event.value)
        elif event is Event.ERASED:
            whole = course.whole and course.begun is not None
            recalled = course.after.recalled or (False if whole else None)
            check_erasure(said.code, recalled, self._about.header.retain_until, time)

    def _follow(self, course: Course, event: Event | Step) -> None:
        """The aftermath, as far as what is shown tells it."""
        before, state = course.after, course.state
        whole = course.whole and course.begun is not None
        if not whole and event in (Event.OBEYED, Event.DECLINED):
            before = before._replace(recalled=True)  # in what is not shown
        unsure = state is None or (not course.sure and state not in TERMINAL)
        if state is None or (unsure and event in (Event.DESTROYED, Event.ERASED)):
            state = State.ACCEPTED
        if unsure and event.value not in STEPS:
            self._trail.gap("steps_missing", agency=course.recipient, code=event.value)
        course.after = follow(before, state, event)

    def _release(self, course: Course, one: Judged) -> None:
        """A handover releases the key: what carried the bulletin must still stand (R1 to R3)."""
        carried = course.carried
        if carried is None or carried.consignment is None or carried.proof is Proof.UNSIGNED:
            return
        consignment, header = carried.consignment, self._about.header
        mailbox = next(
            ref.mailbox_key for ref in consignment.recipients if ref.agency == course.recipient
        )
        if not self._judge.agreed(course.recipient, one.bracket):
            return  # a gap already
        try:
            self._judge.at_each(
                one.logged,
                one.bracket,
                lambda facts: check_release(
                    header, course.recipient, consignment.node_key, mailbox, facts
                ),
            )
        except Refused:
            if course.sure:
                raise
            # A newer consignment may lie in the hole, by other keys.
            self._trail.gap("steps_missing", agency=course.recipient, code="consigned")


def _check_target(said: Targeted, course: Course) -> None:
    if course.begun not in (None, said.target):
        raise Refused(
            "target_differs",
            f"it is about leaf {said.target}, and this delivery began at {course.begun}",
            field="statement.target",
        )
