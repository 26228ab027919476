"""What follows an outcome, replayed while a log is copied: destructions and holds of deliveries.

A hold's row says which entry laid it and which one ended it. So the copy has it standing from the
one on, and released from the other on, whatever the source has come to meanwhile. Of a hold that
was laid twice only the last time is known, and the first, which is over, is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from saphan_broker.store.base import DeliveryKey, DeliveryRow, EntryRow, HoldKey, HoldRow, Store

DESTROYED = "destroyed"
HOLDING = frozenset({"held", "released"})


class Holdings:
    """Holds that some entries lay or end, in the order of the log."""

    def __init__(self, rows: Iterable[HoldRow]) -> None:
        self._laid = {row.held: row for row in rows}
        self._ended = {row.released: row for row in self._laid.values() if row.released is not None}
        self.rows: dict[HoldKey, HoldRow] = {}
        """As they are after the entries that were taken."""

    @property
    def keys(self) -> set[DeliveryKey]:
        """Deliveries that they are on."""
        return {(row.bulletin, row.recipient) for row in self._laid.values()}

    def take(self, entry: EntryRow) -> tuple[DeliveryKey, int] | None:
        """The delivery whose number of holds an entry changes, and by how much."""
        laid, ended = self._laid.get(entry.index), self._ended.get(entry.index)
        row = laid or ended
        if row is None:
            return None
        key = row.target, row.order
        self.rows[key] = row if laid is None else replace(row, released=None)
        return (row.bulletin, row.recipient), (1 if laid is not None else -1)


async def read_holdings(source: Store, entries: Iterable[EntryRow]) -> Holdings:
    """Every hold on the bulletins that some of these entries hold or release."""
    ids = {row.bulletin for row in entries if row.event in HOLDING and row.bulletin is not None}
    found = await source.holds_of(ids) if ids else {}
    return Holdings(row for rows in found.values() for row in rows)


def bodiless(
    gone: Sequence[DeliveryKey], rows: dict[bytes, list[DeliveryRow]], stop: int
) -> list[bytes]:
    """Bulletins of which nothing is undestroyed any more once the entries below `stop` are there.

    Args:
        gone: deliveries that these entries destroy.
        rows: every delivery of their bulletins, as the source has them.
    """
    ids = dict.fromkeys(id_ for id_, _recipient in gone)
    return [id_ for id_ in ids if all(_is_gone(row, stop) for row in rows.get(id_, []))]


def is_destroyed(rows: Sequence[DeliveryRow]) -> bool:
    """Whether a bulletin with these deliveries has no ciphertext any more."""
    return bool(rows) and all(row.destroyed is not None for row in rows)


def _is_gone(row: DeliveryRow, stop: int) -> bool:
    return row.destroyed is not None and row.destroyed < stop
