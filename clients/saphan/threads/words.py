"""What one bulletin says about its thread: read once from its content, when it is sent or opened.

Only what a thread is shown and judged by; the text of questions and answers stays inside.
Numbered steps are those of schemas/spec/threads.md.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from saphan_schemas.codec import Record

from saphan.threads.clock import Unit

REPLY: Final = "in_reply_to"
CORRECTS: Final = "corrects"
SUPERSEDES: Final = "supersedes"
REPLACING: Final = (CORRECTS, SUPERSEDES)
"""Relations by which a bulletin takes the place of another one."""

REQUEST_FAMILY: Final = "saphan/info_request"
REPLY_FAMILY: Final = "saphan/info_reply"
LEGAL_FAMILY: Final = "saphan/mla_request"
ASK_NOTHING: Final = frozenset({"cancel", "exercise_end"})
"""Kinds of message that end what was asked."""


class Relation(Record, frozen=True):
    """One line of `about.relations`; `target` is a bulletin id."""

    kind: str
    target: bytes


class Asked(Record, frozen=True):
    """What an info_request asks.

    Args:
        questions: their numbers.
        availability: direct, indirect or unknown.
        within: (count, unit) of `reply_within`, by which the requester lengthens the time.
    """

    questions: tuple[str, ...]
    availability: str
    within: tuple[int, Unit] | None = None


class Answered(Record, frozen=True):
    """What an info_reply answers.

    Args:
        request: id of the request that it answers.
        answers: (number of a question, how it stands), for those that it speaks of.
        expected: when a delayed answer is announced for, ms UTC.
    """

    request: bytes
    outcome: str
    answers: tuple[tuple[str, str], ...]
    expected: int | None = None
    reason: str | None = None
    transferred_to: str | None = None


class Execution(Record, frozen=True):
    """How a request for legal assistance stands where it is carried out.

    Args:
        expected: the day that is announced for the next step: its first instant in UTC, ms.
    """

    state: str
    expected: int | None = None


class Words(Record, frozen=True):
    """What a thread needs of one bulletin.

    Args:
        message: `about.message_kind`; reference: `about.reference`.
        legal: whether it is an mla_request.
    """

    message: str
    reference: str
    relations: tuple[Relation, ...]
    asked: Asked | None = None
    answered: Answered | None = None
    execution: Execution | None = None
    legal: bool = False

    @property
    def withdraws(self) -> bool:
        """Whether it takes something back, and itself neither asks nor answers."""
        return self.message in ASK_NOTHING

    @property
    def asks(self) -> bool:
        """Whether somebody owes an answer to it; word of an execution answers, and asks nothing."""
        if self.withdraws:
            return False
        return self.asked is not None or (self.legal and self.execution is None)

    def targets(self, *kinds: str) -> tuple[bytes, ...]:
        """Ids of the bulletins that it names so."""
        return tuple(one.target for one in self.relations if one.kind in kinds)


def family(schema: str) -> str:
    """A type's name without its version."""
    return schema.rpartition("/")[0]


def words_of(schema: str, content: dict[str, Any]) -> Words | None:
    """What a valid content says; None for one that begins no thread and belongs to none."""
    about, body = content["about"], content["body"]
    kind = family(schema)
    relations = tuple(
        Relation(one["kind"], bytes.fromhex(one["bulletin_id"]))
        for one in about.get("relations", ())
    )
    if not relations and kind not in (REQUEST_FAMILY, LEGAL_FAMILY):
        return None
    return Words(
        about["message_kind"],
        about["reference"],
        relations,
        _asked(body) if kind == REQUEST_FAMILY else None,
        _answered(body) if kind == REPLY_FAMILY else None,
        _execution(body) if kind == LEGAL_FAMILY else None,
        kind == LEGAL_FAMILY,
    )


def _asked(body: dict[str, Any]) -> Asked:
    within = body.get("reply_within")
    return Asked(
        tuple(str(one["no"]) for one in body["questions"]),
        body["availability"],
        None if within is None else (within["count"], within["unit"]),
    )


def _answered(body: dict[str, Any]) -> Answered:
    delay = body.get("delay", {})
    expected = delay.get("expected_at")
    return Answered(
        bytes.fromhex(body["request_id"]),
        body["outcome"],
        tuple((str(one["no"]), one.get("state", "answered")) for one in body.get("answers", ())),
        None if expected is None else _millis(expected),
        delay.get("reason"),
        body.get("transferred_to"),
    )


def _execution(body: dict[str, Any]) -> Execution | None:
    found = body.get("execution")
    if found is None:
        return None
    expected = found.get("expected_on")
    return Execution(found["state"], None if expected is None else _millis(expected))


def _millis(text: str) -> int:
    """An RFC 3339 time in UTC; of a day its first instant, by which only the day is kept."""
    found = datetime.fromisoformat(text if "T" in text else f"{text}T00:00:00Z")
    return round(found.timestamp() * 1000)
