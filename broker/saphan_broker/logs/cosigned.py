"""The newest signed head with the cosignatures that witnesses have given it."""

from __future__ import annotations

from typing import Protocol

from saphan_protocol.notes import add_lines

from saphan_broker.store.base import CosignatureRow, Log


class Cosignatures(Protocol):
    """The part of a store that is asked."""

    async def cosignatures(self, log: Log) -> list[CosignatureRow]:
        """The newest cosignature of each agency."""


async def cosigned(store: Cosignatures, log: Log, size: int, note: bytes) -> bytes:
    """The note with the lines of every witness whose newest cosignature is on this very head."""
    rows = await store.cosignatures(log)
    lines = b"".join(row.lines for row in rows if row.size == size)
    return add_lines(note, lines) if lines else note
