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
OVER: Final = frozenset({"refused", "executed", "returned"})
"""States of an execution after which nothing more is owed."""


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


class Words(Record, frozen=True):
    """What a thread needs of one bulletin.

    Args:
        message: `about.message_kind`; reference: `about.reference`.
        execution: state of an mla_request's execution, of its newest word.
    """

    message: str
    reference: str
    relations: tuple[Relation, ...]
    asked: Asked | None = None
    answered: Answered | None = None
    execution: str | None = None

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
    execution = body.get("execution") if kind == LEGAL_FAMILY else None
    return Words(
        about["message_kind"],
        about["reference"],
        relations,
        _asked(body) if kind == REQUEST_FAMILY else None,
        _answered(body) if kind == REPLY_FAMILY else None,
        None if execution is None else execution["state"],
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


def _millis(text: str) -> int:
    """An RFC 3339 time in UTC, or a day, whose end counts no earlier than its first instant."""
    found = datetime.fromisoformat(text if "T" in text else f"{text}T00:00:00Z")
    return round(found.timestamp() * 1000)
