"""What a hold has kept longer than the entries that brought it: copied by itself, after the log.

Its records were forgotten with their day, ten years after it was logged (`Store.forget`): no entry
of the log leads to it any more. What is held must not be lost for that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from saphan_broker.store.base import BulletinRow, DeliveryRow, HoldRow, StanzaRow, Store

FAR: Final = 2**52
"""Beyond every time (ms), every index and every day."""
HELD: Final = 100_000
"""Held deliveries that are looked at: 120 MB of stanzas."""
SOME: Final = 64
"""Bulletins of one commit, 4 MiB of ciphertexts."""


class Outliving(NamedTuple):
    """Some bulletins with all that hangs on them, as it was at a head of the log."""

    bulletins: list[BulletinRow]
    deliveries: list[DeliveryRow]
    stanzas: list[StanzaRow]
    holds: list[HoldRow]


async def outliving(
    source: Store, target: Store, first: int, size: int
) -> AsyncIterator[Outliving]:
    """What `target` lacks of it, some bulletins at a time.

    Args:
        first: index of the first entry that is not forgotten.
        size: of the log that is copied.
    """
    if not first:
        return
    held = dict.fromkeys([row.bulletin for row in await source.stanzas_due(FAR, HELD)])
    ids = list(held)
    for start in range(0, len(ids), SOME):
        found = await _read(source, target, ids[start : start + SOME], first, size)
        if found.bulletins:
            yield found


async def _read(
    source: Store, target: Store, ids: Sequence[bytes], first: int, size: int
) -> Outliving:
    rows = await source.deliveries_of(ids)
    known = await target.bulletins(rows)
    old = [
        id_
        for id_, some in rows.items()
        if id_ not in known and min(row.submitted for row in some) < first
    ]
    bodies = await source.bodies(old)
    holds = [
        _at(row, size)
        for some in (await source.holds_of(old)).values()
        for row in some
        if row.held < size
    ]
    deliveries = [_standing(row, holds) for id_ in old for row in rows[id_]]
    keys = [(row.bulletin, row.recipient) for row in deliveries]
    stanzas = await source.stanzas(keys)
    return Outliving([bodies[id_] for id_ in old], deliveries, list(stanzas.values()), holds)


def _at(row: HoldRow, size: int) -> HoldRow:
    later = row.released is not None and row.released >= size
    return replace(row, released=None) if later else row


def _standing(row: DeliveryRow, holds: Sequence[HoldRow]) -> DeliveryRow:
    """Its holds may have become others since, when the source goes on."""
    key = row.bulletin, row.recipient
    standing = [one for one in holds if one.released is None]
    return replace(row, holds=sum((one.bulletin, one.recipient) == key for one in standing))
