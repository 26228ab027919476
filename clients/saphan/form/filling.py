"""A bulletin that is being filled in: answers, what is asked next, what they make. Pure.

Every answer is judged at once: its characters, its form, and how it goes with the others. What
is refused was never taken, so at each moment everything that is there is right as far as it goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from saphan_schemas.body_types import BodyType
from saphan_schemas.faults import Fault
from saphan_schemas.limits import LIMITS
from saphan_schemas.messages import text

from saphan.form.asking import Asker
from saphan.form.checking import Checker, is_about
from saphan.form.mending import answered_around, mending_of
from saphan.form.question import ASKS, Answers, Question, Scalar
from saphan.form.reading import LEAVE_OUT, Misread, Several, read_answer
from saphan.form.rulings import Rulings, Wanted
from saphan.form.sheet import ZONES, facts_of, languages_from, sheet_of

ZONE: Final = "/about/local_time_zone"
ROUNDS: Final = 4
"""Walks for one answer at most; a rule that wants and bars in turn is settled at the end."""
_PRECISIONS: Final[dict[int, str]] = {4: "year", 7: "month", 10: "day"}


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer that was not taken.

    Args:
        why: a sentence in the officer's language; codes: those that it may have meant.
    """

    why: str
    codes: tuple[str, ...] = ()


