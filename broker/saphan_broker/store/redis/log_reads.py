"""Reading the two logs: heads, leaves, tiles, signed heads, cosignatures, anchors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from saphan_protocol.tiles import edge_tiles

from saphan_broker.store.base import (
    AnchorRow,
    CosignatureRow,
    Counts,
    EntryRow,
    Log,
    LogHead,
    LogState,
    SignedHead,
    TileKey,
)
from saphan_broker.store.redis import packing
from saphan_broker.store.redis.archived import Archive, Fields
from saphan_broker.store.redis.keys import WIDTH, Keys
from saphan_broker.store.redis.line import Command
from saphan_broker.store.redis.link import Link
from saphan_broker.store.redis.scripts import missing

BLOCKS: Final = 8
"""Blocks asked for at a time: 2,048 leaves."""
FIRST: Final = 8
"""Leaves looked at together for one entry: anchors have none."""
PACKAGES: Final = 64
"""Packages asked for at a time, up to 64 KiB each."""


class LogReads:
    """Reads of both logs over one link."""

    def __init__(self, link: Link, keys: dict[Log, Keys], archive: Archive) -> None:
        self._link = link
        self._keys = keys
        self._archive = archive
        self._first: EntryRow | None = None

    async def state(self, log: Log) -> tuple[LogState, bytes]:
        """The head, and the id of the commit that made it."""
        names = ("size", "root", "time", "commit")
        size, root, time, commit = await self._link.one("HMGET", self._keys[log].head, *names)
        if size is None:
            raise missing()
        return LogState(LogHead(int(size), root), int(time)), commit

    async def size(self, log: Log) -> int:
        """Number of committed leaves."""
        return (await self.state(log))[0].head.size

    async def edge(self, log: Log) -> dict[TileKey, bytes]:
        """The partial tiles at the committed head, all of one size."""
        while True:
            state, commit = await self.state(log)
            edge = [(level, n) for level, n, _width in edge_tiles(state.head.size)]
            if not edge:
                return {}
            keys = self._keys[log]
            # Not MULTI: Redis 7.0 queues nothing while its memory is full.
            before, found, after = await self._link.ask(
                [
                    ("HGET", keys.head, "commit"),
                    ("HMGET", keys.tiles, *[b"%d/%d" % key for key in edge]),
                    ("HGET", keys.head, "commit"),
                ]
            )
            if before == after == commit:
                return {key: data for key, data in zip(edge, found, strict=True) if data}

    async def tile(self, log: Log, level: int, n: int) -> bytes | None:
        found: bytes | None = await self._link.one(
            "HGET", self._keys[log].tiles, b"%d/%d" % (level, n)
        )
        return found if found is not None else await self._archive.tile(log, level, n)

    async def leaves(self, log: Log, start: int, stop: int) -> list[bytes]:
        """Leaves of a range, at most up to the committed size."""
        rows = await self._range(log, start, stop)
        return [packing.read_leaf(data) for _index, data in rows]

    async def entries(self, start: int, stop: int) -> list[EntryRow]:
        """Entries of a range."""
        rows = await self._range("evidence", max(start, await self.forgotten()), stop)
        entries = [packing.read_entry(index, data) for index, data in rows]
        return [entry for entry in entries if entry is not None]

    async def first_entry(self) -> EntryRow | None:
        """The earliest entry that is not forgotten; read once, for it stays the first."""
        start = await self.forgotten()
        if self._first is not None and self._first.index >= start:
            return self._first
        size = await self.size("evidence")
        for at in range(start, size, FIRST):
            if found := await self.entries(at, min(at + FIRST, size)):
                self._first = found[0]
                return self._first
        return None

    async def forgotten(self) -> int:
        """How many leaves, from the log's beginning, have no entry any more."""
        return int(await self._link.one("HGET", self._keys["evidence"].head, "forgotten") or 0)

    async def entries_at(self, indices: Sequence[int]) -> list[EntryRow]:
        """The entries with these indices, in their order."""
        rows = await self._rows("evidence", indices)
        entries = [packing.read_entry(index, rows[index]) for index in indices]
        return [entry for entry in entries if entry is not None]

    async def note(self, log: Log) -> SignedHead | None:
        size, note = await self._link.one("HMGET", self._keys[log].head, "note_size", "note")
        return None if note is None else SignedHead(int(size), note)

    async def cosignatures(self, log: Log) -> list[CosignatureRow]:
        found = await self._link.one("HGETALL", self._keys[log].cosignatures)
        pairs = zip(found[::2], found[1::2], strict=True)
        return [packing.read_cosignature(agency, data) for agency, data in sorted(pairs)]

    async def packages(self, start: int, stop: int) -> dict[int, bytes]:
        """Packages of a range of directory leaves."""
        stop = min(stop, await self.size("directory"))
        packages: dict[int, bytes] = {}
        for first in range(max(start, 0), stop, PACKAGES):
            indices = range(first, min(first + PACKAGES, stop))
            found = await self._link.one("HMGET", self._keys["directory"].packages, *indices)
            packages |= {
                i: data for i, data in zip(indices, found, strict=True) if data is not None
            }
        return packages

    async def anchor(self, below: int) -> AnchorRow | None:
        """The newest anchor below an index."""
        key = self._keys["evidence"].anchors
        command = ("ZRANGE", key, b"(%d" % below, "-inf", "BYSCORE", "REV", "LIMIT", 0, 1)
        found = await self._link.one(*command)
        return packing.read_anchor(found[0]) if found else None

    async def anchors(self, start: int, stop: int) -> list[AnchorRow]:
        """Anchors of a range."""
        key = self._keys["evidence"].anchors
        found = await self._link.one("ZRANGE", key, start, b"(%d" % stop, "BYSCORE")
        return [packing.read_anchor(data) for data in found]

    async def counts(self) -> Counts:
        """Numbers for metrics."""
        directory, evidence = self._keys["directory"], self._keys["evidence"]
        of_directory, (of_evidence, bulletins), waiting = await self._link.ask(
            [
                ("HGET", directory.head, "size"),
                ("HMGET", evidence.head, "size", "bulletins"),
                ("ZCARD", evidence.due),
            ]
        )
        if of_directory is None or of_evidence is None:
            raise missing()
        return Counts(
            directory=int(of_directory),
            evidence=int(of_evidence),
            bulletins=int(bulletins),
            deliveries_waiting=waiting,
        )

    # --- blocks ----------------------------------------------------------------------------------

    async def _range(self, log: Log, start: int, stop: int) -> list[tuple[int, bytes]]:
        stop = min(stop, await self.size(log))
        rows: list[tuple[int, bytes]] = []
        for first in range(max(start, 0), stop, BLOCKS * WIDTH):
            indices = range(first, min(first + BLOCKS * WIDTH, stop))
            rows += (await self._rows(log, indices)).items()
        return rows

    async def _rows(self, log: Log, indices: Sequence[int]) -> dict[int, bytes]:
        """Packed rows of committed leaves, in the order asked for; each is here or archived.

        Raises:
            OperatorError: `store_damaged`: it is in neither, which no crash brings about.
        """
        blocks: dict[int, list[int]] = {}
        for index in indices:
            blocks.setdefault(index // WIDTH, []).append(index)
        asked: list[Command] = [
            ("HMGET", self._keys[log].block(n), *[index % WIDTH for index in wanted])
            for n, wanted in blocks.items()
        ]
        rows: dict[int, bytes] = {}
        for (n, wanted), values in zip(blocks.items(), await self._link.ask(asked), strict=True):
            kept: Fields | None = None
            if None in values:
                kept = await self._archive.block(log, n)
            for index, value in zip(wanted, values, strict=True):
                data = value if value is not None else (kept or {}).get(b"%d" % (index % WIDTH))
                if data is None:
                    raise packing.damaged(f"leaf {index} of the {log} log is missing")
                rows[index] = data
        return rows
