"""Which bulletin may say what of which other one (T1 to T5 of schemas/spec/threads.md).

The sender's node refuses before the seal, with the fix; the recipient's node rejects only what is
false whatever else the two sides hold: a correction of what another agency has said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from saphan_schemas.errors import InvalidInput, Refused, SaphanError
from saphan_schemas.records import Header

from saphan.threads.words import (
    CORRECTS,
    REPLACING,
    REPLY,
    REPLY_FAMILY,
    REQUEST_FAMILY,
    SUPERSEDES,
    Relation,
    Words,
    family,
)

NAMES_ONE: Final[dict[str, tuple[str, ...]]] = {
    "correction": (CORRECTS,),
    "update": (SUPERSEDES, REPLY),
    "cancel": REPLACING,
}
"""Kinds of message that are about an earlier one, and by which relations they name it."""
ANSWERED_BY: Final = (REQUEST_FAMILY, REPLY_FAMILY)
"""What an info_reply may answer: a request, or a question that came with a reply."""
REJECTED: Final = "relation_refused"
SHOWN: Final = 16
"""Digits of an id in a sentence."""


@dataclass(frozen=True, slots=True)
class Held:
    """A bulletin that is here: who sent it to whom, its type's name, whether it is an exercise.

    Args:
        left: those whose place it takes, each with who has that one and has not accepted this.
        newer: those that took its place.
    """

    sender: str
    recipients: Sequence[str]
    schema: str
    exercise: bool
    left: Sequence[tuple[bytes, Sequence[str]]] = ()
    newer: Sequence[bytes] = ()


Look = Callable[[bytes], Held | None]


def check_sent(header: Header, words: Words, look: Look, carries: Callable[[str], bool]) -> None:
    """T1 to T3: may this agency send that.

    Args:
        look: what its node holds; carries: whether an agreement takes this type to an agency now.

    Raises:
        Refused: `relation_missing`, `relation_twice`, `relation_unknown`, `relation_foreign`,
            `relation_type`, `relation_replaced`, `correction_misses`, `reply_misdirected`; `field`
            is a pointer.
    """
    _check_named(words)
    targets = [one.target for one in words.relations if one.kind in (REPLY, *REPLACING)]
    for place, one in enumerate(words.relations):
        if one.kind not in (REPLY, *REPLACING):
            continue
        field = f"/about/relations/{place}"
        if targets.count(one.target) > 1:
            raise Refused(
                "relation_twice",
                "the same bulletin is named twice, in two roles",
                field=field,
                hint="a bulletin answers another one, or takes its place; leave one of them out",
            )
        held = look(one.target)
        if held is None:
            raise _unknown(one.target, field)
        _check_exercise(header, held, field)
        if one.kind == REPLY:
            _check_reply(header, held, field)
        else:
            _check_replacing(header, held, field)
            _check_reach(header, held, carries)
            _check_left(one, held, targets, field)


def check_received(header: Header, words: Words, look: Look) -> None:
    """T4: refuse to take for a correction what its author could not correct.

    What is not held here is taken as it is, and judged again whenever it is shown.

    Raises:
        InvalidInput: `relation_refused`.
    """
    for place, one in enumerate(words.relations):
        held = look(one.target) if one.kind in REPLACING else None
        if held is not None and not may_replace(header, held):
            raise InvalidInput(
                REJECTED,
                f"it {one.kind} {_short(one.target)}, which is another agency's, of another type,"
                " or no exercise as this is (or the other way round)",
                field=f"/about/relations/{place}",
                hint="only its own agency corrects a bulletin; send what you know as `related`",
            )


def may_replace(newer: Header | Held, held: Held) -> bool:
    """T3: only the agency of the original, with a bulletin of the same type, both or neither for
    an exercise."""
    same = family(newer.schema) == family(held.schema) and newer.exercise == held.exercise
    return newer.sender == held.sender and same


def _check_named(words: Words) -> None:
    """T1."""
    needed = NAMES_ONE.get(words.message)
    if needed is not None and not words.targets(*needed):
        raise Refused(
            "relation_missing",
            f"a bulletin of the kind {words.message} names the earlier one that it is about",
            field="/about/relations",
            hint=f'add {{"kind": "{needed[0]}", "bulletin_id": "..."}}; saphan inbox has the id',
        )
    if words.answered is not None and not words.targets(REPLY):
        raise Refused(
            "relation_missing",
            "a reply names the request that it answers",
            field="/about/relations",
            hint=f'add {{"kind": "{REPLY}", "bulletin_id": "..."}}; saphan inbox has the id',
        )


def _check_exercise(header: Header, held: Held, field: str) -> None:
    """T1: nothing that is exercised answers or changes what is real."""
    if header.exercise != held.exercise:
        raise Refused(
            "relation_type",
            "one of the two bulletins is an exercise, and the other one is real",
            field=field,
            hint="look at `exercise`; or name the other one as `related`",
        )


def _check_reply(header: Header, held: Held, field: str) -> None:
    """T2: answers go to who asked, or on to those who were asked by us."""
    ours = held.sender == header.sender
    partners = held.recipients if ours else (held.sender,)
    if not set(partners) & set(header.recipients):
        raise Refused(
            "reply_misdirected",
            f"it answers a bulletin of {held.sender}, and goes to {', '.join(header.recipients)}",
            field=field,
            hint=f"send it to {', '.join(partners)}",
        )
    if family(header.schema) == REPLY_FAMILY and family(held.schema) not in ANSWERED_BY:
        raise Refused(
            "relation_type",
            f"an info_reply answers a request; the other one is of the type {held.schema}",
            field=field,
            hint="name the request itself, or send a bulletin of another type",
        )


def _check_replacing(header: Header, held: Held, field: str) -> None:
    if held.sender != header.sender:
        raise Refused(
            "relation_foreign",
            f"{held.sender} has sent it, and only {held.sender} can correct or withdraw it",
            field=field,
            hint="send what you know as a bulletin of your own, with the relation `related`",
        )
    if not may_replace(header, held):
        raise Refused(
            "relation_type",
            f"a bulletin of the type {header.schema} does not take the place of {held.schema}",
            field=field,
            hint="use the type of the original",
        )


def _check_reach(header: Header, held: Held, carries: Callable[[str], bool]) -> None:
    """T3: nobody goes on believing what was corrected, but whom no agreement reaches any more."""
    missed = sorted(set(held.recipients) - set(header.recipients))
    named = [agency for agency in missed if carries(agency)]
    if named:
        raise Refused(
            "correction_misses",
            f"{', '.join(named)} had the original, and would not get what takes its place",
            field="header.recipients",
            hint=f"send it to {', '.join(held.recipients)} too, or leave out --to",
        )


def _check_left(one: Relation, held: Held, targets: Sequence[bytes], field: str) -> None:
    """T3: what was corrected is corrected in one line, and whoever has not accepted a correction
    learns of what it corrected."""
    for newer in held.newer:
        if newer not in targets:
            raise Refused(
                "relation_replaced",
                f"{_short(newer)} has taken the place of {_short(one.target)} already",
                field=field,
                hint=f"look at it; then add {_line(one.kind, newer)}",
            )
    for earlier, agencies in held.left:
        if earlier not in targets:
            raise Refused(
                "correction_misses",
                f"{', '.join(agencies)} has not accepted {_short(one.target)}, and would go on"
                f" believing {_short(earlier)}, whose place that took",
                field=field,
                hint=f"add {_line(one.kind, earlier)}",
            )


def _line(kind: str, target: bytes) -> str:
    return f'{{"kind": "{kind}", "bulletin_id": "{target.hex()}"}}'


def _unknown(target: bytes, field: str) -> SaphanError:
    return Refused(
        "relation_unknown",
        f"this node has no bulletin {_short(target)}",
        field=field,
        hint="copy its whole id from: saphan inbox --json, or saphan status ID --json",
    )


def _short(target: bytes) -> str:
    return target.hex()[:SHOWN]
