"""From what was gathered to a plan: which head leaf 0 names, whether the directory goes on."""

from __future__ import annotations

from dataclasses import dataclass

from saphan_protocol.pins import Pins, origin_number
from saphan_schemas.errors import OperatorError
from saphan_schemas.records import HeadRef

from saphan_broker.logs.last_head import LastHead
from saphan_broker.store.base import Log
from saphan_broker.succession.known import (
    KnownDirectory,
    Largest,
    Sourced,
)
from saphan_broker.succession.old_store import OldStore
from saphan_broker.succession.plan import Plan, next_origin


@dataclass(frozen=True, slots=True)
class Decided:
    """What would be made.

    Args:
        lost: the head that leaf 0 names, and who knows it.
        directory: the largest head of the directory, and who knows it.
        known: the head that the known leaves make.
        goes_on: whether the directory keeps its origin.
    """

    lost: Sourced
    directory: Sourced
    known: HeadRef
    goes_on: bool


def decide(heads: dict[Log, Largest], known: KnownDirectory, last: dict[Log, LastHead]) -> Decided:
    """What follows from what is known now.

    The directory goes on under its origin only if the leaves reach everything that its signer may
    have signed. A signer's file that anybody is ahead of is an old copy, and says nothing of that.

    Raises:
        OperatorError: `reports_contradict`.
    """
    if known.size:
        heads["directory"].take(known.head, "the directory's leaves")
    largest = heads["directory"].found
    stale = any(heads[log].found.head.size > last[log].size for log in last)
    goes_on = known.size > 0 and known.size >= largest.head.size and not stale
    return Decided(heads["evidence"].found, largest, known.head, goes_on)


async def check_needed(old: OldStore | None, decided: Decided) -> None:
    """Refuse to end a log of which nothing is lost.

    Raises:
        OperatorError: `succession_needless`.
    """
    if old is None or not decided.goes_on:
        return
    if await old.lacks(decided.lost.head) or await old.lacks(decided.directory.head):
        return
    raise OperatorError(
        "succession_needless",
        f"the store has everything up to the {decided.lost.head.size} leaves that were signed: "
        "nothing is lost",
        field="data",
        hint="start the broker as ever: saphan-broker run",
    )


def plan_of(pins: Pins, decided: Decided, address: str, tls: bytes | None) -> Plan:
    """The plan of the successor that is decided on."""
    number = origin_number(pins.evidence.origin)[1]
    grown = origin_number(pins.directory.origin)[1] + (0 if decided.goes_on else 1)
    return Plan(
        lost=decided.lost.head,
        directory_before=pins.directory.origin,
        directory=next_origin(pins.directory, grown),
        evidence=next_origin(pins.evidence, number + 1),
        known=decided.known,
        address=address,
        tls=tls,
    )
