"""Batch signatures at rest: stored once, found again by (key id, size, root)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from saphan_protocol.batch import RootRef, index_batches
from saphan_schemas.codec import encode
from saphan_schemas.records import BatchSignature, SignatureItem

from saphan.node.rows.db import Row

Query = Callable[[str, Sequence[object]], list[Row]]


def keep(tx: sqlite3.Connection, batches: Iterable[BatchSignature]) -> None:
    """Store signatures; those stored before are left as they are."""
    tx.executemany(
        "INSERT INTO signatures VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(batch.key, batch.size, batch.root, batch.signature) for batch in batches],
    )


def find(query: Query, refs: Iterable[RootRef]) -> tuple[BatchSignature, ...]:
    """The stored signatures of the given roots, each once."""
    found = []
    for key, size, root in set(refs):
        rows = query(
            "SELECT signature FROM signatures WHERE key = ? AND size = ? AND root = ?",
            (key, size, root),
        )
        found += [BatchSignature(key, size, root, signature) for (signature,) in rows]
    return tuple(found)


class Known(Mapping[RootRef, BatchSignature]):
    """Signatures of this frame and those before: the broker sends each once a session."""

    def __init__(self, query: Query, fresh: Iterable[BatchSignature]) -> None:
        self._query = query
        self._held = index_batches(fresh)

    def __getitem__(self, ref: RootRef) -> BatchSignature:
        held = self._held.get(ref)
        if held is None:
            found = find(self._query, (ref,))
            if not found:
                raise KeyError(ref)
            held = self._held[ref] = found[0]
        return held

    def __iter__(self) -> Iterator[RootRef]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)


def item_bytes(item: SignatureItem) -> bytes:
    """An item as it rests beside the record it belongs to."""
    return encode(item)
