"""A stretch of a log as the commit that would have made it, read from another store.

Of the rows that hang on an entry a store is asked by key, and some of the keys are inside the
sealed record: the identity of the statement, the signature that vouches for it. So records are
opened with the day keys, and each must be what its leaf commits to. What a destroyed day has closed
needs neither any more: its row is copied as it lies there. What is destroyed is copied without its
ciphertext and stanza; and before the first entry that is kept nothing hangs on the leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from msgspec.structs import replace
from saphan_protocol.directory import agreement_leaf, hold_leaf, order_leaf
from saphan_protocol.evidence import anchor_leaf, open_leaf, parse_leaf
from saphan_protocol.identity import identity
from saphan_protocol.operation import parse_agreement_package
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import BatchSignature, Event, LeafType

from saphan_broker.at_rest import open_record
from saphan_broker.beside import is_bundle
from saphan_broker.moving.damage import damaged
from saphan_broker.moving.deliveries import consigns, delivery_of, replayed
from saphan_broker.moving.holding import DESTROYED as GONE
from saphan_broker.moving.holding import bodiless, is_destroyed, read_holdings
from saphan_broker.once import ONCE, UNASKED, marker
from saphan_broker.records import DESTROYED, OpenedEntry
from saphan_broker.seeds import DayKeys
from saphan_broker.store.base import (
    AnchorRow,
    BulletinRow,
    Corridor,
    DeliveryKey,
    DeliveryRow,
    EntryRow,
    HoldRow,
    Log,
    SignatureKey,
    StanzaRow,
    StatementKey,
    Store,
)

MakeLeaf: TypeAlias = Callable[[bytes, bytes], bytes]
_SALTED: Final[dict[int, MakeLeaf]] = {
    LeafType.AGREEMENT: agreement_leaf,
    LeafType.ORDER: order_leaf,
    LeafType.HOLD: hold_leaf,
}
"""Leaves of the directory log that commit to a package; all of them have the same three
members."""
_SCAN: Final = 1024
"""Entries read at once in search of the first that is not forgotten."""
_IDLE_DAYS: Final = 400
"""Entries are forgotten by age. The first that is kept is nearly as old, unless for longer than
this nothing was logged before it: then entries that are not there are called lost."""


@dataclass(slots=True, kw_only=True)
class Block:
    """Leaves start <= index < stop of one log with everything that hangs on them."""

    log: Log
    leaves: list[bytes]
    time: int = 0
    """Of the last entry, ms; 0: none says it."""
    closed: int = 0
    """Entries whose day key is gone."""
    waits: int = 0
    """Index of the last entry that has destroyed something these leaves brought; it must be copied,
    too, or the copy lacks what it calls undestroyed."""
    entries: list[EntryRow] = field(default_factory=list)
    anchors: list[AnchorRow] = field(default_factory=list)
    bulletins: list[BulletinRow] = field(default_factory=list)
    deliveries: list[DeliveryRow] = field(default_factory=list)
    stanzas: list[StanzaRow] = field(default_factory=list)
    signatures: list[BatchSignature] = field(default_factory=list)
    statements: dict[StatementKey, int] = field(default_factory=dict)
    packages: dict[int, bytes] = field(default_factory=dict)
    holds: list[HoldRow] = field(default_factory=list)
    destroyed: list[DeliveryKey] = field(default_factory=list)
    bodiless: list[bytes] = field(default_factory=list)

    @property
    def corridors(self) -> dict[Corridor, tuple[int, int]]:
        """The last entry of each corridor in this block."""
        return {(row.sender, row.recipient): (row.number, row.index) for row in self.entries}


async def directory_block(source: Store, start: int, stop: int) -> Block:
    """Leaves of the directory log, the agreements and orders that they commit to, and the bundles
    of the schemas that they register.

    Raises:
        OperatorError: `store_damaged`.
    """
    leaves = await _leaves(source, "directory", start, stop)
    packages = await source.packages(start, stop)
    for index, leaf in enumerate(leaves, start):
        make = _SALTED.get(leaf[0])
        if make is not None and _opened(packages, index, make) != leaf:
            raise damaged(f"the text of directory leaf {index} is not there, or another one")
        if leaf[0] == LeafType.SCHEMA and not is_bundle(packages.get(index, b""), leaf[1:]):
            raise damaged(f"the schema of directory leaf {index} is not there, or another one")
    return Block(log="directory", leaves=leaves, packages=packages)


def _opened(packages: Mapping[int, bytes], index: int, make: MakeLeaf) -> bytes | None:
    """The leaf that commits to the package at `index`; None: there is none that parses."""
    try:
        signed = parse_agreement_package(packages[index])
    except (KeyError, InvalidInput):
        return None
    return make(signed.salt, signed.agreement)


class EvidenceBlocks:
    """Reads blocks of the evidence log of `source` as `target` needs them, in order.

    Args:
        keys: day keys of the broker that both stores are of.
    """

    def __init__(self, source: Store, target: Store, keys: DayKeys) -> None:
        self._source = source
        self._target = target
        self._keys = keys
        self._first: int | None = None

    async def read(self, start: int, stop: int) -> Block:
        """Leaves start <= index < stop with their rows; `target` holds everything before.

        Raises:
            OperatorError: `store_damaged`, `unwrap_failed`.
        """
        source = self._source
        block = Block(
            log="evidence",
            leaves=await _leaves(source, "evidence", start, stop),
            entries=await source.entries(start, stop),
            anchors=await source.anchors(start, stop),
        )
        _check_rows(block, start, await self.first_kept())
        if block.entries:
            block.time = block.entries[-1].time
        opened, block.closed = open_entries(self._keys, block.entries)
        for one in opened:
            _check_entry(one, block.leaves[one.row.index - start])
        block.statements = await self._statements(opened, range(start, stop))
        block.signatures = await self._signatures(opened)
        block.bulletins = await self._bulletins(block)
        await self._deliveries(block, stop)
        return block

    async def first_kept(self) -> int:
        """Index of the first entry that is not forgotten; 0: none can be, so young is the log."""
        if self._first is None:
            state = await self._source.state("evidence")
            at, found = 0, list[EntryRow]()
            while not found and at < state.head.size:
                found = await self._source.entries(at, at + _SCAN)
                at += _SCAN
            last = state.time // DAY_MS + LIMITS.record_days
            day = found[0].record_day if found else last
            first = found[0].index if found else state.head.size
            self._first = first if day <= self._keys.day + _IDLE_DAYS else 0
        return self._first

    async def _statements(
        self, opened: Sequence[OpenedEntry], new: range
    ) -> dict[StatementKey, int]:
        """Those whose first entry is in this block; a later entry of one changes nothing."""
        wanted = {key: one.row.index for one in opened for key in statement_keys(one)}
        markers = {key: one.row.index for one in opened for key in later_markers(one)}
        found = await self._source.statements({**markers, **wanted})
        for key, index in wanted.items():
            if found.get(key, new.stop) > index:
                raise damaged(f"the statement of entry {index} is not found by its identity")
        return {key: index for key, index in found.items() if index in new}

    async def _signatures(self, opened: Sequence[OpenedEntry]) -> list[BatchSignature]:
        wanted: dict[SignatureKey, int] = {
            one.signature: one.row.index for one in opened if one.signature is not None
        }
        found = await self._source.signatures(wanted)
        for key, index in wanted.items():
            if key not in found:
                raise damaged(f"the signature of entry {index} is not there")
        return list(found.values())

    async def _bulletins(self, block: Block) -> list[BulletinRow]:
        """Those whose first entry is in this block, in the order of their entries."""
        first: dict[bytes, int] = {}
        for row in block.entries:
            if row.event == "submitted" and row.bulletin is not None:
                first.setdefault(row.bulletin, row.index)
        known = await self._target.bulletins(first)
        new = [id_ for id_ in first if id_ not in known]
        found = await self._source.bodies(new)
        rows = await self._source.deliveries_of(new)
        for id_ in new:
            _check_body(found.get(id_), first[id_], rows.get(id_, []))
            gone = [row.destroyed for row in rows.get(id_, []) if row.destroyed is not None]
            block.waits = max([block.waits, *gone])
        return [found[id_] for id_ in new]

    async def _deliveries(self, block: Block, stop: int) -> None:
        """Where each delivery of these entries stands after the last of them, and its stanza."""
        holdings = await read_holdings(self._source, block.entries)
        keys = [key for row in block.entries if (key := delivery_of(row)) is not None]
        stored = await self._source.deliveries({*keys, *holdings.keys})
        now = await self._target.deliveries({*keys, *holdings.keys})
        touched: dict[DeliveryKey, None] = {}
        consigned: dict[DeliveryKey, int] = {}
        for row in block.entries:
            held = holdings.take(row)
            if held is not None and held[0] in now:
                now[held[0]] = replace(now[held[0]], holds=now[held[0]].holds + held[1])
                touched[held[0]] = None
            key = delivery_of(row)
            if key is None or await self._is_forgotten(key, now, stored):
                continue
            now[key] = replayed(row, now.get(key), stored)
            touched[key] = None
            if consigns(row):
                consigned[key] = row.index
            if row.event == GONE:
                block.destroyed.append(key)
        await self._stanzas(block, consigned, stored)
        block.deliveries = [now[key] for key in touched]
        block.holds = [row for row in holdings.rows.values() if _key(row) in now]
        others = await self._source.deliveries_of({id_ for id_, _recipient in block.destroyed})
        block.bodiless = bodiless(block.destroyed, others, stop)

    async def _is_forgotten(
        self,
        key: DeliveryKey,
        now: Mapping[DeliveryKey, DeliveryRow],
        stored: Mapping[DeliveryKey, DeliveryRow],
    ) -> bool:
        """Whether the beginning of a delivery is no longer there: its last entries outlive it."""
        if key in now:
            return False
        row, first = stored.get(key), await self.first_kept()
        return row.submitted < first if row is not None else first > 0

    async def _stanzas(
        self,
        block: Block,
        consigned: Mapping[DeliveryKey, int],
        stored: Mapping[DeliveryKey, DeliveryRow],
    ) -> None:
        found = await self._source.stanzas(list(consigned))
        for key, index in consigned.items():
            if key not in found and stored[key].destroyed is None:
                raise damaged(f"the stanza of entry {index} is not there")
        gone = set(block.destroyed)
        block.stanzas = [found[key] for key in consigned if key in found and key not in gone]


def _key(row: HoldRow) -> DeliveryKey:
    return row.bulletin, row.recipient


def open_entries(keys: DayKeys, entries: Iterable[EntryRow]) -> tuple[list[OpenedEntry], int]:
    """Those that open, and how many were closed for good with their day.

    Raises:
        OperatorError: `unwrap_failed`.
    """
    opened: list[OpenedEntry] = []
    destroyed = 0
    for row in entries:
        try:
            opened.append(OpenedEntry(row, open_record(keys, row)))
        except OperatorError as error:
            if error.code != DESTROYED:
                raise
            destroyed += 1
    return opened, destroyed


def statement_keys(one: OpenedEntry) -> Iterable[StatementKey]:
    """By what the sequencer finds it: its identity, and for a reading the bulletin itself."""
    row = one.row
    if row.bulletin is None or row.event in UNASKED:
        return
    yield row.bulletin, one.entry.statement, row.recipient
    if row.event == Event.READ.value:
        yield row.bulletin, marker(Event.READ, row.bulletin), row.recipient


def later_markers(one: OpenedEntry) -> Iterable[StatementKey]:
    """By what else the sequencer finds it, unless an earlier release has logged it."""
    row = one.row
    if row.bulletin is not None and row.event in ONCE and row.event != Event.READ.value:
        yield row.bulletin, marker(Event(row.event), row.bulletin), row.recipient


async def _leaves(source: Store, log: Log, start: int, stop: int) -> list[bytes]:
    leaves = await source.leaves(log, start, stop)
    if len(leaves) != stop - start:
        raise damaged(f"leaf {start + len(leaves)} of the {log} log is not there")
    return leaves


def _check_rows(block: Block, start: int, first: int) -> None:
    """Every leaf has its row from the first on that is kept, and an anchor's row says what its leaf
    says."""
    rows = {row.index for row in block.entries} | {row.index for row in block.anchors}
    for index, leaf in enumerate(block.leaves, start):
        if index >= first and index not in rows and not _stands_alone(leaf):
            raise damaged(f"the row of evidence leaf {index} is not there")
    for anchor in block.anchors:
        if anchor_leaf(anchor.size, anchor.root) != block.leaves[anchor.index - start]:
            raise damaged(f"the anchor of evidence leaf {anchor.index} is another one")


def _stands_alone(leaf: bytes) -> bool:
    try:
        return parse_leaf(leaf).type is LeafType.SUCCESSOR
    except InvalidInput:
        return False


def _check_entry(one: OpenedEntry, leaf: bytes) -> None:
    """The record opens its leaf's commitment, and the row in clear says the same as the record."""
    row = one.row
    try:
        parsed, entry = open_leaf(leaf, one.kept.entry, one.kept.salt)
    except InvalidInput as error:
        raise damaged(f"the record of entry {row.index}: {error.message}") from None
    said = (entry.sender, entry.recipient, entry.number, entry.time, parsed.type.name.lower())
    if said != (row.sender, row.recipient, row.number, row.time, row.event):
        raise damaged(f"the row of entry {row.index} says something else than its record")
    if identity(entry.type, one.kept.statement) != entry.statement:
        raise damaged(f"the statement of entry {row.index} is another one")


def _check_body(row: BulletinRow | None, index: int, rows: Sequence[DeliveryRow]) -> None:
    if row is None:
        raise damaged(f"the bulletin of entry {index} is not there")
    if is_destroyed(rows):
        if row.ciphertext:
            raise damaged(f"the ciphertext of entry {index} is destroyed, and still there")
        return
    given = (len(row.ciphertext), hashlib.sha256(row.ciphertext).digest())
    if given != (row.ciphertext_length, row.ciphertext_digest):
        raise damaged(f"the ciphertext of entry {index} is not that of its digest")
