"""Who owes an answer by when: one request, one of those who were asked (T6 to T9).

Pure: what was asked, when the asked agency's node accepted it, what came back, and the time now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from saphan.threads.words import Answered, Asked

QuestionState = Literal["waiting", "interim", "answered", "no_trace", "refused", "transferred"]
OwingState = Literal[
    "undelivered", "ended", "replaced", "waiting", "interim", "overdue", "answered", "partial",
    "no_trace", "refused", "transferred",
]  # fmt: skip
OPEN: Final = frozenset({"waiting", "interim"})
OWING: Final = frozenset({"waiting", "interim", "overdue"})
"""States in which an answer is owed, and its time runs."""
REST: Final[dict[str, QuestionState]] = {
    "full": "answered",
    "partial": "refused",
    "interim": "interim",
    "no_trace": "no_trace",
    "refused": "refused",
    "transferred": "transferred",
}
"""What an outcome says of the questions that its answers do not list."""
LISTED: Final[dict[str, QuestionState]] = {
    "answered": "answered",
    "no_trace": "no_trace",
    "pending": "interim",
    "refused": "refused",
}
"""What an answer says of its own question."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply that stands.

    Args:
        bulletin: its id; at: when the log took it, ms UTC.
        earlier: (when, what it said) of those whose place it takes: a correction makes no answer
            late, and an answer in the place of a delay came when it came.
    """

    bulletin: bytes
    at: int
    answered: Answered
    earlier: tuple[tuple[int, Answered], ...] = ()

    @property
    def first(self) -> int:
        """T7: when it counts from, ms UTC."""
        return min([self.at, *(at for at, _ in self.earlier)])

    def settled(self, no: str) -> int:
        """T8: when the first of them settled a question that this one settles, ms UTC."""
        before = [at for at, said in self.earlier if _said(said, no) not in OPEN]
        return min([self.at, *before])


@dataclass(frozen=True, slots=True)
class Question:
    """How one question stands; `reply` is the bulletin that has settled it."""

    no: str
    state: QuestionState = "waiting"
    reply: bytes | None = None
    at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Owing:
    """How one of those who were asked stands.

    Args:
        due: by when the answer is owed, ms UTC; expected: what a delayed one was announced for.
        late: whether anything came, or was announced, after `due`.
    """

    state: OwingState
    questions: tuple[Question, ...]
    due: int | None = None
    expected: int | None = None
    reason: str | None = None
    transferred_to: str | None = None
    late: bool = False
    replies: tuple[bytes, ...] = field(default=())

    @property
    def owes(self) -> bool:
        """Whether an answer is owed, and its time runs."""
        return self.state in OWING

    @property
    def until(self) -> int | None:
        """T8: when it is overdue; an announced delay moves it."""
        if self.due is None or self.expected is None:
            return self.due
        return max(self.due, self.expected)


def owing(asked: Asked, replies: Sequence[Reply], due: int | None, now: int) -> Owing:
    """How it stands `now`, for a request that the asked agency's node has accepted.

    Args:
        replies: those that stand, in the order of their times; due: ms UTC.
    """
    questions = {no: Question(no) for no in asked.questions}
    expected: int | None = None
    reason = to = None
    for reply in replies:
        said = reply.answered
        for no, before in questions.items():
            questions[no] = _after(before, reply)
        expected, reason = said.expected, said.reason
        to = said.transferred_to or to
    still = any(one.state in OPEN for one in questions.values())
    times = [one.first for one in replies]
    times += [one.at for one in questions.values() if one.at is not None]
    found = Owing(
        state="waiting",
        questions=tuple(questions.values()),
        due=due,
        expected=expected if still else None,
        reason=reason if still else None,
        transferred_to=to,
        late=due is not None and any(at > due for at in times),
        replies=tuple(reply.bulletin for reply in replies),
    )
    return _stated(found, now)


def _after(before: Question, reply: Reply) -> Question:
    """A question after a reply: what is settled stays so, unless it is answered after all."""
    state = _said(reply.answered, before.no)
    listed = LISTED.get(dict(reply.answered.answers).get(before.no, ""))
    if before.state not in OPEN and listed != "answered":
        return before
    if state in OPEN:
        return Question(before.no, state) if state == "interim" else before
    return Question(before.no, state, reply.bulletin, reply.settled(before.no))


def _said(said: Answered, no: str) -> QuestionState:
    """T8: what a reply says of a question that was open; of a code unknown to us, nothing."""
    listed = LISTED.get(dict(said.answers).get(no, ""))
    return listed or REST.get(said.outcome, "waiting")


def _stated(found: Owing, now: int) -> Owing:
    states = {one.state for one in found.questions}
    if states & OPEN:
        over = found.until is not None and now > found.until
        state: OwingState = "interim" if "interim" in states else "waiting"
        return replace(found, state="overdue" if over else state)
    if len(states) == 1:
        (only,) = states
        return replace(found, state=only)
    return replace(found, state="partial")
