"""What came for the officer, as far as this desk has heard: the list, what was opened, the lives.

Content is kept once it was opened; before that only the list is here. The content leaves the node
after the officer's signed reading is durable there.
"""

from __future__ import annotations

import heapq
import os
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import msgspec
from saphan_protocol.batch import sign_one
from saphan_protocol.identity import sha256
from saphan_schemas.codec import Record, decode, encode
from saphan_schemas.desk_frames import (
    AskIdentity,
    AskInbox,
    AskRead,
    AskRecall,
    AskRecallAnswer,
    AskStatus,
)
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import PAE_TYPES, OfficerRead
from saphan_schemas.strict_json import parse_json

from saphan.desk.answers import (
    Content,
    Corridors,
    Life,
    Page,
    Recall,
    checked,
    checked_of,
)
from saphan.desk.desk import Desk, number_name
from saphan.desk.in_thread import in_thread
from saphan.desk.kept import KeptDays
from saphan.desk.line import DeskLine
from saphan.desk.listed import Listed
from saphan.desk.searchable import of_opened
from saphan.desk.store import ROW_BYTES, Shelf
from saphan.desk_errors import malformed

Json = dict[str, Any]
READ_TYPE: Final = PAE_TYPES[OfficerRead]
LOOKED_AGAIN: Final = 100
"""Newest bulletins of the list whose marks are fetched again while one of them is unread."""
RULES_AT_ONCE: Final = 8
"""Times that one listing begins anew because the rules have changed; a node may never end."""
ID_DIGITS: Final = 64
_ID: Final = re.compile(r"[0-9a-f]{8,64}", re.ASCII)
_NEXT: Final = b"next of the inbox"
_RULES: Final = b"rules"
_HEARD: Final = b"heard"
_WAITING: Final = b"wait for a second signature"
_CORRIDORS: Final = b"corridors"


class Opened(Record, frozen=True):
    """Content as the node gave it, in JSON, and when (ms UTC)."""

    value: bytes
    at: int


