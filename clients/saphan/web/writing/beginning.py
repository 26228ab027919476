"""What stands in a form before anybody has typed: the usual answers, and what follows from the
bulletin that it answers or corrects (T1 to T3, T10 of schemas/spec/threads.md). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from saphan_schemas.bodies import NAMES
from saphan_schemas.codes import codes
from saphan_schemas.records import TLP_ORDER, Tlp

from saphan.compose import Wish
from saphan.corridors import Allowed
from saphan.form.question import Answers, Scalar
from saphan.form.sheet import ZONES, usual
from saphan.threads.addressing import recipients_for
from saphan.threads.rules import ANSWERED_BY
from saphan.threads.words import CORRECTS, REPLACING, REPLY, REPLY_FAMILY, SUPERSEDES, family

Json = dict[str, Any]
Start = Literal["reply", "correct", "supersede"]
KINDS: Final[dict[str, str]] = {"reply": REPLY, "correct": CORRECTS, "supersede": SUPERSEDES}
"""Relations by the words that stand in the page's addresses."""
MESSAGES: Final = {CORRECTS: "correction", SUPERSEDES: "update"}
_TONGUES: Final = {"la": "lo", "kh": "km"}
"""Languages of `ZONES`, by the country that an agency's name begins with."""


@dataclass(frozen=True, slots=True)
class Original:
    """The bulletin that a new one is about.

    Args:
        content: {"about", "body"}; None while it was not opened at this desk.
        attachments: how many files it has.
    """

    id: str
    sender: str
    recipients: tuple[str, ...]
    schema: str
    exercise: bool
    urgency: str
    tlp: str
    content: Json | None = None
    attachments: int = 0


def may(start: str, original: Original, agency: str) -> bool:
    """Whether a bulletin may be begun so: only its own agency corrects one."""
    return start == "reply" or original.sender == agency


def addressed(start: str, original: Original, agency: str) -> tuple[str, ...]:
    """T10: whom it goes to."""
    return recipients_for(KINDS[start], agency, original.sender, original.recipients)


def types_for(start: str, original: Original, types: Sequence[str]) -> tuple[str, ...]:
    """Types that it may have, the likely one first; T2: an info_reply answers a question."""
    if start != "reply":
        return tuple(one for one in types if family(one) == family(original.schema))
    asked = family(original.schema) in ANSWERED_BY
    if not asked:
        return tuple(one for one in types if family(one) != REPLY_FAMILY)
    return tuple(sorted(types, key=lambda one: (family(one) != REPLY_FAMILY, one)))


def first_answers(agency: str, schema: str, lang: str, now: int, allowed: Allowed) -> Answers:
    """What a new form begins with.

    Args:
        allowed: by the agreements, for its recipients; now: ms UTC.
    """
    today = datetime.fromtimestamp(now / 1000, UTC).date()
    country = agency.partition(".")[0]
    found: Answers = {
        pointer: value
        for pointer, value in usual(lang, today).items()
        if not pointer.startswith("/marking/codes/")
    }
    found |= {f"/marking/codes/{at}": code for at, code in enumerate(allowed.codes)}
    if country in _TONGUES:
        found["/about/local_time_zone"] = ZONES[_TONGUES[country]]
    office = agency.replace(".", "-").upper()
    if schema in NAMES and office in codes("org"):
        found |= {"/about/originator": office, "/about/grading/graded_by": office}
    return found


def following(kind: str, original: Original, schema: str) -> Answers:
    """What a form says because of the bulletin that it is about, over `first_answers`."""
    found: Answers = {"/exercise": original.exercise, "/urgency": original.urgency}
    found["/marking/tlp"] = original.tlp
    if kind in REPLACING and original.content is not None:
        about = dict(original.content["about"])
        kept = [one for one in about.pop("relations", ()) if one["kind"] not in REPLACING]
        about["relations"] = [{"kind": kind, "bulletin_id": original.id}, *kept]
        about["message_kind"] = MESSAGES[kind]
        return found | answers_of({"about": about, "body": original.content["body"]})
    found |= answers_of({"about": {"relations": [{"kind": kind, "bulletin_id": original.id}]}})
    if kind in REPLACING:
        found["/about/message_kind"] = MESSAGES[kind]
    elif family(schema) == REPLY_FAMILY:
        found["/body/request_id"] = original.id
        found |= _questions(original)
    return found


def under(answers: Answers, most: Tlp | None) -> Answers:
    """The answers with a marking that agreements carry; the officer sees it, and may differ."""
    wanted = answers.get("/marking/tlp")
    if most is None or wanted not in TLP_ORDER:
        return answers
    return {**answers, "/marking/tlp": min(wanted, most, key=TLP_ORDER.index)}


def answers_in(wish: Wish) -> Answers:
    """A whole bulletin as a form has it: its content, and how it goes; not its recipients and the
    deadline, which the page asks for itself."""
    tlp, codes = wish.tlp, tuple[str, ...]()
    if wish.marking is not None:
        tlp, codes = wish.marking.tlp, wish.marking.codes
    marking = {"tlp": tlp, "codes": list(codes)}
    goes = {"urgency": wish.urgency, "exercise": wish.exercise, "marking": marking}
    days = {"expires": wish.expires, "retain_until": wish.retain_until}
    return answers_of({**goes, **days, "about": wish.about, "body": wish.body})


def answers_of(wish: Json) -> Answers:
    """A bulletin's members as answers by pointer, as far as they are there."""
    found: Answers = {}
    _spread("", wish, found)
    return found


def _questions(original: Original) -> Answers:
    """An answer is begun for each question that was asked."""
    body = {} if original.content is None else original.content["body"]
    asked = body.get("questions", ())
    return {f"/body/answers/{at}/no": one["no"] for at, one in enumerate(asked)}


def _spread(pointer: str, value: Any, found: Answers) -> None:
    if isinstance(value, dict):
        for name, below in value.items():
            _spread(f"{pointer}/{name}", below, found)
    elif isinstance(value, list):
        for at, below in enumerate(value):
            _spread(f"{pointer}/{at}", below, found)
    elif isinstance(value, str | int | bool):
        answer: Scalar = value
        found[pointer] = answer
