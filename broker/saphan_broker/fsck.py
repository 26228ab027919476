"""`saphan-broker fsck`: the auditor's own code over a broker's store, opened by its day keys.

Nothing is written. Logs, records, salts, signatures and headers are read as an export reads them,
page by page; what is wrong with them is the report's finding, as it would be an auditor's. It says
more: whether ciphertexts are those that were admitted, whether what is destroyed is gone, and
whether the store is behind what its signer has signed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from saphan_protocol.audit.report import Progress, Report
from saphan_protocol.audit.verdict import audit
from saphan_protocol.checkpoint import parse_checkpoint
from saphan_protocol.identity import sha256
from saphan_protocol.notes import parse_note
from saphan_protocol.pins import Pins
from saphan_protocol.tile_tree import TileTree
from saphan_protocol.tiles import TILE_WIDTH, edge_tiles
from saphan_schemas.bodies import known_types
from saphan_schemas.errors import OperatorError
from saphan_schemas.packs import PackItem
from saphan_schemas.records import LeafType

from saphan_broker.beside import is_bundle
from saphan_broker.logs.last_head import LastHead, LastHeadFile
from saphan_broker.records import PackMaker, Source, cosigned_note
from saphan_broker.seeds import DayKeys
from saphan_broker.store.base import (
    LOGS,
    BulletinRow,
    DeliveryKey,
    DeliveryRow,
    Log,
    StanzaRow,
)

T = TypeVar("T")
PAGE: Final = 4 * TILE_WIDTH
ITEMS: Final = 256
"""Items of the pack that are made at once: with their bodies' digests about 400 KB."""
LOOKS: Final = 8
"""At one page: a sweep goes over it in a few commits, each of which may fall between two looks."""
PACK: Final = "store"
"""What the report calls the records of the store."""


class Kept(Source, Protocol):
    """What is read; every store has it, and so has `store.sqlite_reader`."""

    async def tile(self, log: Log, level: int, n: int) -> bytes | None: ...
    async def deliveries_of(self, ids: Iterable[bytes]) -> dict[bytes, list[DeliveryRow]]: ...
    async def stanzas(self, keys: Sequence[DeliveryKey]) -> dict[DeliveryKey, StanzaRow]: ...


@dataclass(frozen=True, slots=True)
class Checked:
    """The audit's report, and by how many leaves a log is behind its signer's last head."""

    report: Report
    behind: Mapping[Log, int]

    @property
    def good(self) -> bool:
        """Whether nothing at all is wrong."""
        return self.report.finding is None and not self.behind


async def fsck(
    source: Kept, keys: DayKeys, pins: Pins, signed: Mapping[Log, LastHead], progress: Progress
) -> Checked:
    """Check both logs and every record that can still be opened.

    Args:
        signed: what each signer signed last; empty where no log key is.

    Raises:
        OperatorError: `head_missing`, `unwrap_failed`, `store_damaged`, and what reading raises.
    """
    # The evidence log's head first: the directory's, read later, covers every anchor.
    notes = {log: await cosigned_note(source, log) for log in ("evidence", "directory")}
    heads: dict[Log, bytes] = {log: notes[log] for log in LOGS}
    loop = asyncio.get_running_loop()
    logs = {log: _StoredLog(source, log, heads[log], loop) for log in LOGS}
    size = parse_checkpoint(parse_note(heads["evidence"]).text).size
    pack = _WholePack(source, keys, heads).items(0, size, 0)
    report = await asyncio.to_thread(
        audit,
        pins,
        logs["directory"],
        logs["evidence"],
        [(PACK, _waited(pack, loop))],
        {known.name: known.digest for known in known_types()},
        progress,
    )
    return Checked(report, _behind(heads, signed))


class _WholePack(PackMaker):
    """A pack of what is whole: each ciphertext is read anyway, and compared with its digest; so are
    the schemas of agencies, which are in no pack. What is destroyed must be gone."""

    def __init__(self, source: Kept, keys: DayKeys, heads: Mapping[Log, bytes]) -> None:
        super().__init__(source, keys, heads)
        self._kept = source

    async def _all_agreements(self, size: int) -> None:
        await super()._all_agreements(size)
        for first in range(0, size, PAGE):
            leaves = await self._source.leaves("directory", first, min(size, first + PAGE))
            for index, leaf in enumerate(leaves, first):
                if leaf[:1] == bytes((LeafType.SCHEMA,)):
                    bundle = (await self._source.packages(index, index + 1)).get(index, b"")
                    _check_schema(index, leaf, bundle)

    async def _bodies(self, ids: list[bytes]) -> dict[bytes, BulletinRow]:
        for _ in range(LOOKS - 1):
            with suppress(OperatorError):  # a broker at work may destroy some of it meanwhile
                return await self._checked(ids)
        return await self._checked(ids)

    async def _checked(self, ids: list[bytes]) -> dict[bytes, BulletinRow]:
        bodies = await super()._bodies(ids)
        rows = await self._kept.deliveries_of(ids)
        keys = [(row.bulletin, row.recipient) for found in rows.values() for row in found]
        stanzas = await self._kept.stanzas(keys)
        for id_, body in bodies.items():
            _check_kept(body, rows.get(id_, []), stanzas)
        return bodies


