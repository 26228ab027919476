"""How long a desk keeps what it has of each bulletin: to its day, or to the node's word.

1. Whatever the desk keeps of a bulletin lies under the key of its day (`days`): the header's, or an
   earlier one that the node has told; under none while the node says that a hold keeps it.
2. On its day, or on the node's word, all of it goes in one transaction: content, life, attachments,
   the copy in the outbox, the row of the list. What stays is that it has gone.
3. The store's journal is cut, and the keys of days under which nothing is kept are destroyed. A
   crash before that is made good when the desk is opened again.
4. At the next word with the node the officer's key signs that it has gone (`confirming`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import SaphanError
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.strict_json import parse_json

from saphan.desk.desk import Desk, number_name
from saphan.desk.drafts import Drafts
from saphan.desk.files import EVIDENCE, download_name
from saphan.desk.form_drafts import FormDrafts
from saphan.desk.kept import SWEPT, Kept, KeptDays
from saphan.desk.outbox import Outbox, Queued
from saphan.desk.store import ROW_BYTES, Shelf
from saphan.desk.uptime import DeskTime

Json = dict[str, Any]
_ADOPTED: Final = b"days"
_CONTENT: Final = (Shelf.OPENED, Shelf.STATUS)
_NAMED: Final = (*_CONTENT, Shelf.SEARCH, Shelf.OWED)
"""Shelves whose rows are named by the bulletin; of what is sent, what is searched in is not."""
NO_ROOM: Final = frozenset({"desk_disk_full", "desk_busy"})
"""Why a sweep may wait for the next one."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """The keeping of one desk."""

    desk: Desk

    @property
    def time(self) -> DeskTime:
        """The time by which it erases."""
        return DeskTime(self.desk.store, self.desk.uptime, self.desk.clock)

    @property
    def kept(self) -> KeptDays:
        """The days that it goes by."""
        return KeptDays(self.desk)

    def told(self, copies: list[Json], witnessed: int | None) -> list[bytes]:
        """The node's word on some bulletins; gives those that were erased for it.

        Raises:
            OperatorError: the disk; the same is told again.
        """
        gone, moved = [], dict[bytes, int]()
        with self.desk.store.transaction():
            if witnessed is not None:
                # Never ahead of this machine's own clock: a node may lie.
                self.time.hear(min(witnessed, self.desk.clock() + LIMITS.skew_ms))
            for one in copies:
                bulletin = bytes.fromhex(one["id"])
                if one["gone"]:
                    gone.append(bulletin)
                elif (under := self._heed(bulletin, one)) is not None:
                    moved[bulletin] = under
            self._move(moved)
        self.erase(gone)
        return gone

    def sweep(self) -> int:
        """Erase whatever has reached its day; how many bulletins. When the desk is opened.

        Raises:
            OperatorError: the disk; what has reached its day goes at the next sweep.
        """
        self._adopt()
        today = self.time.today()
        if today is None:
            return 0
        due = [name for name, kept in self._all() if not kept.held and kept.day <= today]
        self._drop_drafts(today * DAY_MS)
        self.desk.store.drop_due(today)  # rows of lists, too: of what was never opened here
        self.erase(due)
        self.desk.store.put(Shelf.STATE, SWEPT, number_name(today))
        return len(due)

    def sweep_once(self) -> int:
        """The same, unless it was done today and nothing was kept since: with every piece of news,
        and no row is opened for that. Raises the same."""
        today = self.time.today()
        swept = self.desk.store.get(Shelf.STATE, SWEPT)
        return 0 if today is None or swept == number_name(today) else self.sweep()

    def erase(self, bulletins: Collection[bytes]) -> None:
        """Steps 2 and 3; idempotent.

        Raises:
            OperatorError: the disk.
        """
        store, ids = self.desk.store, set(bulletins)
        if ids:
            with store.transaction():
                for bulletin in ids:
                    for shelf in (*_NAMED, Shelf.KEEPING):
                        store.remove(shelf, bulletin)
                    for name, _ in self._parts(bulletin):
                        store.drop_parts(name)
                    store.put(Shelf.ERASED, bulletin, b"")
                for _, shelf, name, _ in self._of(ids):
                    store.remove(shelf, name)
        store.end_days()

    # --- inside -----------------------------------------------------------------------------------

    def _all(self) -> list[tuple[bytes, Kept]]:
        rows = self.desk.store.all(Shelf.KEEPING)
        return [(name, decode(Kept, value, 64, "kept")) for name, value in rows]

    def _heed(self, bulletin: bytes, told: Json) -> int | None:
        """Another day, under whose key what is kept is to be sealed anew; None: it lies right."""
        before = self.kept.find(bulletin)
        if before is None:
            return None
        day = min(told["day"], before.retain)
        kept = Kept(day, told["held"], told["sealed"], before.retain)
        if before == kept:
            return None
        self.desk.store.put(Shelf.KEEPING, bulletin, encode(kept))
        return None if before.under == kept.under else kept.under

    def _move(self, days: dict[bytes, int]) -> None:
        """Seal what is kept of bulletins anew, each under the key of its day."""
        store = self.desk.store
        for bulletin, day in days.items():
            for shelf in _NAMED:
                value = store.get(shelf, bulletin)
                if value is not None:
                    store.put(shelf, bulletin, value, day)
            for name, count in self._parts(bulletin):
                for n in range(count):
                    data = store.part(name, n)
                    if data is not None:
                        store.put_part(name, n, data, day)
        for bulletin, shelf, name, value in self._of(days):
            store.put(shelf, name, value, days[bulletin])

    def _parts(self, bulletin: bytes) -> Iterator[tuple[bytes, int]]:
        for number in range(EVIDENCE, LIMITS.attachments + 1):
            name = download_name(bulletin, number)
            if count := self.desk.store.parts(name):
                yield name, count

    def _of(self, ids: Collection[bytes]) -> list[tuple[bytes, Shelf, bytes, bytes]]:
        """Rows of bulletins on the shelves whose rows have numbers: (id, shelf, name, value)."""
        store, found = self.desk.store, list[tuple[bytes, Shelf, bytes, bytes]]()
        if not ids:
            return found
        for name, value in store.each(Shelf.INBOX):
            bulletin = bytes.fromhex(parse_json(dict, value)["id"])
            if bulletin in ids:
                found.append((bulletin, Shelf.INBOX, name, value))
        for name, value in store.each(Shelf.OUTBOX):
            sent = decode(Queued, value, ROW_BYTES, "queued").bulletin
            if sent is not None and sent in ids:
                found.append((sent, Shelf.OUTBOX, name, value))
                searched = store.get(Shelf.SEARCH, name)
                if searched is not None:
                    found.append((sent, Shelf.SEARCH, name, searched))
        return found

    def _drop_drafts(self, now: int) -> None:
        outbox = Outbox(self.desk)
        for draft in Drafts(self.desk).all():
            if draft.kept + LIMITS.desk_draft_ms <= now:
                outbox.remove_draft(draft.number)
        for form in FormDrafts(self.desk).all():
            if form.saved + LIMITS.desk_draft_ms <= now:
                outbox.remove_form(form.number)

    def _adopt(self) -> None:
        """What an older release kept under no day; attachments come again from the node."""
        store = self.desk.store
        if store.has(Shelf.STATE, _ADOPTED):
            return
        with store.transaction():
            for shelf in _CONTENT:
                for name, value in store.all(shelf):
                    shown = parse_json(dict, msgspec.msgpack.decode(value)[0])["header"]
                    store.put(shelf, name, value, self.kept.day_of(name, shown["retain_until"]))
                    for parts, _ in self._parts(name):
                        store.drop_parts(parts)
            for name, value in store.all(Shelf.INBOX):
                row = parse_json(dict, value)
                store.put(Shelf.INBOX, name, value, row["retain_until"])
            for name, value in store.all(Shelf.OUTBOX):
                one = decode(Queued, value, ROW_BYTES, "queued")
                day = one.shown.retain_until
                if one.bulletin is not None:
                    day = self.kept.day_of(one.bulletin, day)
                store.put(Shelf.OUTBOX, name, value, day)
            store.put(Shelf.STATE, _ADOPTED, b"")


def sweep(desk: Desk) -> None:
    """When a desk is opened; a full disk keeps nobody from reading what is not due.

    Raises:
        OperatorError: `desk_store_damaged`, `file_unwritable`.
    """
    try:
        Keeping(desk).sweep()
    except SaphanError as error:
        if error.code not in NO_ROOM:
            raise
