"""What is left of the store that is behind, damaged or gone: heads, directory, texts beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from saphan_protocol.checkpoint import verify_head
from saphan_protocol.pins import Pins
from saphan_schemas.directory_records import LogPin
from saphan_schemas.errors import InvalidInput, OperatorError, SaphanError
from saphan_schemas.records import HeadRef

from saphan_broker.logs.last_head import LastHead
from saphan_broker.logs.log_book import LogBook
from saphan_broker.moving.house import House
from saphan_broker.store.base import Log, Store
from saphan_broker.succession.known import (
    STORE,
    KnownDirectory,
    Largest,
    contradiction,
    key_pair,
)

AS_GONE: Final = frozenset(
    {"store_missing", "store_damaged", "store_unreadable", "store_foreign", "store_remains"}
)
"""What a store may say of itself and be counted as lost: nothing is read from it then."""
LEAVES_AT_ONCE: Final = 1_024


@dataclass(frozen=True, slots=True)
class OldStore:
    """A store that opened.

    Args:
        books: its logs as they are committed.
    """

    store: Store
    books: dict[Log, LogBook]
    signed: dict[Log, HeadRef] = field(default_factory=dict)
    """The newest signed heads in it."""

    async def check_heads(self, heads: dict[Log, Largest]) -> None:
        """Hold every smaller head that anybody has shown against the leaves under its own heads.

        Raises:
            OperatorError: `reports_contradict`.
        """
        for log, own in self.signed.items():
            for one in heads[log].heard:
                if not 0 < one.head.size < own.size:
                    continue
                try:
                    continues = await self.books[log].holds(one.head.size, one.head.root)
                except SaphanError:
                    return  # its leaves cannot be read: they prove nothing
                if not continues:
                    size = f"{one.head.size} leaves"
                    raise contradiction(own.origin, f"{size} by {one.source} and by {STORE}")

    async def lacks(self, head: HeadRef) -> bool:
        """Whether it does not have everything up to this head."""
        for book in self.books.values():
            if book.origin == head.origin:
                return not await book.holds(head.size, head.root)
        return True


@asynccontextmanager
async def old_store(house: House, pins: Pins) -> AsyncIterator[tuple[OldStore | None, str]]:
    """The store, nobody else sequencing meanwhile, or None and the code of why nothing is read.

    Raises:
        OperatorError: `store_locked`, `store_in_use`, `store_format_newer`, ...; Unavailable.
    """
    async with AsyncExitStack() as stack:
        try:
            store = await stack.enter_async_context(house.alone())
        except OperatorError as error:
            if error.code not in AS_GONE:
                raise
            yield None, error.code
            return
        found: OldStore | None = None
        code = ""
        try:
            found = await _opened(store, pins)
        except (OperatorError, InvalidInput) as error:
            code = error.code
        yield found, code


async def _opened(store: Store, pins: Pins) -> OldStore:
    books: dict[Log, LogBook] = {
        "directory": LogBook("directory", pins.directory.origin, lambda: store),
        "evidence": LogBook("evidence", pins.evidence.origin, lambda: store),
    }
    for book in books.values():
        await book.load()
    return OldStore(store, books)


async def read_heads(old: OldStore, pins: Pins, heads: dict[Log, Largest]) -> dict[Log, HeadRef]:
    """The newest signed head of each log in the store; they are counted among `heads`.

    Raises:
        OperatorError: `reports_contradict`, `store_differs`.
    """
    found: dict[Log, HeadRef] = {}
    pinned: dict[Log, LogPin] = {"directory": pins.directory, "evidence": pins.evidence}
    for log, book in old.books.items():
        stored = await old.store.note(log)
        if stored is None:
            continue
        try:
            head = verify_head(stored.note, key_pair(pinned[log])).ref
        except InvalidInput as error:
            raise OperatorError(
                "store_differs",
                f"the store's {log} log was not signed by the keys of {book.origin}: "
                f"{error.message}",
                field="keys",
                hint="name the data directory and the keys directory of one broker",
            ) from None
        heads[log].take(head, STORE)
        found[log] = head
    old.signed.update(found)
    return found


async def read_directory(
    old: OldStore, signed: HeadRef | None, last: LastHead, known: KnownDirectory
) -> None:
    """Take the directory's leaves that were signed: up to the signer's last head where the store
    reaches it, else up to its own newest note."""
    book = old.books["directory"]
    reaches = last.size > 0 and await book.holds(last.size, last.root)
    head = HeadRef(book.origin, last.size, last.root) if reaches else signed
    if head is None or head.size > book.tree.size:
        return
    leaves: list[bytes] = []
    while len(leaves) < head.size:
        stop = min(head.size, len(leaves) + LEAVES_AT_ONCE)
        found = await old.store.leaves("directory", len(leaves), stop)
        if not found:
            return
        leaves += found
    await asyncio.to_thread(known.grow, 0, leaves, head)
    for start in range(0, head.size, LEAVES_AT_ONCE):
        try:
            known.packages |= await old.store.packages(
                start, min(head.size, start + LEAVES_AT_ONCE)
            )
        except SaphanError:
            return  # agencies bring their texts again