def _check_kept(
    body: BulletinRow,
    rows: Sequence[DeliveryRow],
    stanzas: Mapping[DeliveryKey, StanzaRow],
) -> None:
    """What is destroyed is not there, what is not destroyed is whole."""
    name = f"bulletin {body.id.hex()[:16]}"
    if rows and all(row.destroyed is not None for row in rows):
        _need(not body.ciphertext, f"the ciphertext of {name} is destroyed, and still there")
    else:
        whole = sha256(body.ciphertext) == body.ciphertext_digest
        _need(whole, f"the ciphertext of {name} has not its digest")
    for row in rows:
        there = (row.bulletin, row.recipient) in stanzas
        gone = row.destroyed is not None
        _need(not (there and gone), f"a stanza of {name} is destroyed, and still there")
        _need(there or gone, f"a stanza of {name} is missing")


def _need(fine: bool, wrong: str) -> None:
    if not fine:
        raise OperatorError(
            "store_damaged",
            wrong,
            field="data",
            hint="restore the store from a backup; the agency that sent it has it, too",
        )


def _check_schema(index: int, leaf: bytes, bundle: bytes) -> None:
    if not is_bundle(bundle, leaf[1:]):
        raise OperatorError(
            "store_damaged",
            f"the schema that directory leaf {index} registers is not there, or another one",
            field="data",
            hint="restore the store from a backup; the agency that registered it has it, too",
        )


def last_heads(keys: Path, pins: Pins) -> dict[Log, LastHead]:
    """What the signers of a directory of log keys signed last.

    Raises:
        OperatorError: `key_file_missing`, `key_file_exposed`, `key_file_malformed`.
    """
    origins = {"directory": pins.directory.origin, "evidence": pins.evidence.origin}
    return {log: LastHeadFile(keys / f"{log}.head", origins[log]).read() for log in LOGS}


def _behind(heads: Mapping[Log, bytes], signed: Mapping[Log, LastHead]) -> dict[Log, int]:
    sizes = {log: parse_checkpoint(parse_note(note).text).size for log, note in heads.items()}
    return {log: last.size - sizes[log] for log, last in signed.items() if last.size > sizes[log]}


class _StoredLog:
    """One log of the store, for the thread that audits; a `LogSource`."""

    def __init__(
        self, source: Kept, log: Log, note: bytes, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._source = source
        self._log = log
        self._note = note
        self._loop = loop

    def note(self) -> bytes:
        """The newest signed head when the check began."""
        return self._note

    def leaves(self, size: int) -> Iterator[bytes]:
        """All leaves below `size`; fewer if the store has lost some."""
        for start in range(0, size, PAGE):
            stop = min(size, start + PAGE)
            yield from _wait(self._source.leaves(self._log, start, stop), self._loop)

    def tree(self, size: int) -> TileTree:
        """The stored tiles at this size."""
        edge = {(level, n): self._tile(level, n, width) for level, n, width in edge_tiles(size)}
        return TileTree(size, edge, lambda level, n: self._tile(level, n, TILE_WIDTH))

    def _tile(self, level: int, n: int, width: int) -> bytes:
        found = _wait(self._source.tile(self._log, level, n), self._loop)
        if found is None or len(found) < 32 * width:
            raise OperatorError(
                "tile_missing",
                f"tile {level}/{n} of the {self._log} log has not its {width} hashes",
                field="data",
                hint="restore the store from a backup, or the tile from a node's copy",
            )
        return found[: 32 * width]


def _wait(work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
    return asyncio.run_coroutine_threadsafe(work, loop).result()


def _waited(items: AsyncIterator[PackItem], loop: asyncio.AbstractEventLoop) -> Iterator[PackItem]:
    """The items, some at a time, for another thread than the loop's."""

    async def some() -> list[PackItem]:
        found: list[PackItem] = []
        async for item in items:
            found.append(item)
            if len(found) == ITEMS:
                break
        return found

    while found := _wait(some(), loop):
        yield from found
