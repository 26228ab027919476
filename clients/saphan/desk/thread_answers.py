"""What a node says of a thread, as a desk takes it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import AgencyId, Millis

from saphan.threads.clock import Unit
from saphan.threads.legal import What
from saphan.threads.owing import OwingState, QuestionState

Hex = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Word = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_+]{0,63}\Z")]
LONG_AGO: Final = -2_208_988_800_000
"""The first instant of 1900, ms UTC: of what was announced nobody has said that it is to come."""
Announced = Annotated[int, Meta(ge=LONG_AGO, lt=2**53)]
Few = Meta(max_length=LIMITS.thread_bulletins)


class Named(msgspec.Struct):
    """Another bulletin that this one names."""

    kind: Literal["in_reply_to", "corrects", "supersedes", "related", "same_case"]
    id: Hex
    stands: Literal["holds", "not_held", "foreign", "misses"]


class Asked(msgspec.Struct):
    """One question of a request."""

    no: Annotated[str, Meta(pattern=r"\A[0-9]{1,4}\Z")]
    state: QuestionState
    reply: Hex | None
    at: Millis | None


class Clock(msgspec.Struct):
    """By which calendar the time was counted."""

    count: Annotated[int, Meta(ge=0, le=100_000)]
    unit: Unit
    lengthened: bool
    zone: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_+/-]{1,60}\Z")]
    zone_known: bool
    holiday_file_missing: bool


class Owed(msgspec.Struct):
    """How one of those who were asked stands."""

    replier: AgencyId
    delivery: Word
    what: What
    since: Millis | None
    state: OwingState
    accepted: Millis | None
    read: Millis | None
    due: Millis | None
    until: Millis | None
    expected: Announced | None
    reason: Word | None
    transferred_to: Annotated[str, Meta(pattern=r"\A[A-Z0-9-]{1,40}\Z")] | None
    late: bool
    questions: Annotated[list[Asked], Few]
    replies: Annotated[list[Hex], Few]
    clock: Clock | None


class Near(msgspec.Struct):
    """A bulletin of the same thread, as lists show it."""

    id: Hex
    sender: AgencyId
    schema: Annotated[str, Meta(max_length=128)]
    created: Millis
    relations: Annotated[list[Named], Few]
    recalled: bool | Word | None = None
    replaced_by: Annotated[list[Hex], Few] = []
