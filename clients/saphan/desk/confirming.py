"""A desk and its node agree on what is kept: the node's word first, then the desk's, signed.

1. Ask what this desk has not heard of its copies, and heed it; what is gone at the node goes here.
2. Sign, with the officer's key, that what has gone here is gone; and bring the records of what was
   saved from this desk. The node keeps both. What it has not answered is brought again.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from saphan_protocol.batch import sign_one
from saphan_schemas.codec import Record, decode, encode
from saphan_schemas.desk_frames import AskErased, AskExported, AskKeeping
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.exports import (
    DESK_ERASURE_TYPE,
    EXPORT_TYPE,
    PRINTED,
    SAVED,
    DeskErasure,
    Export,
)
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Day, Index, Millis, Signature

from saphan.desk.answers import Hex, checked
from saphan.desk.desk import Desk
from saphan.desk.in_thread import in_thread
from saphan.desk.keeping import Keeping
from saphan.desk.line import DeskLine
from saphan.desk.store import ROW_BYTES, Shelf
from saphan.desk_errors import malformed

Json = dict[str, Any]
ROUNDS: Final = 1_000
"""Pages of one agreement: a hundred thousand bulletins; a node may never end."""


class Copy(msgspec.Struct):
    """What the node says of one copy here."""

    id: Hex
    day: Day
    held: bool
    sealed: bool
    gone: bool


class Told(msgspec.Struct):
    """Answers `AskKeeping`."""

    copies: Annotated[list[Copy], Meta(max_length=LIMITS.desk_page_items)]
    mark: Index
    witnessed: Millis | None


class _Saved(Record, frozen=True):
    """A signed record of an export that waits for the line."""

    record: bytes
    signature: Signature


@dataclass(frozen=True, slots=True)
class Confirming:
    """Of one desk."""

    desk: Desk

    async def bring(self, line: DeskLine) -> int:
        """Both steps; how many bulletins were erased here for the node's word.

        Raises:
            SaphanError: of the line, the node, the disk.
        """
        taken, gone = 0, 0
        for _ in range(ROUNDS):
            told = checked(Told, await line.ask(AskKeeping(line.number(), taken)))
            taken, copies = told["mark"], told["copies"]
            gone += len(await in_thread(self._heed, copies, told["witnessed"]))
            await self._confirm(line)
            if not copies:
                await self._bring_exports(line)
                return gone
        raise malformed("the node never ends to say what this desk keeps")

    def saved(self, bulletin: bytes, number: int) -> None:
        """Record that an attachment leaves this desk for a file: durable before it does.

        Raises:
            OperatorError: the disk.
        """
        self._left(bulletin, SAVED, number)

    def printed(self, bulletin: bytes) -> None:
        """Record that what a bulletin says leaves this desk on paper; as `saved`."""
        self._left(bulletin, PRINTED, None)

    # --- inside -----------------------------------------------------------------------------------

    def _left(self, bulletin: bytes, kind: str, number: int | None) -> None:
        desk = self.desk
        by = f"desk:{desk.me.handle}"
        record = encode(Export(bulletin, desk.me.agency, kind, by, number, desk.clock()))
        signature = sign_one(desk.key, EXPORT_TYPE, record, os.urandom(32))
        kept = encode(_Saved(record, signature))
        desk.store.put(Shelf.EXPORTS, os.urandom(16), kept)

    def _heed(self, copies: list[Json], witnessed: int | None) -> list[bytes]:
        keeping = Keeping(self.desk)
        gone = keeping.told(copies, witnessed)
        if copies:
            keeping.sweep()
        else:
            keeping.sweep_once()
        return gone

    async def _confirm(self, line: DeskLine) -> None:
        desk = self.desk
        erased = await in_thread(desk.store.all, Shelf.ERASED)
        names = sorted(name for name, _ in erased)
        for at in range(0, len(names), LIMITS.desk_page_items):
            part = tuple(names[at : at + LIMITS.desk_page_items])
            said = DeskErasure(desk.me.agency, desk.me.handle, desk.key.key_id, desk.clock(), part)
            record = encode(said)
            signature = sign_one(desk.key, DESK_ERASURE_TYPE, record, os.urandom(32))
            # A refusal keeps nobody from their bulletins: it is brought again the next time.
            with contextlib.suppress(InvalidInput, Refused):
                await line.ask(AskErased(line.number(), record, signature))
                await in_thread(self._forget, Shelf.ERASED, part)

    async def _bring_exports(self, line: DeskLine) -> None:
        for name, value in await in_thread(self.desk.store.all, Shelf.EXPORTS):
            one = decode(_Saved, value, ROW_BYTES, "export")
            # What the node refuses it will never take: it has not given it to this desk.
            with contextlib.suppress(InvalidInput, Refused):
                await line.ask(AskExported(line.number(), one.record, one.signature))
            await in_thread(self._forget, Shelf.EXPORTS, (name,))

    def _forget(self, shelf: Shelf, names: tuple[bytes, ...]) -> None:
        with self.desk.store.transaction():
            for name in names:
                self.desk.store.remove(shelf, name)
