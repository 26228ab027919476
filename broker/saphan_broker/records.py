"""`saphan-broker records export`: the record pack of a stretch of the evidence log, for an auditor.

A pack opens the commitments of its leaves: entry, statement, salt, signatures, headers, agreements;
no content, no stanza, no key. It is written as a stream, a page at a time, beside a running broker.
A leaf whose day key is destroyed, or whose record is forgotten, stays closed: the auditor's
coverage says so. A ciphertext that is destroyed is proven by its length and digest, as any other.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from saphan_protocol.batch import item_root
from saphan_protocol.checkpoint import parse_checkpoint
from saphan_protocol.evidence import CONSIGNMENT_TYPE, MAX_ENTRY_BYTES
from saphan_protocol.notes import parse_note
from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.limits import LIMITS
from saphan_schemas.packs import (
    PACK_FORMAT,
    PackAgreement,
    PackEnd,
    PackEntry,
    PackHead,
    PackItem,
    PackNote,
    PackSignature,
)
from saphan_schemas.records import BROKER, BatchSignature, Blob, Blobs, Entry

from saphan_broker.at_rest import KeptRecord, open_header, open_record
from saphan_broker.beside import agreements_beside
from saphan_broker.logs.cosigned import cosigned
from saphan_broker.logs.log_export import head_missing
from saphan_broker.seeds import DayKeys
from saphan_broker.store.base import (
    LOGS,
    BulletinFacts,
    BulletinRow,
    CosignatureRow,
    EntryRow,
    Log,
    SignatureKey,
    SignedHead,
)

PAGE: Final = 128
"""Entries read at once: with their bodies about 12 MiB at the most."""
DESTROYED: Final = "day_key_destroyed"

Write = Callable[[bytes], object]


class Source(Protocol):
    """What is read; every store has it, and so has `store.sqlite_reader`."""

    async def note(self, log: Log) -> SignedHead | None: ...
    async def cosignatures(self, log: Log) -> list[CosignatureRow]: ...
    async def leaves(self, log: Log, start: int, stop: int) -> list[bytes]: ...
    async def packages(self, start: int, stop: int) -> dict[int, bytes]: ...
    async def entries(self, start: int, stop: int) -> list[EntryRow]: ...
    async def bulletins(self, ids: Iterable[bytes]) -> dict[bytes, BulletinFacts]: ...
    async def bodies(self, ids: Iterable[bytes]) -> dict[bytes, BulletinRow]: ...
    async def signatures(
        self, keys: Mapping[SignatureKey, int]
    ) -> dict[SignatureKey, BatchSignature]: ...


async def write_pack(
    source: Source, keys: DayKeys, write: Write, start: int, stop: int | None, now: int
) -> Exported:
    """Write a pack; arguments and errors as `PackMaker.items`.

    Args:
        write: takes bytes in order, such as a file's `write`.
    """
    maker = PackMaker(source, keys)
    async for item in maker.items(start, stop, now):
        write(encode(item))
    return maker.made


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What a pack holds: leaves [start, stop), and how many of each thing."""

    start: int
    stop: int
    agreements: int
    signatures: int
    entries: int
    destroyed: int


async def cosigned_note(source: Source, log: Log) -> bytes:
    """The newest signed head with its cosignatures.

    Raises:
        OperatorError: `head_missing`.
    """
    stored = await source.note(log)
    if stored is None:
        raise head_missing(log)
    size = parse_checkpoint(parse_note(stored.note).text).size
    return await cosigned(source, log, size, stored.note)


class OpenedEntry:
    """One entry, opened, with the key of the signature that vouches for it."""

    __slots__ = ("entry", "kept", "row", "signature")

    def __init__(self, row: EntryRow, kept: KeptRecord) -> None:
        self.row, self.kept = row, kept
        self.entry = decode(Entry, kept.entry, MAX_ENTRY_BYTES, "entry")
        self.signature: SignatureKey | None = None
        if kept.item is not None:
            root = item_root(kept.item, self.entry.type, kept.statement)
            self.signature = (kept.item.key, kept.item.size, root)


