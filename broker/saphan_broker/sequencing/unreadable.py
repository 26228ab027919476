"""An item about something that cannot be read: it waits, and its neighbours go on.

Facts of finished bulletins lie in objects (docs/adr/0015). One that is missing, damaged or out of
reach must not be taken for "never seen", and must not stop the others of its group. The same holds
for a header or a record whose sealed bytes the disk has changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol, TypeVar

from saphan_schemas.errors import SaphanError, Unavailable
from saphan_schemas.limits import MINUTE_MS

from saphan_broker.sequencing.facts import Known, Wanted, load
from saphan_broker.sequencing.work import Rejected, Work
from saphan_broker.state import State

UNREADABLE: Final = frozenset({"object_missing", "object_damaged", "unwrap_failed"})
"""Lost, until somebody puts them back."""
AWAY: Final = "blobs_unreachable"
RECORD: Final = "record_unreadable"
"""What a sender is told, and the operator is alarmed."""


class _Wanting(Protocol):
    """A judged item."""

    def want(self, wanted: Wanted) -> None: ...


R = TypeVar("R", bound=_Wanting)


async def load_readable(
    state: State, judged: Sequence[tuple[Work, R]]
) -> tuple[Known, list[tuple[Work, R]]]:
    """Facts for a group, and those of its items whose facts can be read; the rest is answered."""
    kept = list(judged)
    while True:
        try:
            return await load(state.store, _wanted(kept)), kept
        except SaphanError as error:
            if not _of_an_object(error):
                raise
        troubles = await asyncio.gather(*(_trouble(state, ready) for _work, ready in kept))
        for (work, _ready), trouble in zip(kept, troubles, strict=True):
            if trouble is not None:
                answer(state, work, trouble)
        kept = [one for one, trouble in zip(kept, troubles, strict=True) if trouble is None]


def answer(state: State, work: Work, error: SaphanError) -> None:
    """Answer an item as `told` says; raises as it does."""
    work.resolve(Rejected(told(state, error)))


def told(state: State, error: SaphanError) -> Unavailable:
    """What an item's sender is told: to wait. The operator is told why.

    Raises:
        SaphanError: the same, if it is about anything else than what is kept of this item.
    """
    if not _of_an_object(error):
        raise error
    if isinstance(error, Unavailable):
        return error
    state.alarms.sound_error(error)
    return Unavailable(
        RECORD,
        "what the broker keeps about this cannot be read at the moment",
        hint="the broker's operator has been alarmed; send the same again later",
        retry_after_ms=MINUTE_MS,
    )


def _of_an_object(error: SaphanError) -> bool:
    return error.code in UNREADABLE or error.code == AWAY


async def _trouble(state: State, ready: _Wanting) -> SaphanError | None:
    try:
        await load(state.store, _wanted([(None, ready)]))
    except SaphanError as error:
        if not _of_an_object(error):
            raise
        return error
    return None


def _wanted(judged: Sequence[tuple[object, _Wanting]]) -> Wanted:
    wanted = Wanted()
    for _work, ready in judged:
        ready.want(wanted)
    return wanted
