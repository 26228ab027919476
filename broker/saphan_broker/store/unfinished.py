"""A store into which another one is being copied is not served before the copy is whole.

A copy writes the evidence log first, then the directory log, then the signed heads, the directory's
last of all. A broker's own store goes the other way: nothing is entered as evidence before the
directory is under a signed head. So whatever cuts a copy off, and on every engine, what is there
tells it from a store that a broker has made.
"""

from __future__ import annotations

from typing import Protocol

from saphan_schemas.errors import OperatorError

from saphan_broker.store.base import Log, LogState, SignedHead


class Heads(Protocol):
    """What is looked at; every store has it."""

    async def state(self, log: Log) -> LogState: ...
    async def note(self, log: Log) -> SignedHead | None: ...


async def is_unfinished(store: Heads) -> bool:
    """Whether a copy into this store has begun and not ended."""
    if await store.note("directory") is not None:
        return False
    return (await store.state("evidence")).head.size > 0


async def check_whole(store: Heads) -> None:
    """Refuse a store that a copy was cut off in.

    Raises:
        OperatorError: `copy_unfinished`.
    """
    if await is_unfinished(store):
        raise OperatorError(
            "copy_unfinished",
            "a copy into this store has begun and not ended: it lacks a part",
            field="data",
            hint="give the same `saphan-broker copy` or `restore` again: it goes on where it was",
        )