class PackMaker:
    """Makes one pack, item by item; memory does not grow with its length.

    Args:
        heads: which it is about; the newest ones, unless they were read before.

    Attributes:
        made: what it holds, once `items` has come to its end.
    """

    def __init__(
        self, source: Source, keys: DayKeys, heads: Mapping[Log, bytes] | None = None
    ) -> None:
        self._source = source
        self._keys = keys
        self._heads = heads
        self._ready: list[PackItem] = []
        self.made: Exported
        self._given: OrderedDict[SignatureKey, None] = OrderedDict()
        self._entries = self._destroyed = 0
        self._agreements = self._signatures = 0

    async def items(self, start: int, stop: int | None, now: int) -> AsyncIterator[PackItem]:
        """The pack of leaves start <= index < stop, at most up to the signed head.

        Args:
            now: time at which the pack is made, ms.

        Raises:
            InvalidInput: `range_empty`.
            OperatorError: `head_missing`, `unwrap_failed`, `store_damaged`.
        """
        notes = self._heads or {log: await cosigned_note(self._source, log) for log in LOGS}
        heads = {log: parse_checkpoint(parse_note(note).text) for log, note in notes.items()}
        evidence = heads["evidence"]
        end = evidence.size if stop is None else min(stop, evidence.size)
        if not 0 <= start < end:
            raise InvalidInput(
                "range_empty",
                f"no leaf from {start} to {end}: the signed head has {evidence.size} leaves",
                field="from",
                hint="leave out --from and --to to export everything that is signed",
            )
        origins = (heads["directory"].origin, evidence.origin)
        yield PackHead(PACK_FORMAT, BROKER, now, *origins, start, end)
        await self._all_agreements(heads["directory"].size)
        self._item(PackNote(notes["evidence"]))  # a broker keeps no older ones; nodes do
        for first in range(start, end, PAGE):
            for item in self._given_up():
                yield item
            await self._page(first, min(end, first + PAGE))
        for item in self._given_up():
            yield item
        yield PackEnd(self._agreements, 1, self._signatures, self._entries)
        self.made = Exported(
            start=start,
            stop=end,
            agreements=self._agreements,
            signatures=self._signatures,
            entries=self._entries,
            destroyed=self._destroyed,
        )

    def _item(self, item: PackItem) -> None:
        self._ready.append(item)

    def _given_up(self) -> list[PackItem]:
        ready, self._ready = self._ready, []
        return ready

    async def _all_agreements(self, size: int) -> None:
        for first in range(0, size, PAGE):
            leaves = await self._source.leaves("directory", first, min(size, first + PAGE))
            found = await agreements_beside(self._source, first, leaves)
            for package in found.values():
                self._item(PackAgreement(package))
                self._agreements += 1

    async def _page(self, start: int, stop: int) -> None:
        opened: list[OpenedEntry] = []
        for row in await self._source.entries(start, stop):
            try:
                opened.append(OpenedEntry(row, open_record(self._keys, row)))
            except OperatorError as error:
                if error.code != DESTROYED:
                    raise
                self._destroyed += 1
        batches = await self._signatures_of(opened)
        consigned = {one.row.bulletin for one in opened if one.entry.type == CONSIGNMENT_TYPE}
        ids = [id_ for id_ in consigned if id_ is not None]
        facts = await self._source.bulletins(ids)
        headers = self._headers(await self._bodies(ids))
        for one in opened:
            if one.signature is not None:
                self._sign(one.signature, batches[one.signature])
            self._item(_pack_entry(one, facts, headers))
            self._entries += 1

    async def _signatures_of(
        self, opened: Iterable[OpenedEntry]
    ) -> dict[SignatureKey, BatchSignature]:
        needed = {one.signature: one.row.index for one in opened if one.signature is not None}
        found = await self._source.signatures(needed)
        for key in needed:
            if key not in found:
                raise OperatorError(
                    "store_damaged",
                    f"the signature of key {key[0].hex()[:16]} over {key[1]} items is missing",
                    field="data",
                    hint="restore the store from a backup; the agency that made it has it, too",
                )
        return found

    def _sign(self, key: SignatureKey, batch: BatchSignature) -> None:
        """Give a signature before the entry that needs it, unless the reader still has it (P3)."""
        if key in self._given:
            return
        self._item(PackSignature(batch))
        self._signatures += 1
        self._given[key] = None
        if len(self._given) > LIMITS.pack_signatures:
            self._given.popitem(last=False)

    async def _bodies(self, ids: list[bytes]) -> dict[bytes, BulletinRow]:
        """Bulletins with what is left of their bodies."""
        return await self._source.bodies(ids)

    def _headers(self, bodies: Mapping[bytes, BulletinRow]) -> dict[bytes, bytes]:
        headers: dict[bytes, bytes] = {}
        for id_, row in bodies.items():
            if not row.header:  # forgotten with the records; a hold keeps the rest of it
                continue
            try:
                headers[id_] = open_header(self._keys, row)
            except OperatorError as error:
                if error.code != DESTROYED:
                    raise
        return headers


def _pack_entry(
    one: OpenedEntry, facts: dict[bytes, BulletinFacts], headers: dict[bytes, bytes]
) -> PackEntry:
    header = ciphertext = None
    attachments: Blobs = ()
    id_ = one.row.bulletin
    if one.entry.type == CONSIGNMENT_TYPE and id_ is not None:
        header = headers.get(id_)
        if id_ in facts:
            ciphertext = Blob(facts[id_].ciphertext_length, facts[id_].ciphertext_digest)
            attachments = facts[id_].attachments
    kept = one.kept
    return PackEntry(
        one.row.index,
        kept.entry,
        kept.salt,
        kept.statement,
        kept.item,
        header,
        ciphertext,
        attachments,
    )
