"""What a group of items is judged by: facts of the store, read at once, then kept up to date.

Only the sequencer writes, so what it has read stays true until its own commit; every item it takes
is entered here, and its neighbours in the group are judged by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from saphan_protocol.quota import Use
from saphan_schemas.errors import Refused, Unavailable

from saphan_broker.store.base import (
    BulletinFacts,
    Corridor,
    DeliveryKey,
    DeliveryRow,
    HoldKey,
    HoldRow,
    StanzaRow,
    StatementKey,
    Store,
)

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class Wanted:
    """Keys that the items of a group will ask for."""

    bulletins: set[bytes] = field(default_factory=set)
    nonces: set[tuple[str, bytes]] = field(default_factory=set)
    deliveries: set[DeliveryKey] = field(default_factory=set)
    statements: set[StatementKey] = field(default_factory=set)
    corridors: set[Corridor] = field(default_factory=set)
    whole: set[bytes] = field(default_factory=set)
    """Bulletins of which every delivery is asked for."""
    holds: set[HoldKey] = field(default_factory=set)
    stanzas: set[DeliveryKey] = field(default_factory=set)


@dataclass(slots=True)
class Known:
    """The facts; a key that is missing is not stored."""

    bulletins: dict[bytes, BulletinFacts]
    nonces: dict[tuple[str, bytes], BulletinFacts]
    deliveries: dict[DeliveryKey, DeliveryRow]
    statements: dict[StatementKey, int]
    corridors: dict[Corridor, tuple[int, int]]
    recipients: dict[bytes, tuple[str, ...]] = field(default_factory=dict)
    """Of bulletins of which every delivery is known: whose they are."""
    holds: dict[HoldKey, HoldRow] = field(default_factory=dict)
    stanzas: dict[DeliveryKey, StanzaRow] = field(default_factory=dict)
    used: dict[str, Use] = field(default_factory=dict)
    """By agency, of its quota."""
    stopped: dict[DeliveryKey, Refused | Unavailable] = field(default_factory=dict)
    """Deliveries that may not be handed over any more, or not now, and why (`releasing`)."""
    early: dict[bytes, Refused | Unavailable] = field(default_factory=dict)
    """Bulletins whose last day has not come, or is not known now, and why (`erasures`)."""

    def first_answer(
        self, bulletin: bytes, statement: bytes, recipients: Sequence[str]
    ) -> tuple[int, ...] | None:
        """Indices that a statement got in its corridors when it was first admitted."""
        indices = [
            self.statements.get((bulletin, statement, recipient)) for recipient in recipients
        ]
        found = tuple(index for index in indices if index is not None)
        return found if indices and len(found) == len(indices) else None


async def load(store: Store, wanted: Wanted) -> Known:
    """Read everything in bulk: one query of each kind, none for what nobody asked.

    What is asked for at once the store works off without a wait between. A bulletin that is not
    stored has no deliveries, and no statement that anybody may say again: most are new.
    """
    bulletins, nonces, corridors = await asyncio.gather(
        _ask(store.bulletins, wanted.bulletins),
        _ask(store.by_nonce, wanted.nonces),
        _ask(store.corridors, wanted.corridors),
    )
    new = wanted.bulletins - bulletins.keys()
    deliveries, statements = await asyncio.gather(
        _ask(store.deliveries, [key for key in wanted.deliveries if key[0] not in new]),
        _ask(store.statements, [key for key in wanted.statements if key[0] not in new]),
    )
    known = Known(bulletins, nonces, deliveries, statements, corridors)
    if wanted.whole or wanted.holds or wanted.stanzas:
        await _load_kept(store, wanted, known)
    return known


async def _load_kept(store: Store, wanted: Wanted, known: Known) -> None:
    """What only destructions and holds ask for."""
    whole, known.holds, known.stanzas = await asyncio.gather(
        _ask(store.deliveries_of, wanted.whole),
        _ask(store.holds, wanted.holds),
        _ask(store.stanzas, wanted.stanzas),
    )
    for bulletin, rows in whole.items():
        known.deliveries.update(((bulletin, row.recipient), row) for row in rows)
        known.recipients[bulletin] = tuple(row.recipient for row in rows)


async def _ask(
    read: Callable[[Sequence[K]], Awaitable[dict[K, V]]], keys: Collection[K]
) -> dict[K, V]:
    return await read(tuple(keys)) if keys else {}