@dataclass(frozen=True, slots=True)
class Inbox:
    """The received side of one desk; `listed`: its rows, for who stays and looks often."""

    desk: Desk
    listed: Listed | None = None

    # --- kept here --------------------------------------------------------------------------------

    def rows(self, after: int = 0) -> list[Json]:
        """Rows as the local API's inbox has them, in their order, `opened` added."""
        store = self.desk.store
        rows = sorted((row for row in self._each() if row["seq"] > after), key=_seq)
        return [row | {"opened": store.has(Shelf.OPENED, bytes.fromhex(row["id"]))} for row in rows]

    def opened(self, text: str) -> Json | None:
        """Content that was opened here, by its id or the beginning of it; `opened` is when.

        Raises:
            InvalidInput: `id_ambiguous`, `id_malformed`.
        """
        found = self._find(Shelf.OPENED, text)
        if found is None or not KeptDays(self.desk).shown(bytes.fromhex(found["id"])):
            return None
        return found

    def header_kept(self, bulletin: str) -> Json | None:
        """Header of a bulletin that was listed here, or whose life was; None: not heard of."""
        kept = self._find(Shelf.STATUS, bulletin)
        header: Json | None = self._row_of(bulletin) if kept is None else kept["header"]
        return header

    def status_kept(self, text: str) -> Json | None:
        """A bulletin's life as the node told it last; raises as `opened`."""
        return self._find(Shelf.STATUS, text)

    def standing(self, bulletin: str, row: Json | None = None) -> Json:
        """Whether a bulletin stands, as the node said it last: of its life, and of the list.

        The list may not know yet what the life has just told; what has taken its place by the life
        alone is left out where it was taken back since.

        Args:
            row: of the list, from who has it in memory; None: it is looked for.
        """
        life = self.status_kept(bulletin) or {}
        row = (self._row_of(bulletin) or {}) if row is None else row
        listed = row.get("replaced_by", [])
        more = [one for one in life.get("replaced_by", ()) if one not in listed]
        if row:
            more = [one for one in more if not self._taken_back(one)]
        return life | row | {"replaced_by": [*listed, *more]}

    def _taken_back(self, bulletin: str) -> bool:
        life, row = self.status_kept(bulletin), self._row_of(bulletin)
        return any(said.get("recalled") for said in (life, row) if said)

    def heard(self) -> int | None:
        """When the node was heard last, ms UTC; None: never."""
        kept = self.desk.store.get(Shelf.STATE, _HEARD)
        return None if kept is None else int.from_bytes(kept, "big")

    def waiting(self) -> int:
        """How many bulletins waited for this officer's second signature when the node was heard."""
        kept = self.desk.store.get(Shelf.STATE, _WAITING)
        return 0 if kept is None else int.from_bytes(kept, "big")

    def corridors(self) -> Json:
        """What may be sent to whom, as the node told it last; empty before it did."""
        kept = self.desk.store.get(Shelf.STATE, _CORRIDORS)
        return {} if kept is None else _json(kept)

    # --- with the line ----------------------------------------------------------------------------

    async def pull(self, line: DeskLine) -> list[Json]:
        """Fetch the list from where it ended, and older marks again; gives what is new.

        Raises:
            SaphanError: of the line, the node, the disk.
        """
        corridors = await in_thread(self.desk.store.get, Shelf.STATE, _CORRIDORS)
        heard = AskIdentity(line.number(), None if corridors is None else sha256(corridors))
        listed, store = self.listed or Listed(), self.desk.store
        await in_thread(listed.refresh, store)
        known = set[str]()
        after = await in_thread(self._start, listed)
        found, page = await line.ask_both(heard, _page(line, after))
        await in_thread(self._keep_corridors, checked(Corridors, found))
        new: list[Json] = []
        again = 0
        while True:
            _check_page(page, after)
            if after and page["rules"] != await in_thread(self._rules):
                after = 0  # other rules: what they show of the past is here to be seen too
                await in_thread(listed.refresh, store)
                again += 1
                if again > RULES_AT_ONCE:
                    raise malformed("the node shows every page of the inbox by other rules")
            else:
                for row in page["bulletins"]:
                    if row["id"] not in listed.ids and row["id"] not in known:
                        new.append(row)
                        known.add(row["id"])
                await in_thread(self._keep_page, page, after, listed)
                after = page["next"]
                if not page["more"]:
                    return new
            page = await line.ask(_page(line, after))

    async def read(self, line: DeskLine, bulletin: bytes) -> Json:
        """Sign that the officer reads it, and get the content; `keep` it next.

        Raises:
            SaphanError: of the line, the node.
        """
        desk = self.desk
        record = encode(
            OfficerRead(bulletin, desk.me.agency, desk.me.handle, desk.key.key_id, desk.clock())
        )
        signature = sign_one(desk.key, READ_TYPE, record, os.urandom(32))
        content = await line.ask(AskRead(line.number(), bulletin, record, signature))
        return checked_of(Content, content, bulletin.hex())

    def keep(self, content: Json) -> None:
        """Keep content, to be read again without the line.

        Raises:
            OperatorError: `desk_disk_full`, `desk_store_damaged`.
        """
        kept = Opened(msgspec.json.encode(content), self.desk.clock())
        searched = encode(of_opened(content))
        with self.desk.store.transaction():
            self._put(Shelf.OPENED, content, encode(kept))
            self._put(Shelf.SEARCH, content, searched)

    async def status(self, line: DeskLine, text: str) -> Json:
        """A bulletin's life, kept for when the line is down.

        Raises:
            SaphanError: of the line, the node, the disk.
        """
        found = checked_of(Life, await line.ask(AskStatus(line.number(), text)), text)
        kept = encode(Opened(msgspec.json.encode(found), self.desk.clock()))
        await in_thread(self._keep_life, found, kept)
        return found

    async def recall(self, line: DeskLine, text: str, reason: str | None) -> Json:
        """How a recall stands; a `reason` orders it first.

        Raises:
            SaphanError: of the line, the node.
        """
        return checked_of(Recall, await line.ask(AskRecall(line.number(), text, reason)), text)

    async def answer_recall(self, line: DeskLine, bulletin: bytes, declined: str | None) -> Json:
        """Obey what another agency recalls, or decline for a reason; how it stands then.

        Raises:
            SaphanError: of the line, the node.
        """
        asked = AskRecallAnswer(line.number(), bulletin, declined)
        return checked_of(Recall, await line.ask(asked), bulletin.hex())

    # --- inside -----------------------------------------------------------------------------------

    def _keep_life(self, found: Json, kept: bytes) -> None:
        with self.desk.store.transaction():
            self._put(Shelf.STATUS, found, kept)

    def _put(self, shelf: Shelf, found: Json, kept: bytes) -> None:
        """A row of a bulletin, under the key of its day; inside a transaction."""
        name = bytes.fromhex(found["id"])
        day = KeptDays(self.desk).day_of(name, found["header"]["retain_until"])
        self.desk.store.put(shelf, name, kept, day)

    def _keep_corridors(self, found: Json) -> None:
        store = self.desk.store
        with store.transaction():
            if found:
                store.put(Shelf.STATE, _CORRIDORS, msgspec.json.encode(found))
            store.put(Shelf.STATE, _HEARD, number_name(self.desk.clock()))

    def _start(self, listed: Listed) -> int:
        newest = heapq.nlargest(LOOKED_AGAIN, listed.rows)
        unread = [seq for seq in newest if not listed.rows[seq].read]
        kept = self.desk.store.get(Shelf.STATE, _NEXT)
        end = 0 if kept is None else int.from_bytes(kept, "big")
        return min([end, *(seq - 1 for seq in unread)])

    def _each(self) -> list[Json]:
        """Every row."""
        rows = [_json(value) for _, value in self.desk.store.each(Shelf.INBOX)]
        # What a bulletin replaced that was taken back stands again; the node names that one only.
        back = {row["id"] for row in rows if row.get("recalled") is not None}
        for row in rows:
            if named := row.get("replaced_by"):
                row["replaced_by"] = [one for one in named if one not in back]
        return rows

    def _row_of(self, bulletin: str) -> Json | None:
        """The row of one bulletin; only what names it is read."""
        named = bulletin.encode()
        values = (value for _, value in self.desk.store.each(Shelf.INBOX) if named in value)
        row = next((row for row in map(_json, values) if row["id"] == bulletin), None)
        if row is not None and row.get("replaced_by"):
            return next((one for one in self._each() if one["id"] == bulletin), None)
        return row

    def _keep_page(self, page: Json, after: int, listed: Listed) -> None:
        """The page, and its end; what the node shows no longer in this range goes away.

        Args:
            listed: what was here before this listing began; opened once, not for every page.
        """
        store = self.desk.store
        shown = {row["seq"] for row in page["bulletins"]}
        gone = [seq for seq in listed.rows if after < seq <= page["next"] and seq not in shown]
        with store.transaction():
            for seq in gone:
                store.remove(Shelf.INBOX, number_name(seq))
            # What was listed before and was taken back or replaced since: within what is here.
            changed = [one for one in page.get("changed", ()) if one["seq"] <= page["next"]]
            for row in (*page["bulletins"], *changed):
                if not listed.same(row["seq"], msgspec.json.encode(row)):
                    self._keep_row(row)
            store.put(Shelf.STATE, _NEXT, number_name(page["next"]))
            store.put(Shelf.STATE, _RULES, page["rules"].encode())
            store.put(Shelf.STATE, _WAITING, number_name(page.get("waiting", 0)))

    def _keep_row(self, row: Json) -> None:
        """Under the key of its bulletin's day; what is past that by every clock is not kept."""
        name, value = number_name(row["seq"]), msgspec.json.encode(row)
        kept = KeptDays(self.desk).find(bytes.fromhex(row["id"]))
        day = row["retain_until"] if kept is None else kept.under
        if kept is None and day <= self.desk.clock() // DAY_MS:
            self.desk.store.remove(Shelf.INBOX, name)
        else:
            self.desk.store.put(Shelf.INBOX, name, value, day)

    def _rules(self) -> str:
        return (self.desk.store.get(Shelf.STATE, _RULES) or b"").decode()

    def _find(self, shelf: Shelf, text: str) -> Json | None:
        if not _ID.fullmatch(text):
            raise InvalidInput(
                "id_malformed",
                "a bulletin id is 64 hexadecimal digits; its first 8 or more will do",
                field="id",
            )
        found = self._named(shelf, text)
        if len(found) > 1:
            raise InvalidInput(
                "id_ambiguous",
                f"more than one bulletin's id begins with {text}",
                field="id",
                hint="give more digits",
            )
        if not found:
            return None
        kept = decode(Opened, found[0], ROW_BYTES, "opened")
        return _json(kept.value) | {"kept": kept.at}

    def _named(self, shelf: Shelf, text: str) -> list[bytes]:
        """What is kept under ids that begin so; a whole one opens one row, not a shelf of years."""
        if len(text) == ID_DIGITS:
            value = self.desk.store.get(shelf, bytes.fromhex(text))
            return [] if value is None else [value]
        rows = self.desk.store.each(shelf)
        return [value for name, value in rows if name.hex().startswith(text)]


def _seq(row: Json) -> int:
    found: int = row["seq"]
    return found


def _page(line: DeskLine, after: int) -> AskInbox:
    return AskInbox(line.number(), after, LIMITS.desk_page_items)


def _check_page(page: Json, after: int) -> None:
    """A page goes forward, or it is the last one; raises OperatorError `node_answer`."""
    checked(Page, page)
    places = [after, *(row["seq"] for row in page["bulletins"]), page["next"] + 1]
    forward = all(one < next_ for one, next_ in pairwise(places))
    if not forward or (page["more"] and page["next"] == after):
        raise malformed("the node's pages of the inbox do not go forward")


def _json(value: bytes) -> Json:
    found: Json = parse_json(dict, value)
    return found