class Filling:
    """One bulletin on its way to being written.

    Args:
        kind: the type.
        lang: the officer's language.
        defaults: by pointer, what Enter takes.
        answers: of a draft, in the order in which they were given.
        attachments: {media_type, name, role} of the files that will go with it.
    """

    def __init__(
        self,
        kind: BodyType,
        lang: str,
        defaults: Mapping[str, Scalar],
        answers: Answers | None = None,
        attachments: Sequence[dict[str, str]] = (),
    ) -> None:
        self.kind, self.name, self.lang = kind, kind.name, lang
        self.sheet = sheet_of(kind)
        self.answers: Answers = dict(answers or {})
        self._defaults, self._attachments = defaults, attachments
        self._demanded: set[str] = set()
        self._fixed: dict[str, Scalar] = {}
        self._checker = Checker(kind.name, self.sheet)
        self._wanted = Wanted()
        self._rulings = Rulings(kind.bundle["rules"])
        self._asker = Asker(self.sheet, languages_from(lang))
        self._look()

    @property
    def question(self) -> Question | None:
        """What is asked now; None when everything was."""
        return self._walk.question

    @property
    def asked(self) -> tuple[Question, ...]:
        """Every question that is answered, in the order of the form."""
        return tuple(self._walk.answered)

    @property
    def wish(self) -> dict[str, Any]:
        """The finished bulletin as `saphan send` takes it.

        Raises:
            RuntimeError: there is still a question; a bug.
        """
        if self.question is not None:
            raise RuntimeError("the form is not filled in")
        finished: dict[str, Any] = {"schema": self.name, **self._walk.made}
        return finished

    def give(self, typed: str) -> Refused | None:
        """Take what was typed as the answer to the question; None if it was taken."""
        question = self._now()
        if typed.strip() == LEAVE_OUT:
            return self.leave_out()
        if not typed.strip():
            return self._enter(question)
        answer = read_answer(question, typed, self._zone())
        if isinstance(answer, Misread):
            return Refused(text(answer.key, self.lang))
        if isinstance(answer, Several):
            key = "form.several" if answer.codes else "form.no_such_code"
            return Refused(text(key, self.lang), answer.codes)
        return self._take(question, answer)

    def leave_out(self) -> Refused | None:
        """Leave the field out, if it may be; of a text, this language only."""
        question = self._now()
        if question.required and not question.passes:
            return Refused(text("form.needed", self.lang))
        self._set(question, False if question.pointer.endswith(ASKS) else None)
        return None

    def back(self) -> bool:
        """Forget the newest answer; False if there is none."""
        if not self.answers:
            return False
        self.answers.popitem()
        self._look()
        return True

    def forget(self, pointer: str) -> None:
        """Ask again for what stands at a pointer, and below it."""
        place = pointer.removesuffix(ASKS)
        for given in list(self.answers):
            if given.removesuffix(ASKS) == place or given.startswith(f"{place}/"):
                del self.answers[given]
        self._look()

    def ask_again(self, fault: Fault) -> None:
        """Ask for what mends a fault of the finished bulletin, though it may be left out."""
        mending = mending_of(fault, self.answers)
        self._demanded |= mending.demand
        self._fixed |= mending.propose
        for place in mending.demand:
            if self.answers.get(place + ASKS) is False:
                del self.answers[place + ASKS]
        for place in mending.forget:
            self.forget(answered_around(place, self.answers))
        if mending.open is None:
            return
        if self._open_list(mending.open) and self.question is not None:
            self._fixed[self.question.pointer] = True
        else:
            self.forget(mending.open)

    def _open_list(self, pointer: str) -> bool:
        """Take back that a list has no more entries; False if no such list is there."""
        for given, answer in list(self.answers.items()):
            above, _, last = given.removesuffix(ASKS).rpartition("/")
            if above == pointer and last.isdigit() and answer in (None, False):
                del self.answers[given]
                self._look()
                return self.question is not None
        return False

    def repair(self) -> None:
        """Ask again for answers that are not right any more: of an older draft, or after others."""
        for _ in range(len(self.answers)):
            fault = self._fault()
            if fault is None:
                return
            self.forget(answered_around(fault.pointer, self.answers))

    def default(self, question: Question) -> Scalar | None:
        """What Enter takes: what follows from other answers, or the usual one."""
        if question.pointer.endswith("/precision") and question.kind == "choice":
            value = self.answers.get(question.pointer.removesuffix("precision") + "value")
            if str(value)[:4].isdecimal() and len(str(value)) in _PRECISIONS:
                return _PRECISIONS[len(str(value))]
        for proposed in (self._fixed, self._wanted.proposed):
            if question.pointer in proposed:
                return proposed[question.pointer]
        return self._defaults.get(question.pointer)

    def _enter(self, question: Question) -> Refused | None:
        """What stands in brackets, or nothing; of a text, in no language."""
        default = self.default(question)
        if default is not None:
            return self._take(question, default)
        if question.required:
            return Refused(text("form.needed", self.lang))
        self.answers |= dict.fromkeys(question.also)
        return self.leave_out()

    def _take(self, question: Question, answer: Scalar) -> Refused | None:
        wrong = self._checker.text(question.place, answer, self.lang)
        if wrong is not None:
            return Refused(wrong)
        if len(self.answers) >= LIMITS.form_answers:
            return Refused(text("form.too_many", self.lang))
        before = dict(self.answers)
        self.answers.pop(question.pointer, None)
        self.answers[question.pointer] = answer  # the newest answer stands last
        self._fill_in(question, answer)
        fault = self._fault()
        if fault is None:
            self._go_on()
            return None
        self.answers = before
        self._look()
        return Refused(self._checker.sentence(fault, self.lang))

    def _set(self, question: Question, answer: Scalar | None) -> None:
        """An answer that nothing can be wrong with."""
        self.answers.pop(question.pointer, None)
        self.answers[question.pointer] = answer
        self._go_on()

    def _fill_in(self, question: Question, answer: Scalar | None) -> None:
        if answer is None or (answer is False and question.pointer.endswith(ASKS)):
            return
        # A part that is begun is there, though nothing stands in it yet: rules look at it.
        value: Any = {} if question.pointer.endswith(ASKS) else answer
        _put(self._so_far, question.place.split("/")[1:], value)

    def _fault(self) -> Fault | None:
        """What the latest answer has made wrong."""
        found = self._checker.so_far(self._so_far, self.answers)
        if found is not None:
            return found
        broken = self._rulings.broken(self._facts(self._so_far))
        return next((one for one in broken if is_about(one, self.answers)), None)

    def facts(self) -> dict[str, Any]:
        """The finished content and, under `header`, the facts beside it: what is checked."""
        return self._facts(self.wish)

    def _facts(self, wish: dict[str, Any]) -> dict[str, Any]:
        return facts_of(wish, self._attachments)

    def _go_on(self) -> None:
        """To the next question; from the start where rules want something else by now."""
        before = self._wanted
        known = len(self._walk.answered)
        self._walk.on()
        for question in self._walk.answered[known + 1 :]:
            self._fill_in(question, self.answers[question.pointer])
        self._wanted = self._rulings.wanted(self._facts(self._so_far), self.answers)
        if (self._wanted.needed, self._wanted.barred) != (before.needed, before.barred):
            self._look()
        if len(self._walk.answered) > known + 1:
            self.repair()  # of answers that were given before, some may not fit any more

    def _look(self) -> None:
        """Walk; again while the rules, given what was found, want something else to be asked."""
        needed, barred = set(self._demanded), set[str]()
        for _ in range(ROUNDS):
            self._walk = self._asker.walk(self.answers, needed, barred)
            self._so_far: dict[str, Any] = {}
            for question in self._walk.answered:
                self._fill_in(question, self.answers[question.pointer])
            self._wanted = self._rulings.wanted(self._facts(self._so_far), self.answers)
            if self._wanted.needed <= needed and self._wanted.barred == barred:
                return
            needed = self._demanded | self._wanted.needed
            barred = self._wanted.barred

    def _zone(self) -> str:
        zone = self.answers.get(ZONE) or self._defaults.get(ZONE) or ZONES["lo"]
        return str(zone)

    def _now(self) -> Question:
        if self.question is None:
            raise RuntimeError("nothing is asked any more")
        return self.question


def _put(whole: dict[str, Any], steps: list[str], value: Any) -> None:
    """Set a value at a path; parts and lists on the way are made. Lists fill from their start."""
    at: Any = whole
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        fresh: Any = value if after is None else [] if after.isdigit() else {}
        at = _entered(at, step, fresh)


def _entered(at: Any, step: str, fresh: Any) -> Any:
    if isinstance(at, dict):
        return at.setdefault(step, fresh)
    if len(at) <= int(step):
        at.append(fresh)
    return at[int(step)]
